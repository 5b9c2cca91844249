"""A piece is heard through a player of the system, or seen and heard on a page that loads nothing."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Sequence

import pytest

from arietta.errors import RequestError
from arietta.music.notes import Notes
from arietta.render import playback
from arietta.render.playback import find_player, music_html, music_page, play_music


def install_player(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    words: Sequence[str] = (sys.executable, "-c", code, "{}")
    monkeypatch.setattr(playback, "PLAYERS", {sys.platform: (("no-such-player", "{}"), words)})


def test_the_first_player_that_is_installed_gets_a_wav_file(waltz: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    install_player(monkeypatch, "import pathlib, sys; assert pathlib.Path(sys.argv[1]).read_bytes()[:4] == b'RIFF'")
    play_music(waltz)


def test_a_player_that_fails_is_named_with_its_reason(waltz: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    install_player(monkeypatch, "import sys; sys.exit('starting\\nno sound card')")
    with pytest.raises(RequestError, match=r"cannot play here \(no sound card\); save the piece as \.ogg"):
        play_music(waltz)
    install_player(monkeypatch, "import sys; sys.exit(3)")
    with pytest.raises(RequestError, match=r"cannot play here \(exit code 3\)"):
        play_music(waltz)


def test_without_a_player_the_sentence_says_what_to_do(waltz: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playback, "PLAYERS", {sys.platform: (("no-such-player", "{}"),)})
    assert find_player() is None
    with pytest.raises(RequestError, match=r"looked for: no-such-player\); save the piece as \.ogg"):
        play_music(waltz)


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_every_system_has_players_that_take_a_file(system: str) -> None:
    assert all(any("{}" in word for word in words) for words in playback.PLAYERS[system])


def test_a_piece_for_a_notebook_shows_its_roll_and_plays_and_loads_nothing(waltz: Notes) -> None:
    shown = music_html(waltz, title='<b>"Waltz"</b>')
    kinds = re.findall(r'src="data:([^;]+);base64,([^"]+)"', shown)
    assert [kind for kind, _ in kinds] == ["image/svg+xml", "audio/ogg"]
    picture, sound = (base64.b64decode(data) for _, data in kinds)
    assert picture.startswith(b"<svg") and sound.startswith(b"OggS")
    assert "http" not in re.sub(r'src="[^"]+"', "", shown) and "<b>" not in shown


def test_a_page_is_whole_and_has_its_title(waltz: Notes) -> None:
    page = music_page(waltz, title="Waltz & more")
    assert page.startswith("<!doctype html>") and "<title>Waltz &amp; more</title>" in page
    assert page.count("<img") == page.count("<audio") == 1

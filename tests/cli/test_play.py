"""`arietta play`: through the system's player, or on a page in the browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from arietta.cli import main
from arietta.music.midi import write_midi
from arietta.music.notes import Notes
from arietta.render import playback
from arietta.render.formats import save_music


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the pages that are opened; there is no player of sounds."""
    opened: list[str] = []
    monkeypatch.setattr(playback, "PLAYERS", {})
    monkeypatch.setattr(webbrowser, "open", lambda url: bool(opened.append(url) or True))
    return opened


def page_at(url: str) -> str:
    return Path(url2pathname(urlsplit(url).path)).read_text(encoding="utf-8")


def test_without_a_player_a_page_that_plays_is_opened(
    waltz: Notes, tmp_path: Path, pages: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_midi(tmp_path / "waltz.mid", waltz)
    assert main(["play", str(tmp_path / "waltz.mid")]) == 0
    page = page_at(pages[0])
    assert "data:audio/ogg" in page and "<title>waltz</title>" in page
    assert "in a browser" in capsys.readouterr().out


def test_a_score_is_played_too(waltz: Notes, tmp_path: Path, pages: list[str]) -> None:
    save_music(tmp_path / "waltz.musicxml", waltz, title="Waltz", texts=[])
    assert main(["play", str(tmp_path / "waltz.musicxml")]) == 0
    assert "<title>waltz</title>" in page_at(pages[0])


def test_a_machine_without_a_browser_is_told_where_the_page_is(
    waltz: Notes, tmp_path: Path, pages: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    write_midi(tmp_path / "waltz.mid", waltz)
    assert main(["play", str(tmp_path / "waltz.mid")]) == 0
    out = capsys.readouterr().out
    assert "No browser could be opened" in out
    assert Path(out.strip().rpartition(" is ")[2]).is_file()


def test_a_player_gets_the_piece(
    waltz: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "import pathlib, sys; assert pathlib.Path(sys.argv[1]).read_bytes()[:4] == b'RIFF'"
    monkeypatch.setattr(playback, "PLAYERS", {sys.platform: ((sys.executable, "-c", code, "{}"),)})
    write_midi(tmp_path / "waltz.mid", waltz)
    assert main(["play", str(tmp_path / "waltz.mid")]) == 0
    assert "waltz.mid: 12 notes, 0:0" in capsys.readouterr().out


def test_where_the_player_fails_the_page_is_opened(
    waltz: Notes, tmp_path: Path, pages: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "import sys; sys.exit('no sound card')"
    monkeypatch.setattr(playback, "PLAYERS", {sys.platform: ((sys.executable, "-c", code, "{}"),)})
    write_midi(tmp_path / "waltz.mid", waltz)
    assert main(["play", str(tmp_path / "waltz.mid")]) == 0
    assert len(pages) == 1 and "no sound card" in capsys.readouterr().err


def test_without_a_file_the_newest_piece_is_played(
    waltz: Notes, tmp_path: Path, pages: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["play"]) == 2
    assert "has no MIDI files here: name one, as in arietta play piece.mid" in capsys.readouterr().err
    (tmp_path / "pieces").mkdir()
    for age, name in enumerate(("new", "old", "older")):
        write_midi(tmp_path / "pieces" / f"{name}.mid", waltz)
        os.utime(tmp_path / "pieces" / f"{name}.mid", (1e9 - age, 1e9 - age))
    (tmp_path / "pieces" / "picture.png").touch()
    assert main(["play", "--browser"]) == 0
    assert "<title>new</title>" in page_at(pages[0])


def test_a_file_without_notes_is_refused(tmp_path: Path, pages: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write_midi(tmp_path / "empty.mid", Notes.of())
    assert main(["play", str(tmp_path / "empty.mid")]) == 2
    assert "has no notes to play" in capsys.readouterr().err
    assert not pages

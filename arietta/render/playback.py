"""A piece to hear and see at once: through a player of the system, or as a page that loads nothing.

play_music(notes)
Path("piece.html").write_text(music_page(notes, title="Nocturne"), encoding="utf-8")
"""

from __future__ import annotations

import base64
import html
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import RequestError
from ..music.notes import Notes
from .audio import audio_bytes, write_audio
from .roll import roll_svg

# Commands that play a WAV file and return when it has ended, by sys.platform; {} is the file.
PLAYERS: Mapping[str, Sequence[Sequence[str]]] = {
    "linux": (
        ("pw-play", "{}"),
        ("paplay", "{}"),
        ("aplay", "-q", "{}"),
        ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error", "{}"),
        ("mpv", "--no-video", "--really-quiet", "{}"),
    ),
    "darwin": (("afplay", "{}"),),
    "win32": (("powershell", "-NoProfile", "-Command", "(New-Object Media.SoundPlayer '{}').PlaySync()"),),
}


def find_player() -> Sequence[str] | None:
    """Return the first command of `PLAYERS` that this machine has; None where it has none."""
    return next((words for words in PLAYERS.get(sys.platform, ()) if shutil.which(words[0])), None)


def play_music(notes: Notes) -> None:
    """Play a piece on the sampled piano and return when it has ended; raises RequestError where nothing can play it."""
    player = find_player()
    if player is None:
        names = ", ".join(words[0] for words in PLAYERS.get(sys.platform, ())) or "none for this system"
        raise RequestError(
            f"no player of sounds is installed (looked for: {names}); save the piece as .ogg and open it"
        )
    with tempfile.TemporaryDirectory(prefix="arietta-") as folder:
        path = Path(folder) / "piece.wav"
        write_audio(path, notes)
        words = [word.replace("{}", str(path)) for word in player]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise RequestError(f"{player[0]} cannot play here ({reason}); save the piece as .ogg and open it")


def music_html(notes: Notes, *, title: str = "", prompt_seconds: float = 0.0) -> str:
    """Draw a piece's roll with a player of its sound below, as HTML that loads nothing, for a page or a notebook."""
    picture = base64.b64encode(roll_svg(notes, title=title, prompt_seconds=prompt_seconds).encode()).decode()
    sound = base64.b64encode(audio_bytes(notes, "ogg")).decode()
    name = html.escape(title or "a piece", quote=True)
    return (
        f'<div style="max-width: 1200px"><img style="width: 100%" alt="Piano roll of {name}" '
        f'src="data:image/svg+xml;base64,{picture}">'
        f'<audio controls style="width: 100%" src="data:audio/ogg;base64,{sound}"></audio></div>'
    )


def music_page(notes: Notes, *, title: str = "") -> str:
    """Write `music_html` as a page of its own."""
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(title or "Arietta")}</title>\n'
        f"{music_html(notes, title=title)}\n</html>\n"
    )

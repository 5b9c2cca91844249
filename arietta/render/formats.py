"""A piece as any kind of file, by the ending of its name: MIDI, sound, score or picture.

    save_music("nocturne.ogg", notes)

The packages for sound, scores and pictures are loaded only where they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import RequestError, quote, require
from ..music.heading import Heading
from ..music.meter import Meter
from ..music.midi import write_midi
from ..music.notes import Notes

MIDI, SOUNDS = (".mid", ".midi"), (".wav", ".ogg", ".flac", ".mp3")
SCORES, PICTURES = (".musicxml", ".pdf"), (".svg", ".png")
ENDINGS = MIDI + SOUNDS + SCORES + PICTURES


def saved_bytes(save: Callable[[Path], object], kind: str) -> bytes:
    """Return what `save` writes to a path with that ending, with or without its dot; raises as `save_music` does."""
    require(kind, str, "a kind of file is an ending, such as mid")
    ending = f".{kind.removeprefix('.')}"
    if ending.lower() not in ENDINGS:
        raise RequestError(f"a piece is had as {', '.join(each[1:] for each in ENDINGS)}, not as {quote(kind)}")
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"piece{ending}"
        save(path)
        return path.read_bytes()


def save_music(
    path: str | Path,
    notes: Notes,
    *,
    title: str | Heading = "",
    texts: Sequence[str] = (),
    prompt_seconds: float = 0.0,
    grid: Meter | float | None = None,
) -> None:
    """Write a piece atomically as the ending of `path` says.

    `texts` and `grid` (`midi.midi_bytes`) go into a MIDI file, `texts` also into MusicXML, `title` into these, scores
    and pictures, and a heading's composer into all but pictures. Where `grid` is a metre, scores and pictures have its
    bars too. `prompt_seconds` are shaded in a picture. Raises RequestError or MidiError for another ending, and where
    the file cannot be made.
    """
    require(path, (str, PathLike), "a file is named by its path, such as piece.mid")
    heading = Heading(title) if isinstance(title, str) else title
    kind, meter = Path(path).suffix.lower(), grid if isinstance(grid, Meter) else None
    if kind in MIDI:
        write_midi(path, notes, title=heading.title, texts=[*heading.composer_texts, *texts], grid=grid)
    elif kind in SOUNDS:
        from .audio import write_audio

        write_audio(path, notes)
    elif kind in SCORES:
        from .score import write_score

        write_score(path, notes, title=heading.title, composer=heading.composer, meter=meter, texts=texts)
    elif kind in PICTURES:
        from .roll import write_roll

        write_roll(path, notes, title=heading.title, prompt_seconds=prompt_seconds, meter=meter)
    else:
        raise RequestError(f"{path}: a piece is saved as {', '.join(ENDINGS)}, by the ending of its name")

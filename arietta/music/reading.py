"""A piece from a file of either kind, MIDI or MusicXML, told apart by what is in it and not by its name.

piece = read_piece("minuet.mxl")
piece.notes, piece.meter, piece.remarks
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .heading import UNKNOWN, Heading
from .meter import Meter
from .midi import read_meter, read_midi, read_midi_bytes, read_midi_remarks
from .notation import read_score
from .notation.document import LARGEST_FILE, is_score
from .notes import Notes


class ReadPiece(NamedTuple):
    """The notes of a file, the metre that it carries, if any, and what was merged or left out, in sentences.

    `heading` is a score's; of what MIDI files call their tracks nothing is taken.
    """

    notes: Notes
    meter: Meter | None
    remarks: tuple[str, ...]
    heading: Heading = UNKNOWN


def read_piece(path: str | Path) -> ReadPiece:
    """Read a file once, so that it may be a pipe; raises MidiError or ScoreError, naming it and the reason."""
    return read_piece_bytes(read_music_bytes(path), name=str(path))


def read_music_bytes(path: str | Path) -> bytes:
    """Read the bytes of a file of either kind, which `read_piece_bytes` reads; raises as `read_midi_bytes` does."""
    return read_midi_bytes(path, most=LARGEST_FILE)  # of scores, which may be larger than MIDI files


def read_piece_bytes(data: bytes, *, name: str | None = None) -> ReadPiece:
    """Read what a file of either kind holds; raises as `read_piece` does, and `name` stands for it in messages."""
    if is_score(data):
        score = read_score(data, name=name)
        return ReadPiece(score.notes, score.meter, score.remarks, score.heading)
    return ReadPiece(read_midi(data, name=name), read_meter(data, name=name), tuple(read_midi_remarks(data, name=name)))

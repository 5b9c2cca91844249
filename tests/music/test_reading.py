"""A file of either kind is read by what is in it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from arietta.errors import MidiError, ScoreError
from arietta.music.midi import write_midi
from arietta.music.notes import Notes
from arietta.music.reading import read_music_bytes, read_piece, read_piece_bytes
from tests.support.written import note, score


def test_a_score_is_known_by_its_content_and_brings_its_metre(tmp_path: Path) -> None:
    path = tmp_path / "minuet.mid"  # whatever it is called
    path.write_bytes(score([note("C4", 3)], [note("E4", 3)], beats=3))
    piece = read_piece(path)
    assert piece.notes.pitch.tolist() == [60, 64]
    assert piece.meter is not None and piece.meter.signatures[0].beats == 3
    assert piece.remarks == ("Parts were merged into one piano: Part 1, Part 2.",)


def test_a_midi_file_is_read_as_ever(tmp_path: Path) -> None:
    notes = Notes.of([0.0, 0.5], [0.4, 0.4], [60, 62], [64, 64])
    write_midi(tmp_path / "a.mid", notes)
    assert read_piece(tmp_path / "a.mid").notes == notes


def test_a_larger_score_than_a_midi_file_may_be_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.musicxml"
    path.write_bytes(score([note("C4", 4)]) + b"<!-- " + b"x" * 2**22 + b" -->")
    assert len(read_piece(path).notes) == 1
    assert len(read_piece_bytes(read_music_bytes(path)).notes) == 1


@pytest.mark.posix
def test_a_large_score_may_come_through_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    long = score([note("C4", 4)]) + b"<!-- " + b"x" * 2**22 + b" -->"
    writer = threading.Thread(target=pipe.write_bytes, args=[long], daemon=True)
    writer.start()
    assert len(read_piece(pipe).notes) == 1
    writer.join()


def test_what_is_neither_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "song.mid").write_bytes(b"la la la")
    with pytest.raises(MidiError, match=r"song\.mid: not a MIDI file"):
        read_piece(tmp_path / "song.mid")
    (tmp_path / "song.xml").write_bytes(b"<html/>")
    with pytest.raises(ScoreError, match=r"song\.xml: not MusicXML"):
        read_piece(tmp_path / "song.xml")

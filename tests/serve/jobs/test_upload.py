"""A stranger's MIDI file is read in a process of its own: what it gives, and what it may cost."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

import arietta.serve.jobs.upload as upload
from arietta.errors import RequestError
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import midi_bytes, read_meter, read_midi
from arietta.music.notes import Notes, first
from arietta.music.reading import ReadPiece
from tests.support.midi_bytes import midi, on, track
from tests.support.written import note, packed_score, score


def test_a_file_gives_its_first_notes_as_the_library_reads_them(waltz: Notes) -> None:
    file = midi_bytes(waltz)
    assert upload.read_upload(file, most_notes=5) == ReadPiece(first(read_midi(file), 5), None, ())
    assert upload.read_upload(file, most_notes=10_000).notes == first(read_midi(file), 10_000)


def test_the_metre_of_a_file_comes_with_its_notes_unless_it_is_none_that_a_piece_has(
    waltz: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),))
    file = midi_bytes(waltz, grid=meter)
    assert upload.read_upload(file, most_notes=5).meter == read_meter(file)
    monkeypatch.setattr("arietta.music.meter.MOST_MARKS", 0)
    assert upload.read_upload(file, most_notes=5).meter is None


@pytest.mark.parametrize(
    ("file", "sentence"), [(b"not a MIDI file", "the file: not a MIDI file"), (b"", "the file: the file is empty")]
)
def test_a_file_that_is_no_music_is_refused_in_the_readers_words(file: bytes, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        upload.read_upload(file, most_notes=5)


def test_a_file_of_drums_alone_is_refused_with_that_reason() -> None:
    with pytest.raises(
        RequestError, match=r"the file has no notes for a piano. Drums were left out: 1 note on channel 10"
    ):
        upload.read_upload(midi(track((0, on(36, channel=9)))), most_notes=5)


def test_a_file_that_takes_too_long_is_refused(waltz: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MOST_SECONDS", "MOST_WAIT"):
        with monkeypatch.context() as patch:
            patch.setattr(upload, limit, 0.01)
            with pytest.raises(RequestError, match=r"longer than 0\.01 seconds to read"):
                upload.read_upload(midi_bytes(waltz), most_notes=5)


def test_a_good_file_may_wait_for_a_busy_machine(waltz: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = [sys.executable, "-c", "import time; time.sleep(1.5)"]
    monkeypatch.setattr(upload, "MOST_SECONDS", 1)
    assert upload._run_watched(reader, midi_bytes(waltz)) == (0, b"", b"")


def test_the_reader_gets_no_more_memory_than_allowed(waltz: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "MOST_MEMORY", 2**23)  # less than an interpreter takes
    with pytest.raises(RequestError, match="too much memory"):
        upload.read_upload(midi_bytes(waltz), most_notes=5)


def test_a_score_is_read_with_its_metre_and_what_was_merged() -> None:
    piece = upload.read_upload(score([note("C4", 3)], [note("E4", 3)], beats=3), most_notes=1)
    assert piece.notes.pitch.tolist() == [60] and piece.meter is not None and piece.meter.signatures[0].beats == 3
    assert piece.remarks == ("Parts were merged into one piano: Part 1, Part 2.",)


def test_a_small_archive_that_fills_memory_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "MOST_MEMORY", 2**27)
    file = packed_score(16)
    assert len(file) < 2**16
    with pytest.raises(RequestError, match="too much memory"):
        upload.read_upload(file, most_notes=5)


def test_of_a_reader_that_is_ended_nothing_stays(waltz: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "MOST_SECONDS", 0.01)
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(RequestError):
        upload.read_upload(midi_bytes(waltz), most_notes=5)
    assert {child.pid for child in psutil.Process().children()} <= before


def test_the_reader_takes_no_module_from_the_folder_in_which_the_server_was_started(
    waltz: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("numpy", "resource", "zlib", "arietta"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken')\n")
    monkeypatch.chdir(tmp_path)
    assert len(upload.read_upload(midi_bytes(waltz), most_notes=5).notes) == 5

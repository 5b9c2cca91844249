"""Music comes from whatever holds it, and goes to the libraries that are installed, through the bytes of MIDI files."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest

import arietta
from arietta.errors import MidiError, RequestError
from arietta.generation.conversion import as_notes, convert
from arietta.music.midi import midi_bytes, read_midi, write_midi
from arietta.music.notes import Notes

LIBRARIES = {
    "mido": "MidiFile",
    "music21": "Score",
    "partitura": "Performance",
    "pretty_midi": "PrettyMIDI",
    "symusic": "ScoreTick",
}


def test_notes_takes_paths_and_bytes_are_music(waltz: Notes, tmp_path: Path, tiny_bundle: Path) -> None:
    write_midi(tmp_path / "theme.mid", waltz)
    read = read_midi(tmp_path / "theme.mid")
    take = arietta.compose(5, model=str(tiny_bundle), seed=1)
    assert as_notes(waltz) is waltz and as_notes(take) is take.notes
    assert as_notes(tmp_path / "theme.mid") == as_notes(str(tmp_path / "theme.mid")) == read
    assert as_notes(midi_bytes(waltz)) == as_notes(bytearray(midi_bytes(waltz))) == read
    with (tmp_path / "theme.mid").open("rb") as file:
        assert as_notes(file) == as_notes(io.BytesIO(midi_bytes(waltz))) == read
    with tempfile.NamedTemporaryFile() as file:  # no file to `io`, but around one
        file.write(midi_bytes(waltz))
        file.seek(0)
        assert as_notes(file) == read


def test_a_file_that_gives_no_bytes_is_refused() -> None:
    with pytest.raises(RequestError, match=r'opened to read bytes, as in open\("theme.mid", "rb"\), not <_io.StringIO'):
        as_notes(io.StringIO("MThd"))
    (closed := io.BytesIO()).close()
    with pytest.raises(RequestError, match="opened to read bytes"):
        as_notes(closed)


def test_a_part_of_another_librarys_piece_is_refused_with_what_a_whole_one_is() -> None:
    pretty_midi = pytest.importorskip("pretty_midi")
    with pytest.raises(RequestError, match=r"pretty_midi.Instrument is no whole piece: give one, such as a PrettyMIDI"):
        as_notes(pretty_midi.Instrument(0))


@pytest.mark.parametrize("source", [5, None, [60, 64], {"notes": 3}, np.zeros(1000)])
def test_anything_else_is_refused_with_what_music_is(source: object) -> None:
    with pytest.raises(RequestError, match=r"music is Notes, a take, the path, the bytes .*, or an object of mido, "):
        as_notes(source)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(MidiError, match=r"no-such\.mid"):
        as_notes("no-such.mid")
    with pytest.raises(MidiError, match=r"a MIDI file is named by its path, such as theme.mid, not ''"):
        as_notes("")


@pytest.mark.parametrize("library", LIBRARIES)
def test_notes_go_to_a_library_and_come_back(library: str, waltz: Notes) -> None:
    pytest.importorskip(library)
    there = convert(waltz, library)
    assert type(there).__name__ == LIBRARIES[library]
    back = as_notes(there)
    assert back.pitch.tolist() == waltz.pitch.tolist()
    assert np.allclose(back.onset, waltz.onset, atol=0.005) and np.allclose(back.duration, waltz.duration, atol=0.005)
    assert back.velocity.tolist() == waltz.velocity.tolist()
    if library != "music21":  # which knows no pedal
        assert np.allclose(back.pedal, waltz.pedal, atol=0.005)


def test_notes_that_overlap_on_no_grid_are_as_many_in_music21() -> None:
    pytest.importorskip("music21")
    # Struck 10 ms apart and held over each other: music21's own reader ties such notes into chords.
    played = Notes.of(np.arange(24) * 0.237, np.full(24, 0.61), 48 + np.arange(24) % 5 * 3, np.full(24, 60))
    assert len(as_notes(convert(played, "music21"))) == 24


def test_a_library_that_is_unknown_or_not_installed_is_a_sentence(
    waltz: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RequestError, match=r"notes can be converted to mido, music21, .*, not 'musescore'"):
        convert(waltz, "musescore")

    def refuse(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr("arietta.generation.conversion.import_module", refuse)
    with pytest.raises(RequestError, match="music21 is not installed: pip install music21"):
        convert(waltz, "music21")


@pytest.mark.filterwarnings("ignore")  # partitura warns of each step of its reader
def test_an_object_of_a_score_of_partitura_is_music_too(waltz: Notes, tmp_path: Path) -> None:
    partitura = pytest.importorskip("partitura")
    write_midi(tmp_path / "theme.mid", waltz)
    score = partitura.load_score_midi(str(tmp_path / "theme.mid"))
    assert as_notes(score).pitch.tolist() == waltz.pitch.tolist()

"""Music comes from whatever holds it, and goes to the libraries that are installed, through the bytes of MIDI files."""

from __future__ import annotations

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
    assert as_notes(midi_bytes(waltz)) == read


@pytest.mark.parametrize("source", [5, None, [60, 64], {"notes": 3}, np.zeros(1000)])
def test_anything_else_is_refused_with_what_music_is(source: object) -> None:
    with pytest.raises(RequestError, match=r"music is Notes, a take, the path of a MIDI file, or an object of mido, "):
        as_notes(source)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(MidiError, match=r"no-such\.mid"):
        as_notes("no-such.mid")


@pytest.mark.parametrize("library", LIBRARIES)
def test_notes_go_to_a_library_and_come_back(library: str, waltz: Notes) -> None:
    pytest.importorskip(library)
    there = convert(waltz, library)
    assert type(there).__name__ == LIBRARIES[library]
    back = as_notes(there)
    assert back.pitch.tolist() == waltz.pitch.tolist()
    # music21 puts what it reads on a grid of beats, and knows no pedal.
    tolerance = 0.1 if library == "music21" else 0.005
    assert np.allclose(back.onset, waltz.onset, atol=tolerance)
    if library != "music21":
        assert back.velocity.tolist() == waltz.velocity.tolist()
        assert np.allclose(back.pedal, waltz.pedal, atol=tolerance)


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

"""A piece is saved as the ending of its file's name says, and as nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from arietta.errors import RequestError
from arietta.music.midi import read_midi, read_texts
from arietta.music.notes import Notes
from arietta.render.formats import save_music

OPENINGS = {
    "mid": b"MThd",
    "midi": b"MThd",
    "wav": b"RIFF",
    "ogg": b"OggS",
    "flac": b"fLaC",
    "musicxml": b"<?xml",
    "pdf": b"%PDF",
    "svg": b"<svg",
    "png": b"\x89PNG",
}


@pytest.mark.parametrize("ending", [*OPENINGS, "MID", "Ogg"])
def test_each_ending_gives_its_kind_of_file(ending: str, waltz: Notes, tmp_path: Path) -> None:
    if ending == "pdf":
        pytest.importorskip("verovio")
    path = tmp_path / f"piece.{ending}"
    save_music(path, waltz, title="A waltz")
    assert path.read_bytes().startswith(OPENINGS[ending.lower()])


def test_a_midi_file_has_its_texts(waltz: Notes, tmp_path: Path) -> None:
    save_music(tmp_path / "piece.mid", waltz, texts=["made by hand"])
    assert read_texts(tmp_path / "piece.mid") == ["made by hand"]
    assert len(read_midi(tmp_path / "piece.mid")) == len(waltz)


def test_a_score_has_its_texts_too(waltz: Notes, tmp_path: Path) -> None:
    text = 'made by <hand> & "head"'
    save_music(tmp_path / "piece.musicxml", waltz, texts=[text, "again"])
    root = ET.fromstring((tmp_path / "piece.musicxml").read_text(encoding="utf-8"))
    fields = [field.text for field in root.iterfind("identification/miscellaneous/miscellaneous-field")]
    assert fields == [text, "again"]


@pytest.mark.parametrize("name", ["piece.aiff", "piece", ".mid"])
def test_another_ending_is_refused_with_those_that_there_are(name: str, waltz: Notes, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=rf"{name}: a piece is saved as \.mid, \.midi, \.wav, .*, by the ending"):
        save_music(tmp_path / name, waltz)
    assert not list(tmp_path.iterdir())


def test_a_midi_file_is_laid_under_the_grid_that_is_given(waltz: Notes, tmp_path: Path) -> None:
    save_music(tmp_path / "piece.mid", waltz, grid=90.0)
    assert (666_667).to_bytes(3, "big") in (tmp_path / "piece.mid").read_bytes()
    assert abs(read_midi(tmp_path / "piece.mid").onset - waltz.onset).max() <= 0.001

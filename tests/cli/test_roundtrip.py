"""`arietta roundtrip`: one file figure by figure, a folder by its spreads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta import codecs
from arietta.cli import main
from arietta.codecs.note import NoteCodec
from arietta.music.midi import write_midi
from arietta.music.notes import Notes

NOTE = NoteCodec()
SCALE = Notes.of(np.arange(8) * 0.2503, [0.1] * 8, range(60, 68), [64] * 8, pedal=[(0.0, 1.0)])


def test_a_file_is_shown_figure_by_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scale.mid"
    write_midi(path, SCALE)
    assert main(["roundtrip", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{path} through the note codec"
    figures = {" ".join(line.split()[:-1]): line.split()[-1] for line in lines[1:]}
    assert figures["notes"] == "8" and figures["lost otherwise"] == "0"
    assert figures["tokens per note"] == "1.500"
    assert float(figures["onset error, largest (ms)"]) <= 5


def test_another_codec_is_chosen_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scale.mid"
    write_midi(path, SCALE)
    assert main(["roundtrip", str(path), "--codec", "performance"]) == 0
    assert "through the performance codec" in capsys.readouterr().out
    assert main(["roundtrip", str(path), "--codec", "coarse"]) == 2
    assert "there are note, performance" in capsys.readouterr().err


def test_a_codec_of_ones_own_is_measured_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scale.mid"
    write_midi(path, SCALE)
    monkeypatch.setitem(codecs.CODECS, "coarse", codecs.PerformanceCodec)
    assert main(["roundtrip", str(path), "--codec", "coarse"]) == 0


def test_a_folder_is_summed_up_and_its_unreadable_files_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deeper").mkdir()
    write_midi(tmp_path / "one.mid", SCALE)
    write_midi(tmp_path / "deeper" / "two.mid", NOTE.quantise(SCALE))
    (tmp_path / "three.mid").write_bytes(b"")
    assert main(["roundtrip", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "2 of 3 files" in text and "three.mid" in text
    spread = next(line for line in text.splitlines() if "onset error, largest" in line).split()
    assert [float(value) for value in spread[-3:]] == pytest.approx([0.0, 0.0, 2.2], abs=0.3)


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "no MIDI files"), (b"", "none of its 1 MIDI files can be read")]
)
def test_a_folder_with_nothing_to_measure_is_an_error_of_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "empty.mid").write_bytes(content)
    assert main(["roundtrip", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and reason in captured.err and captured.err.count("\n") == 1


def test_a_file_that_is_not_there_is_an_error_of_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["roundtrip", str(tmp_path / "nothing.mid")]) == 2
    assert "nothing.mid: there is no such file" in capsys.readouterr().err

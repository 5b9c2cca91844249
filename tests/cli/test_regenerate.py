"""`arietta regenerate` writes a passage and nothing else, and refuses with exit 2, as all such verbs do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta.cli import main
from arietta.model.engine import OnnxEngine
from arietta.music.midi import midi_bytes, read_midi, write_midi
from arietta.music.notes import Notes
from tests.support.midi_bytes import midi, off, on, track


@pytest.fixture
def piece(tmp_path: Path) -> Path:
    onset = np.arange(60) * 0.25
    path = tmp_path / "piece.mid"
    write_midi(path, Notes.of(onset, np.full(60, 0.2), 50 + np.arange(60) % 24, np.full(60, 64), [(0.5, 2.9)]))
    return path


def test_a_passage_is_written_and_all_else_stays(
    piece: Path, filling_engine: OnnxEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", str(filling_engine.bundle.path)]
    out = piece.with_name("b.mid")
    words = ["regenerate", str(piece), "--from", "0:04", "--to", "0:08", "--keep", "50-61", "--seed", "3", *model]
    assert main([*words, "--density", "1@0,9@0:06", "-o", str(out)]) == 0
    assert "seed 3" in (text := capsys.readouterr().out) and ", surprise " in text and "nats per token" in text
    assert "the lower its surprise, the more a take is what the model expects." in text and str(out) in text
    before, after = read_midi(piece), read_midi(out)
    stays = (before.onset < 4) | (before.onset >= 8) | (before.pitch <= 61)
    kept = {(round(note.onset, 3), note.pitch) for note in (after[index] for index in range(len(after)))}
    chosen = [before[index] for index in np.flatnonzero(stays).tolist()]
    assert {(round(note.onset, 3), note.pitch) for note in chosen} <= kept
    first = out.read_bytes()
    assert main([*words, "--density", "1@0,9@0:06", "-o", str(out)]) == 0
    assert out.read_bytes() == first  # the same seed gives the same file
    assert main([*words, "--count", "2", "-o", str(piece.with_name("takes"))]) == 0
    assert len(list(piece.with_name("takes").glob("*.mid"))) == 2
    assert "the likeliest first" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--from", "0:20", "--to", "0:30"], "lies outside the piece, which has"),
        (["--from", "0:08", "--to", "0:04"], "not at 4 s where it begins at 8 s"),
        (["--from", "0:04", "--to", "0:04"], "a passage ends after it begins"),
        (["--from", "0", "--to", "1:00"], "compose a new one instead"),
        (["--from", "soon", "--to", "0:04"], "'soon' is no time"),
        (["--from", "1", "--to", "4", "--keep", "feet"], "choose left, right"),
        (["--from", "1", "--to", "4", "--keep", "400"], "numbered 0-59"),
        (["--from", "1", "--to", "4", "--density", "4@0:30,5@0:10"], "go back in time"),
        (["--from", "1", "--to", "4", "--key", "H minor"], "is no key"),
        (["--from", "1", "--to", "4", "--count", "0"], "--count must lie in 1-100"),
        (["--from", "1", "--to", "4", "--count", "2", "-o", "x.mid"], "need a folder"),
        (["--from", "1", "--to", "4", "-o", "piece.mid"], "would be lost"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_exit_2(
    words: list[str],
    reason: str,
    piece: Path,
    filling_engine: OnnxEngine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(piece.parent)
    before = piece.read_bytes()
    assert main(["regenerate", "piece.mid", *words, "--model", str(filling_engine.bundle.path)]) == 2
    assert reason in capsys.readouterr().err
    assert piece.read_bytes() == before and not list(piece.parent.glob("**/x.mid"))


def test_a_model_of_an_earlier_format_says_that_it_cannot(
    piece: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["regenerate", str(piece), "--from", "1", "--to", "4", "--model", str(tiny_bundle)]) == 2
    assert "cannot write passages of one: choose a newer model" in capsys.readouterr().err


def test_a_file_with_no_piano_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drums = tmp_path / "drums.mid"
    drums.write_bytes(midi(track((0, on(40, channel=9)), (480, off(40, channel=9)))))
    assert main(["regenerate", str(drums), "--from", "0", "--to", "1"]) == 2
    assert "drums.mid: has no notes to write anew" in capsys.readouterr().err
    (tmp_path / "empty.mid").write_bytes(midi_bytes(Notes.of([], [], [], [])))
    assert main(["accompany", str(tmp_path / "empty.mid")]) == 2
    assert "has no notes to accompany" in capsys.readouterr().err

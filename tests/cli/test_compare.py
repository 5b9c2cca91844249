"""`arietta compare`: two sets side by side, beside real music, and sets that are none refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.music.notes import stretch
from tests.support.corpora import make_store
from tests.support.tunes import tune, write

SPLITS = ("train",) * 10 + ("validation",) * 10 + ("test",) * 10


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pieces = [tune(seed, 60) for seed in range(len(SPLITS))]
    return make_store(tmp_path_factory.mktemp("made") / "corpus", pieces=pieces, splits=SPLITS).path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve tunes played three times as slowly, a file too short to count and one that is no MIDI file."""
    folder = tmp_path_factory.mktemp("takes")
    for seed in range(50, 62):
        write(folder / f"{seed}.mid", stretch(tune(seed, 60), 3.0))
    write(folder / "short.mid", tune(1, 10))
    (folder / "broken.mid").write_bytes(b"no MIDI")
    return folder


def test_a_folder_and_a_split_are_compared_beside_real_music(
    corpus: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(folder), f"{corpus}:test", "--reference", f"{corpus}:own/validation", "--notes", "50"]
    assert main(["compare", *words, "--json", str(tmp_path / "figures.json")]) == 0
    printed = capsys.readouterr()
    said = printed.out
    assert "(12 windows of 50 notes)" in said and "(10 windows)" in said
    assert "left out what cannot be read: broken.mid\n" in printed.err and "short.mid" not in printed.err
    assert "no Frechet distance: it needs 40 windows of 128 notes" in said
    assert "own/validation against" in said
    assert "inter onset" in said
    assert re.search(r"mean overlapped area 0\.\d{3} \(95 % \S+ to \S+\), real against real 0\.\d{3} \(95 %", said)
    assert "note count" not in said
    figures = json.loads((tmp_path / "figures.json").read_text())
    mean = figures["mean_overlap"]["found"]
    assert mean["interval"][0] <= mean["overlap"] <= mean["interval"][1]
    assert figures["found"]["inter_onset"]["overlap"] < 0.4 < figures["real"]["inter_onset"]["overlap"]
    assert figures["found"]["inter_onset"]["mean"] == pytest.approx(0.75, abs=0.1)


def test_without_more_real_music_the_second_sets_halves_stand_for_it(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", f"{corpus}:train", f"{corpus}", "--notes", "50"]) == 0
    assert "one half of" in capsys.readouterr().out


def test_the_same_sets_give_the_same_report(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", f"{corpus}:train", f"{corpus}:test", "--notes", "30"]
    assert main(words) == main(words) == 0
    said = capsys.readouterr().out
    assert said[: len(said) // 2] == said[len(said) // 2 :]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere", "CORPUS"], "nowhere"),
        (["CORPUS:elsewhere", "CORPUS"], "own/test, own/train, own/validation"),
        (["CORPUS:test", "CORPUS:train", "--notes", "100"], "0 pieces of 100 notes or more"),
        (["FOLDER", "CORPUS", "--notes", "5"], "--notes must lie in 16-100000, not 5"),
        (["FOLDER", "CORPUS", "--pieces", "2"], "--pieces must lie in 8-100000, not 2"),
    ],
)
def test_sets_that_are_none_are_refused_in_a_sentence(
    words: list[str], sentence: str, corpus: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [word.replace("CORPUS", str(corpus)).replace("FOLDER", str(folder)) for word in words]
    assert main(["compare", *named]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


def test_an_empty_folder_has_no_set(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path), str(corpus)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_frechet_distance_of_large_enough_sets_stands_beside_real_musics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tunes of the same make are hardly apart, the same tunes three times as slow very much."""
    tunes = [tune(seed, 130) for seed in range(120)]
    splits = ("train", "validation", "test") * 40
    pieces = [stretch(notes, 3.0) if split == "test" else notes for notes, split in zip(tunes, splits, strict=True)]
    corpus = make_store(tmp_path / "corpus", pieces=pieces, splits=splits).path
    words = ["compare", f"{corpus}:test", f"{corpus}:train", "--reference", f"{corpus}:validation", "--notes", "130"]
    assert main([*words, "--json", str(tmp_path / "figures.json")]) == 0
    assert "Frechet distance" in capsys.readouterr().out
    apart = json.loads((tmp_path / "figures.json").read_text())["frechet_distance"]
    assert apart["found"]["interval"][0] > 2 * apart["real"]["interval"][1]
    assert apart["real"]["interval"][0] < apart["real"]["distance"] < apart["real"]["interval"][1]


def test_halves_that_are_too_small_leave_real_musics_distance_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = make_store(tmp_path / "corpus", pieces=[tune(seed, 130) for seed in range(40)], splits=("test",) * 40).path
    assert main(["compare", str(corpus), str(corpus), "--notes", "130"]) == 0
    assert "real unknown: it needs 40 windows" in capsys.readouterr().out


def test_several_files_that_cannot_be_read_are_counted(
    corpus: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(8):
        write(tmp_path / f"{seed}.mid", tune(seed, 60))
    for name in ("one.mid", "two.mid", "three.mid"):
        (tmp_path / name).write_bytes(b"no MIDI")
    assert main(["compare", str(tmp_path), f"{corpus}:train", "--notes", "50"]) == 0
    assert " and 2 more\n" in capsys.readouterr().err

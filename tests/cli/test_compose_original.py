"""`arietta compose --original`: what borrows is composed again, and the command says so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.generation.request import Request
from arietta.model.bundle import INDEX
from arietta.music.midi import read_texts
from tests.support.indexes import knowing


@pytest.fixture(scope="module")
def knowing_two(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with an index of what seeds 7 and 107 give it."""
    requests = [Request(notes=100, seed=seed) for seed in (7, 107)]
    return knowing(tmp_path_factory.mktemp("knowing") / "tiny", tiny_bundle, *requests)


def compose(model: Path, *words: object) -> None:
    assert main(["compose", "--model", str(model), *map(str, words)]) == 0


def seed_in(path: Path) -> int:
    (text,) = [text for text in read_texts(path) if text.startswith("arietta")]
    seed: int = json.loads(text.removeprefix("arietta "))["seed"]
    return seed


def test_a_take_that_borrows_is_composed_again_and_said(
    knowing_two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compose(knowing_two, "--notes", 100, "--seed", 6, "--count", 2, "--original", "-o", tmp_path / "takes")
    told = capsys.readouterr().out.splitlines()
    for line, work, seeds in ((told[0], 0, (7, 107)), (told[1], 1, (107, 207))):
        sentence = rf"Seed {seeds[0]} shared \d+ notes with Nobody: Tune {work}: composed again with seed {seeds[1]}\."
        assert re.fullmatch(sentence, line)
    made = {seed_in(path): path for path in (tmp_path / "takes").iterdir()}
    assert {seed: path.name for seed, path in made.items()} == {
        seed: f"tiny-any-0100-notes-seed-{seed}.mid" for seed in (6, 207)
    }
    compose(knowing_two, "--notes", 100, "--seed", 207, "-o", tmp_path / "plain.mid")
    assert (tmp_path / "plain.mid").read_bytes() == made[207].read_bytes()


def test_the_same_call_gives_the_same_file(knowing_two: Path, tmp_path: Path) -> None:
    for name in ("one.mid", "two.mid"):
        compose(knowing_two, "--notes", 100, "--seed", 7, "--original", "-o", tmp_path / name)
    assert (tmp_path / "one.mid").read_bytes() == (tmp_path / "two.mid").read_bytes()


def test_without_the_wish_nothing_is_looked_up(knowing_two: Path, tmp_path: Path) -> None:
    compose(knowing_two, "--notes", 100, "--seed", 7, "-o", tmp_path / "piece.mid")
    assert seed_in(tmp_path / "piece.mid") == 7


def test_a_prompt_that_is_somebodys_is_kept(knowing_two: Path, tmp_path: Path) -> None:
    compose(knowing_two, "--notes", 100, "--seed", 7, "-o", tmp_path / "theme.mid")
    words = ["--notes", 60, "--seed", 3, "--prompt", tmp_path / "theme.mid", "-o", tmp_path / "on.mid"]
    compose(knowing_two, *words, "--original")
    assert seed_in(tmp_path / "on.mid") == 3


def test_another_index_may_be_named(tiny_bundle: Path, knowing_two: Path, tmp_path: Path) -> None:
    words = ["--original", "--index", knowing_two / INDEX]
    compose(tiny_bundle, "--notes", 100, "--seed", 7, *words, "-o", tmp_path / "piece.mid")
    assert seed_in(tmp_path / "piece.mid") == 207

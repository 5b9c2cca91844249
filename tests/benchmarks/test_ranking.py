"""The benchmark of the choice: groups of eight, what is held out, and the average of as many takes beside it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from arietta.corpus.store import Store
from arietta.evaluation.ranking import rank_takes
from arietta.music.notes import stretch
from tests.benchmarks.test_takes import printed, tunes_for_maestro
from tests.support.bundles import engine_of
from tests.support.tunes import tune


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    from benchmarks.quality import ranking as bench_choose

    monkeypatch.setattr(bench_choose, "DRAWS", 4)
    return bench_choose


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return tunes_for_maestro(tmp_path / "corpus")


def test_of_each_group_two_are_chosen_as_the_library_does(bench: ModuleType, store: Store, tiny_bundle: Path) -> None:
    groups = bench.compose_groups(store, engine_of(tiny_bundle), "maestro", 2, 110)
    assert [len(group) for group in groups] == [8, 8]
    for group in groups:
        (style,) = {one.take.request.style for one in group}
        assert style in ("Edvard Grieg", "Frédéric Chopin")
        takes = sorted((one.take for one in group), key=lambda take: take.request.seed)
        assert [one.take.request.seed for one in rank_takes(takes, 2)] == [one.take.request.seed for one in group]
        assert sum(one.is_chosen for one in group) == 2


def is_quick(one: Any) -> bool:
    return bool(one.measured["inter_onset"][0] < 0.5)


def test_what_is_nearer_in_what_was_held_out_shows_as_a_gain(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two of each eight are played as the real ones are, the others much more slowly."""
    real = [bench.hold_out(tune(seed, 150)) for seed in range(8)]
    near = [[bench.hold_out(tune(100 + 8 * group + place, 150)) for place in range(2)] for group in range(3)]
    far = [
        [bench.hold_out(stretch(tune(200 + 8 * group + place, 150), 4.0)) for place in range(6)] for group in range(3)
    ]
    groups = [one + other for one, other in zip(near, far, strict=True)]
    monkeypatch.setattr(bench, "_overlap", lambda pieces, _: float(np.mean([is_quick(piece) for piece in pieces])))
    bench.print_gain("made", bench.Groups(groups, [[True] * 2 + [False] * 6] * 3), real, real)
    found = printed(capsys)
    apart: Any = found["choose/distance/made"]
    assert apart["chosen"] < apart["all"] < apart["rejected"]
    assert 0 < apart["gain_95"][0] <= apart["gain"] <= apart["gain_95"][1]
    assert apart["gain"] == pytest.approx(apart["all"] - apart["chosen"], rel=0.01)
    overlap = found["choose/set/overlap, made"]
    assert (overlap["chosen"], overlap["rejected"], overlap["of_real_music"]) == (1, 0, 1)
    assert overlap["drawn_95"][0] <= overlap["drawn"] <= overlap["drawn_95"][1] < 1 == overlap["draws_below"]
    frechet = found["choose/set/frechet, made"]
    assert frechet["of_real_music"] == pytest.approx(0, abs=1e-6)


def test_nothing_that_the_score_is_made_of_is_held_out(bench: ModuleType) -> None:
    piece = bench.hold_out(tune(1, 200))
    assert not {"scale_consistency", "key_clarity", "note_count"} & set(piece.measured)
    assert {"inter_onset", "groove", "velocity", "pitch_class_steps"} <= set(piece.measured)
    assert bench.distances_from([piece, bench.hold_out(tune(2, 200))])(piece) <= 1.0 + 1e-9


def test_as_many_are_drawn_of_each_group_as_are_chosen(bench: ModuleType) -> None:
    drawn = bench._drawn([["a", "b", "c"], ["d", "e"]], np.random.default_rng(0))
    assert len(drawn) == 4 and set(drawn[2:]) == {"d", "e"} and len(set(drawn)) == 4


def test_it_prints_a_line_a_case(
    bench: ModuleType,
    store: Store,
    tiny_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--corpus", str(store.path), "--model", str(tiny_bundle), "--takes", "16", "--notes", "130"]
    monkeypatch.setattr(sys, "argv", ["ranking.py", *words])
    monkeypatch.setattr(bench, "open_store", lambda path: store)
    bench.main()
    found = printed(capsys)
    name, kinds = "tiny, maestro test, 130 notes", ("score/", "distance/", "set/overlap, ", "set/frechet, ")
    assert list(found) == [f"choose/{kind}{name}" for kind in kinds]
    score = found[f"choose/score/{name}"]
    assert score["takes"] == 16 and score["chosen"] >= score["all"]

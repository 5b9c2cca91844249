"""The benchmark of takes: real windows and takes of equal lengths, loops counted as composing counts them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from arietta.corpus.store import Store
from arietta.generation.batch import generate_all
from arietta.generation.request import Request, Take
from arietta.model.bundle import load_bundle
from arietta.model.sampling import MODEL_DEFAULTS
from arietta.music.loops import LOOP_REPEATS
from arietta.music.notes import Notes, excerpt
from tests.music.test_loops import pattern
from tests.support.bundles import engine_of
from tests.support.corpora import make_store
from tests.support.engines import Wilful, hammering
from tests.support.tunes import play_all, tune

SPLITS = ("train", "validation", "test") * 5


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    from benchmarks.quality import takes as bench_takes

    return bench_takes


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return tunes_for_maestro(tmp_path / "corpus")


def tunes_for_maestro(folder: Path) -> Store:
    """Fifteen tunes of 100 to 240 notes, five on each side of a corpus that goes by that name."""
    made = make_store(folder, pieces=[tune(seed, 100 + 10 * seed) for seed in range(15)], splits=SPLITS)
    return Store(made.path, [replace(one, corpus="maestro") for one in made.pieces], made.fingerprint, made._columns)


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {line["name"]: line for line in lines}


@pytest.mark.parametrize(("more", "found"), [(0, (False, False)), (1, (True, False)), (2, (True, True))])
def test_eight_turns_are_told_from_more(bench: ModuleType, more: int, found: tuple[bool, bool]) -> None:
    """The first onset's interval is that of what came before, so that the eighth turn is full one note later."""
    turning = excerpt(pattern([40, 44, 47], LOOP_REPEATS + 1), 0, 3 * LOOP_REPEATS + more)
    assert bench.looping(play_all(tune(1, 20), turning, tune(2, 20))) == found
    assert bench.looping(tune(1, 40)) == (False, False)


@pytest.fixture
def hammer(bench: ModuleType, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let everything be composed by what strikes one key for ever."""
    engine = Wilful(load_bundle(tiny_bundle), hammering(20, 40))

    def compose_alone(requests: list[Request], engine: Any, *, is_guarded: bool = True) -> list[Take]:
        return [next(generate_all([request], engine, is_guarded=is_guarded)) for request in requests]

    monkeypatch.setattr(bench, "compose_all", compose_alone)
    return engine


def test_loops_are_told_of_takes_with_and_without_the_guard_and_of_real_windows(
    bench: ModuleType, store: Store, hammer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.print_loops(store, hammer, 50, 4, MODEL_DEFAULTS)
    real, guarded, free = printed(capsys).values()
    assert real["name"] == "takes/loops/maestro test, 50 notes" and real["eight_times"] == 0
    assert real["windows"] == sum(one.notes // 50 for one in store.pieces if one.split == "test")
    assert (guarded["eight_times"], guarded["over_eight_times"]) == (1, 0)
    assert (free["eight_times"], free["over_eight_times"]) == (1, 1)
    assert free["over_eight_times_interval_95"] == pytest.approx([0.5101, 1.0], abs=1e-4)
    bench.print_loops(store, hammer, 50, 1, MODEL_DEFAULTS)
    assert list(printed(capsys).values())[1] == guarded | {  # the guard hears again
        "windows": 1,
        "eight_times_interval_95": pytest.approx([0.2065, 1.0], abs=1e-4),
        "over_eight_times_interval_95": pytest.approx([0.0, 0.7935], abs=1e-4),
    }


def test_overlap_is_told_beside_real_music_and_measure_by_measure(
    bench: ModuleType, store: Store, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.print_overlap(store, engine_of(tiny_bundle), ("maestro", "test"), 60, MODEL_DEFAULTS)
    found = printed(capsys)
    name = "tiny, maestro test, 60 notes"
    whole, measures = found.pop(f"takes/overlap/{name}"), list(found.values())
    assert (whole["takes"], whole["windows"]) == (5, 5)
    assert whole["ratio"] == pytest.approx(whole["overlap"] / whole["of_real_music"], rel=0.01)
    assert whole["overlap"] < whole["of_real_music"]  # random weights make no tunes
    mean = sum(line["overlap"] for line in measures) / len(measures)
    assert whole["overlap"] == pytest.approx(mean, abs=1e-3)
    assert all(line["name"].startswith(f"takes/measure/{name}/") for line in measures)


def test_takes_are_asked_for_in_the_style_of_each_piece_where_it_is_known(
    bench: ModuleType, store: Store, tiny_bundle: Path
) -> None:
    pieces = [replace(store.pieces[0], composer=name) for name in ("Edvard Grieg", "Nobody", "Frédéric Chopin")]
    requests = bench.matched(pieces, load_bundle(tiny_bundle), 40)
    assert [request.style for request in requests] == ["Edvard Grieg", "none", "Frédéric Chopin"]
    assert [request.seed for request in requests] == [0, 1, 2]


def test_an_interval_of_a_share_is_that_of_wilson(bench: ModuleType) -> None:
    from benchmarks.shared.report import wilson

    assert wilson(0, 1000) == pytest.approx((0.0, 0.00383), abs=1e-5)  # by hand: z² / (n + z²)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(10, 10)[1] == 1.0 and wilson(0, 0) == (0.0, 1.0)


def test_limits_are_those_of_stretches_of_64_notes(
    bench: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "CORPORA", ("maestro",))
    bench.print_limits(tunes_for_maestro(tmp_path / "more"))
    (line,) = printed(capsys).values()
    assert line["stretches"] == sum(100 + 10 * seed - 64 for seed in range(15) if SPLITS[seed] == "validation")
    assert line["longest_gap"] > line["shortest_median"] > 0 and line["notes_per_second"] > 1


def test_an_ending_is_slower_lower_and_on_the_tonic_or_not(bench: ModuleType) -> None:
    count = np.arange(81)
    onset = np.where(count < 65, count * 0.2, 13 + (count - 65) * 0.4)
    pitch = np.array([60, 64, 67, 72])[count % 4]
    pitch[-1] = 48
    closing = Notes.of(onset, np.full(81, 0.2), pitch, np.full(81, 64))
    assert bench.ending(closing) == (True, True, True)
    pitch[-1] = 86
    open_ended = Notes.of(count * 0.2, np.full(81, 0.2), pitch, np.full(81, 64))
    assert bench.ending(open_ended)[2] is False


def test_endings_are_told_with_and_without(
    bench: ModuleType, store: Store, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.print_endings(store, engine_of(tiny_bundle), ("maestro", "validation"), 90, 2, MODEL_DEFAULTS)
    names = list(printed(capsys))
    assert names == [
        f"takes/endings/{name}"
        for name in ("maestro validation", "tiny, 90 notes", "tiny, 90 notes, without an ending")
    ]

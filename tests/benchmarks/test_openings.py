"""The benchmark of openings: windows in one place, its figures, composers in turn, and a row for each setting."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from arietta.corpus.store import Store
from arietta.music.notes import Notes, window
from tests.support.bundles import engine_of
from tests.support.corpora import make_store
from tests.support.tunes import tune

SPLITS = ("train", "validation", "test") * 5


@pytest.fixture
def bench() -> ModuleType:
    from benchmarks.quality import openings

    return openings


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Fifteen tunes of 140 to 280 notes, by two composers, five on each side."""
    made = make_store(tmp_path / "corpus", pieces=[tune(seed, 140 + 10 * seed) for seed in range(15)], splits=SPLITS)
    names = ("Edvard Grieg", "Frédéric Chopin")
    pieces = [replace(piece, corpus="maestro", composer=names[number % 2]) for number, piece in enumerate(made.pieces)]
    return Store(made.path, pieces, made.fingerprint, made._columns)


def test_figures_of_a_window_are_those_by_hand(bench: ModuleType) -> None:
    onset = np.array([0, 0.01, 0.5, 1.0, 1.5, 5.0, 5.5, 6.0])
    notes = Notes.of(onset, np.full(8, 0.2), [60, 64, 60, 62, 64, 61, 60, 62], np.full(8, 64))
    found = bench.figures(notes)
    assert found["notes_per_second"] == pytest.approx(8 / 6) and found["onset_gap"] == pytest.approx(0.5)
    assert found["diatonic"] == pytest.approx(7 / 8) and found["pitches"] == 4
    assert found["long_gaps"] == 1 and found["loops"] == 0


def test_what_returns_is_the_same_pitches_in_the_same_order(bench: ModuleType) -> None:
    def scale(pitches: list[int]) -> Notes:
        count = np.arange(len(pitches))
        return Notes.of(count * 0.25, np.full(len(count), 0.2), pitches, np.full(len(count), 64))

    melody = [60, 62, 64, 65, 67, 69]
    assert bench.returns(scale(melody * 2)) == pytest.approx(1 / 7)
    assert bench.returns(scale(melody + [pitch + 1 for pitch in melody])) == 0


def test_a_real_window_is_at_its_place_and_knows_its_composer(bench: ModuleType, store: Store) -> None:
    pieces = [piece for piece in store.pieces if piece.split == "test"]
    windows = bench.read_windows(store, pieces, 20, 130)
    assert windows.windows[0] == window(store.notes(pieces[0].index), 20, 150)
    assert len(windows.windows) == 5 and set(windows.composers) == {"Edvard Grieg", "Frédéric Chopin"}
    assert set(windows.only(["Edvard Grieg"]).composers) == {"Edvard Grieg"}


def test_takes_go_on_as_long_pieces_do_with_composers_in_turn(bench: ModuleType, tiny_bundle: Path) -> None:
    styles = ["Edvard Grieg", "Frédéric Chopin"]
    composed = bench.compose_windows(engine_of(tiny_bundle), styles, 3, (10, 30))
    assert [len(notes) for notes in composed.windows] == [30] * 3
    assert list(composed.composers) == [*styles, "Edvard Grieg"]


def test_each_composer_counts_alike_among_the_recognised(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "known_composers", lambda: ("Grieg", "Chopin"))
    monkeypatch.setattr(bench, "predict_composers", lambda notes, most: [("Grieg", 0.6), ("Chopin", 0.4)])
    windows = bench.WindowSet([tune(1, 130)] * 4, ["Grieg", "Chopin", "Chopin", "Nobody"])
    found = bench.recognised(windows)
    assert (found["first"], found["of_three"], found["composers"]) == (0.5, 1.0, 2)


def test_there_is_a_row_of_real_music_and_one_for_each_setting(
    bench: ModuleType,
    store: Store,
    tiny_bundle: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bench, "open_store", lambda path: store)
    words = ["--corpus", "c", "--model", str(tiny_bundle), "--on", "maestro", "--takes", "4", "--notes", "130"]
    monkeypatch.setattr(sys, "argv", ["openings", *words, "--top-p", "0.9", "time=0.98", "--guidance", "1"])
    bench.main()
    rows: dict[str, Any] = {}
    for line in capsys.readouterr().out.splitlines():
        row = json.loads(line)
        rows[row["name"]] = row
    assert list(rows) == [
        "openings/maestro validation, 130 notes from 0",
        "openings/tiny, 130 notes from 0, top-p 0.9, guidance 1.0",
        "openings/tiny, 130 notes from 0, top-p {'time': 0.98}, guidance 1.0",
    ]
    real, *takes = rows.values()
    assert real["windows"] == 5 and all(row["windows"] == 4 for row in takes)
    assert all(row["frechet"] > real["frechet"] for row in takes)  # random weights make no tunes

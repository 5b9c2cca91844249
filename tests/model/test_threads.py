"""The number of threads that is measured: never one that gives other bytes, and only one that pays."""

from __future__ import annotations

from pathlib import Path

import pytest

from arietta.model import threads
from arietta.model.bundle import find_bundle, list_bundles, load_bundle
from arietta.model.threads import fastest_threads


@pytest.mark.parametrize("name", sorted(list_bundles()))
def test_a_shipped_model_composes_the_same_bytes_on_two_threads(name: str) -> None:
    bundle = load_bundle(find_bundle(name))
    alone, _ = threads._try(bundle, 1)
    assert threads._try(bundle, 2)[0] == alone
    assert len(alone) > 1000


@pytest.mark.parametrize(
    ("processors", "measured", "best"),
    [
        (4, {1: (b"same", 1.0), 2: (b"same", 0.6), 4: (b"same", 0.4)}, 4),
        (4, {1: (b"same", 1.0), 2: (b"same", 0.6), 4: (b"same", 0.55)}, 2),
        (4, {1: (b"same", 1.0), 2: (b"other", 0.1), 4: (b"same", 0.5)}, 4),
        (2, {1: (b"same", 1.0), 2: (b"same", 0.95)}, 1),
        (2, {1: (b"same", 1.0), 2: (b"other", 0.1)}, 1),
        (1, {1: (b"same", 1.0)}, 1),
    ],
)
def test_more_threads_are_taken_where_they_pay_and_give_the_same_bytes(
    tiny_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    processors: int,
    measured: dict[int, tuple[bytes, float]],
    best: int,
) -> None:
    monkeypatch.setattr(threads, "_processors", lambda: processors)
    monkeypatch.setattr(threads, "_try", lambda bundle, count: measured[count])
    assert fastest_threads(load_bundle(tiny_bundle)) == best

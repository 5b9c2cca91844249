"""Planted copies: a passage of one piece is set into another, often changed, and the index should find it there.

What an index of passages finds is measured with them, when it is built and by benchmarks/quality/originality.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..music.notes import Notes, excerpt, join, stretch
from ..music.windows import Read, draw_window
from .index import PassageIndex
from .search import find_passages

LENGTHS = (50, 100, 200)  # notes of a planted copy
AROUND = 200  # notes of the other piece before it, and as many after it
GRACE = 0.06  # seconds by which an ornament comes before its note


@dataclass(frozen=True)
class Detection:
    """How well an index detects planted copies.

    `recall` is the share of the copies of which half or more was found under the right work; `precision` is the share
    of the passages reported there that name the right work, 1 where nothing was reported.
    """

    recall: float
    precision: float

    def describe(self) -> dict[str, float]:
        """Return the figures under the names that an index's description stores them by."""
        return {"found": self.recall, "right": self.precision}


@dataclass(frozen=True)
class _Planted:
    """Music of the work `host` in which the notes `span` [start, stop) are a copy from the work `source`."""

    notes: Notes
    span: tuple[int, int]
    source: str
    host: str


def copy_exactly(notes: Notes, rng: np.random.Generator) -> Notes:
    """Return the notes as they are, which every index should find."""
    return notes


def copy_transposed(notes: Notes, rng: np.random.Generator) -> Notes:
    """Move by up to five semitones, within the range of MIDI."""
    semitones = int(rng.integers(1, 6)) * (1 if notes.pitch.min(initial=64) < 10 or rng.random() < 0.5 else -1)
    return _with_pitches(notes, notes.pitch.astype(np.int64) + semitones)


def copy_stretched(notes: Notes, rng: np.random.Generator) -> Notes:
    """Play at four fifths or five quarters of the time."""
    return stretch(notes, float(rng.choice([0.8, 1.25])))


def copy_changed(share: float) -> Callable[[Notes, np.random.Generator], Notes]:
    """Make a kind of copy that moves this share of the notes by one to four semitones."""

    def change(notes: Notes, rng: np.random.Generator) -> Notes:
        moved = rng.choice([-4, -3, -2, -1, 1, 2, 3, 4], len(notes)) * (rng.random(len(notes)) < share)
        return _with_pitches(notes, notes.pitch.astype(np.int64) + moved)

    return change


def copy_ornamented(notes: Notes, rng: np.random.Generator) -> Notes:
    """Set a grace note, one or two semitones away, before every tenth note."""
    chosen = np.flatnonzero(rng.random(len(notes)) < 0.1)
    pitch = np.clip(notes.pitch[chosen] + rng.choice([-2, -1, 1, 2], len(chosen)), 0, 127)
    onset = np.maximum(notes.onset[chosen] - GRACE, 0.0)
    return Notes.of(
        np.append(notes.onset, onset),
        np.append(notes.duration, np.full(len(chosen), GRACE)),
        np.append(notes.pitch, pitch),
        np.append(notes.velocity, notes.velocity[chosen]),
    )


COPY_KINDS: Mapping[str, Callable[[Notes, np.random.Generator], Notes]] = {
    "exact": copy_exactly,
    "transposed": copy_transposed,
    "stretched": copy_stretched,
    "10 % changed": copy_changed(0.1),
    "20 % changed": copy_changed(0.2),
    "ornamented": copy_ornamented,
}


def measure_recall(
    index: PassageIndex, read: Read, *, copies: int = 100, lengths: Sequence[int] = LENGTHS, seed: int = 0
) -> dict[str, dict[int, Detection]]:
    """Plant copies of every kind and length; `read(i)` gives the notes of `index.pieces[i]`. {kind: {length: ...}}.

    Lengths for which the corpus has too few long pieces are left out.
    """
    measured: dict[str, dict[int, Detection]] = {}
    for kind in COPY_KINDS:
        for length in lengths:
            rng = np.random.default_rng(seed)  # the same passages for every kind
            long_enough = [n for n, piece in enumerate(index.pieces) if piece.notes >= max(length, 2 * AROUND)]
            if len({index.pieces[n].work for n in long_enough}) < 2:
                continue  # a copy is set into another work: into its own it would be no copy
            planted = (_plant_copy(index, read, long_enough, (kind, length), rng) for _ in range(copies))
            measured.setdefault(kind, {})[length] = _detect_copies(index, planted)
    return measured


def _plant_copy(
    index: PassageIndex, read: Read, choices: Sequence[int], form: tuple[str, int], rng: np.random.Generator
) -> _Planted:
    kind, length = form
    source = host = int(rng.choice(choices))
    while index.pieces[host].work == index.pieces[source].work:
        host = int(rng.choice(choices))
    copied = COPY_KINDS[kind](draw_window(read(source), length, rng, cut=excerpt), rng)
    notes, span = plant(copied, draw_window(read(host), 2 * AROUND, rng, cut=excerpt))
    return _Planted(notes, span, index.pieces[source].work, index.pieces[host].work)


def _detect_copies(index: PassageIndex, planted: Iterable[_Planted]) -> Detection:
    copies = detected = correct = reported = 0
    for copy in planted:
        start, stop = copy.span
        copies, shared = copies + 1, 0
        for passage in find_passages(copy.notes, index, exclude_work=copy.host).passages:
            inside = min(passage.stop, stop) - max(passage.start, start)
            if 2 * inside <= passage.stop - passage.start:
                continue  # it lies mostly in the host's music, and says nothing of the copy
            reported += 1
            if passage.piece.work == copy.source:
                correct += 1
                shared += inside
        detected += 2 * shared >= stop - start
    return Detection(detected / copies, correct / reported if reported else 1.0)


def plant(copied: Notes, around: Notes) -> tuple[Notes, tuple[int, int]]:
    """Set a copy into the middle of other music: the whole, and the copy's first note and the one after its last."""
    middle = len(around) // 2
    before, after = excerpt(around, 0, middle), excerpt(around, middle, len(around))
    return join(join(before, copied, gap=0.3), after, gap=0.3), (middle, middle + len(copied))


def _with_pitches(notes: Notes, pitch: NDArray[np.int64]) -> Notes:
    return Notes.of(notes.onset, notes.duration, np.clip(pitch, 0, 127), notes.velocity)

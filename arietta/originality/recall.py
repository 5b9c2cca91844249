"""Planted copies: a passage of one piece set into another, spoiled on the way, and whether it is found there.

What an index of passages finds is measured with them, when it is built and by benchmarks/quality/originality.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..music.notes import Notes, excerpt, join, stretch
from ..music.windows import Read, draw_window
from .index import PassageIndex
from .search import Overlap, find_passages

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


def copy_exactly(notes: Notes, rng: np.random.Generator) -> Notes:
    return notes


def copy_transposed(notes: Notes, rng: np.random.Generator) -> Notes:
    """Move by up to five semitones, within the range of MIDI."""
    semitones = int(rng.integers(1, 6)) * (1 if notes.pitch.min(initial=64) < 10 or rng.random() < 0.5 else -1)
    return _with_pitches(notes, notes.pitch.astype(np.int64) + semitones)


def copy_stretched(notes: Notes, rng: np.random.Generator) -> Notes:
    """Play at four fifths or five quarters of the time."""
    return stretch(notes, float(rng.choice([0.8, 1.25])))


def copy_changed(share: float) -> Callable[[Notes, np.random.Generator], Notes]:
    """Give a spoiler that moves this share of the notes by one to four semitones."""

    def spoil(notes: Notes, rng: np.random.Generator) -> Notes:
        moved = rng.choice([-4, -3, -2, -1, 1, 2, 3, 4], len(notes)) * (rng.random(len(notes)) < share)
        return _with_pitches(notes, notes.pitch.astype(np.int64) + moved)

    return spoil


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
            usable = [place for place, piece in enumerate(index.pieces) if piece.notes >= max(length, 2 * AROUND)]
            if len({index.pieces[place].work for place in usable}) < 2:
                continue
            measured.setdefault(kind, {})[length] = _detect_copies(index, read, usable, (kind, length, copies), rng)
    return measured


def _detect_copies(
    index: PassageIndex, read: Read, usable: Sequence[int], what: tuple[str, int, int], rng: np.random.Generator
) -> Detection:
    kind, length, copies = what
    found = right = reported = 0
    for _ in range(copies):
        source, host = _two_works(index, usable, rng)
        copied = COPY_KINDS[kind](draw_window(read(source), length, rng, cut=excerpt), rng)
        around = draw_window(read(host), 2 * AROUND, rng, cut=excerpt)
        planted, span = plant(copied, around)
        named = _named_there(find_passages(planted, index, exclude_work=index.pieces[host].work), span)
        work = index.pieces[source].work
        found += sum(notes for name, notes in named if name == work) * 2 >= span[1] - span[0]
        right += sum(name == work for name, _ in named)
        reported += len(named)
    return Detection(found / copies, right / reported if reported else 1.0)


def plant(copied: Notes, around: Notes) -> tuple[Notes, tuple[int, int]]:
    """Set a copy into the middle of other music: the whole, and the copy's first note and the one after its last."""
    middle = len(around) // 2
    before, after = excerpt(around, 0, middle), excerpt(around, middle, len(around))
    return join(join(before, copied, gap=0.3), after, gap=0.3), (middle, middle + len(copied))


def _two_works(index: PassageIndex, usable: Sequence[int], rng: np.random.Generator) -> tuple[int, int]:
    source = host = int(rng.choice(usable))
    while index.pieces[host].work == index.pieces[source].work:
        host = int(rng.choice(usable))
    return source, host


def _named_there(likeness: Overlap, span: tuple[int, int]) -> list[tuple[str, int]]:
    """The works of the passages that lie mostly within `span`, and how many of its notes each has."""
    named = []
    for passage in likeness.passages:
        inside = min(passage.stop, span[1]) - max(passage.start, span[0])
        if 2 * inside > passage.stop - passage.start:
            named.append((passage.piece.work, inside))
    return named


def _with_pitches(notes: Notes, pitch: NDArray[np.int64]) -> Notes:
    return Notes.of(notes.onset, notes.duration, np.clip(pitch, 0, 127), notes.velocity)

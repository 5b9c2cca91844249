"""What real music is like: percentiles of every figure over windows of held-out pieces, shipped as numbers only.

    for reference in references(300): reference.corpus, reference.figures["polyphony"]

`reference.json` holds them, for windows of 300 and of 1,000 notes from MAESTRO (measured on the instrument) and
GiantMIDI-Piano (transcribed from recordings), validation and test. `python -m release.reference --corpus corpus`
writes it. How likely a model finds the same windows is known for the bundles whose fingerprints it lists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..music.notes import Notes, window

FILE = Path(__file__).parent / "reference.json"
PERCENTILES = (5, 25, 50, 75, 95)
WINDOWS = (300, 1000)  # notes; many figures depend on the length, so only windows as long are comparable
SHORTEST = 100  # notes that may be held against windows of 300
MOST_WINDOWS = 5  # of a long piece, evenly spread
NATS = "nats_per_note"
TITLES = {"maestro": "MAESTRO", "giantmidi": "GiantMIDI-Piano"}

Band = tuple[float, ...]  # at PERCENTILES


@dataclass(frozen=True)
class Reference:
    """Windows of one corpus: `figures` by name at PERCENTILES, and the mean number of loops per window."""

    corpus: str
    notes: int
    windows: int
    loops: float
    figures: Mapping[str, Band]

    @property
    def title(self) -> str:
        return TITLES.get(self.corpus, self.corpus)


def references(note_count: int, bundle: str | None = None) -> list[Reference]:
    """Return what is known of windows of `note_count` notes, MAESTRO first; nothing of lengths not in WINDOWS.

    The likelihood under the bundle of that fingerprint is among the figures where it was measured.
    """
    description = _read()
    nats = description["models"].get(bundle, {}).get("bands", {})
    known = []  # in the order of the file, MAESTRO first
    for measured in description["sets"]:
        if measured["notes"] == note_count:
            key = set_name(measured["corpus"], note_count)
            figures = measured["figures"] | ({NATS: nats[key]} if key in nats else {})
            bands = {name: tuple(band) for name, band in figures.items()}
            known.append(Reference(measured["corpus"], note_count, measured["windows"], measured["loops"], bands))
    return known


def set_name(corpus: str, note_count: int) -> str:
    """Name a set of windows as the file does: maestro/300."""
    return f"{corpus}/{note_count}"


def nearest_window(note_count: int) -> int:
    """Return the length of window, of WINDOWS, that is nearest to a piece's."""
    # Nearest by ratio: the border lies at 548 notes, not at 650.
    return min(WINDOWS, key=lambda size: abs(float(np.log(size / max(note_count, 1)))))


@dataclass(frozen=True)
class Window:
    """A part of a piece that is as long as real music's windows; it begins at `begin` seconds of the piece."""

    notes: Notes
    begin: float


@dataclass(frozen=True)
class Sample:
    """The figures by which a piece is held against real music's windows of `notes` notes.

    Those of the piece itself, or the medians of `count` windows of it where it is longer.
    """

    notes: int
    count: int
    figures: Mapping[str, float]

    @classmethod
    def of(cls, note_count: int, figures: Sequence[Mapping[str, float]]) -> Sample:
        """Take the medians of the figures that all windows have."""
        names = [name for name in figures[0] if all(name in window for window in figures)]
        medians = {name: float(np.median([window[name] for window in figures])) for name in names}
        return cls(note_count, len(figures), medians)


def sample_windows(notes: Notes) -> list[Window]:
    """Cut windows about as long as real music's, evenly spread: at most 5, the piece itself if it is no longer.

    There are none of a piece of fewer than 100 notes, which is too short to be held against windows of 300.
    """
    if len(notes) < SHORTEST:
        return []
    size = nearest_window(len(notes))
    count = round(len(notes) / size)
    if count < 2:
        return [Window(notes, 0.0)]
    starts = np.unique(np.linspace(0, len(notes) - size, min(count, MOST_WINDOWS)).astype(int)).tolist()
    return [Window(window(notes, start, start + size), float(notes.onset[start])) for start in starts]


def is_inside(value: float, band: Band) -> bool:
    """Whether a value lies between the 5th and the 95th percentile of real windows, as nine of ten of them do."""
    return band[0] <= value <= band[-1]


def rank_words(value: float, band: Band) -> str:
    """Say where a value lies among the windows of a corpus."""
    if not is_inside(value, band):
        return "lower than 95 %" if value < band[0] else "higher than 95 %"
    if band[1] <= value <= band[3]:
        return "in the middle half"
    return "low" if value < band[1] else "high"


def rank_words_by_title(value: float, bands: Mapping[str, Band]) -> str:
    """Say where a value lies among the windows of several corpora, each by its title where they differ."""
    words = {title: rank_words(value, band) for title, band in bands.items()}
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return "; ".join(f"{title}: {rank}" for title, rank in words.items())


@cache
def _read() -> dict[str, Any]:
    description: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return description

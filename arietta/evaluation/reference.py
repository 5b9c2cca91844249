"""What real music is like: percentiles of every single figure, of windows of held-out pieces, shipped as statistics.

    for known in references(300): known.corpus, known.figures["polyphony"]

`reference.json` holds them, for windows of 300 and of 1,000 notes from MAESTRO (measured on the instrument) and
GiantMIDI-Piano (transcribed from recordings), validation and test. `python -m release.reference --corpus corpus`
writes it. How likely a model finds the same windows is known by the fingerprint of its bundle, and of others not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).parent / "reference.json"
PERCENTILES = (5, 25, 50, 75, 95)
WINDOWS = (300, 1000)  # notes
NATS = "nats_per_note"
TITLES = {"maestro": "MAESTRO", "giantmidi": "GiantMIDI-Piano"}

Band = tuple[float, ...]  # at PERCENTILES


@dataclass(frozen=True)
class Reference:
    """Windows of one corpus: `figures` by name at PERCENTILES, and the mean number of loops a window."""

    corpus: str
    notes: int
    windows: int
    loops: float
    figures: Mapping[str, Band]

    @property
    def title(self) -> str:
        return TITLES.get(self.corpus, self.corpus)


def references(note_count: int, bundle: str | None = None) -> list[Reference]:
    """Give what is known of windows of `note_count` notes, MAESTRO first; none of other lengths than WINDOWS.

    With the likelihood under the bundle of that fingerprint, where it was measured.
    """
    described = _read()
    nats = described["models"].get(bundle, {}).get("bands", {})
    found = []
    for one in described["sets"]:
        if one["notes"] == note_count:
            key = set_name(one["corpus"], note_count)
            figures = one["figures"] | ({NATS: nats[key]} if key in nats else {})
            bands = {name: tuple(band) for name, band in figures.items()}
            found.append(Reference(one["corpus"], note_count, one["windows"], one["loops"], bands))
    return found


def set_name(corpus: str, note_count: int) -> str:
    """Name a set of windows in the file: maestro/300."""
    return f"{corpus}/{note_count}"


def window_for(note_count: int) -> int:
    """Choose the window whose length is nearest to a piece's."""
    return min(WINDOWS, key=lambda size: abs(float(np.log(size / max(note_count, 1)))))


def is_inside(value: float, band: Band) -> bool:
    """Whether nine of ten real windows lie on both sides of where a value is: between the 5th and 95th percentile."""
    return band[0] <= value <= band[-1]


def place_among(value: float, band: Band) -> str:
    """Say where a value lies among the windows of a corpus."""
    if not is_inside(value, band):
        return "lower than 95 %" if value < band[0] else "higher than 95 %"
    if band[1] <= value <= band[3]:
        return "in the middle half"
    return "low" if value < band[1] else "high"


def place_among_all(value: float, bands: Mapping[str, Band]) -> str:
    """Say where a value lies among the windows of several corpora, each by its title where they differ."""
    said = {title: place_among(value, band) for title, band in bands.items()}
    alike = set(said.values())
    return alike.pop() if len(alike) == 1 else "; ".join(f"{title}: {words}" for title, words in said.items())


@cache
def _read() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return described

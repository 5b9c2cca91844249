"""Performances with annotated beats: those of the ASAP data set whose notes are MAESTRO's.

ASAP (Foscarin et al. 2020, "ASAP: a dataset of aligned scores and performances for piano transcription"; CC BY-NC-SA
4.0) lies as it is downloaded, or with `metadata.csv` and the annotations alone: `metadata.csv` names the file of
MAESTRO that each performance is, and notes count from half a second before the `start` of its row, or from the
beginning of the file where there is none.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...music.midi import read_midi
from ...music.notes import Notes, Seconds, crop

LEAD = 0.5  # seconds from the beginning of the notes to the `start` of a row
COMPOUND = re.compile(r"(6|9|12|24)/(4|8|16)")  # signatures whose beats are dotted
ON_A_NOTE, ALIGNED = 0.05, 0.7  # seconds; the share of beats: 0.97 in the median, below 0.7 in 6 of 400
SIGNATURE = re.compile(r"\d+/\d+")


@dataclass(frozen=True)
class AnnotatedPerformance:
    """Notes, and their `beats` float64 [B] s: which begin a bar, and which are dotted; `work` is a folder of ASAP's."""

    name: str
    work: str
    notes: Notes
    beats: Seconds
    is_downbeat: NDArray[np.bool_]
    is_compound: NDArray[np.bool_]

    @property
    def downbeats(self) -> Seconds:
        """When bars begin."""
        return self.beats[self.is_downbeat]

    @property
    def is_aligned(self) -> bool:
        """Whether beats lie on notes: the annotations of a few performances count from elsewhere, by up to a second."""
        after = np.clip(np.searchsorted(self.notes.onset, self.beats), 1, len(self.notes) - 1)
        apart = np.minimum(*(np.abs(self.notes.onset[index] - self.beats) for index in (after, after - 1)))
        return bool(np.mean(apart <= ON_A_NOTE) >= ALIGNED)


def read_performances(asap: Path, maestro: Path, split: str) -> Iterator[AnnotatedPerformance]:
    """Read the performances of a side of MAESTRO's split, in the order of ASAP's table."""
    with next(maestro.glob("maestro-*.csv")).open(encoding="utf-8") as lines:
        sides = {row["midi_filename"]: row["split"] for row in csv.DictReader(lines)}
    with (asap / "metadata.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["maestro_midi_performance"]]
    for row in rows:
        file = row["maestro_midi_performance"].removeprefix("{maestro}/")
        if sides.get(file) == split:
            yield _read_performance(row, read_midi(maestro / file), asap)


def _read_performance(row: Mapping[str, str], notes: Notes, asap: Path) -> AnnotatedPerformance:
    start = max(float(row["start"] or LEAD) - LEAD, 0.0)
    notes = crop(notes, start, float(row["end"]) if row["end"] else notes.seconds + 1)
    text = (asap / row["performance_annotations"]).read_text(encoding="utf-8")
    marks = [line.split() for line in text.splitlines() if line.strip()]
    compound, is_compound = False, []
    for mark in marks:
        signature = SIGNATURE.search(mark[-1])
        compound = bool(COMPOUND.fullmatch(signature[0])) if signature else compound
        is_compound.append(compound)
    return AnnotatedPerformance(
        row["midi_performance"].removesuffix(".mid"),
        row["midi_performance"].rpartition("/")[0],
        notes,
        np.array([float(mark[0]) for mark in marks]),
        np.array([mark[-1].startswith("db") for mark in marks]),
        np.array(is_compound),
    )

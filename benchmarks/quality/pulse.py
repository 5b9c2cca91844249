"""How sure bars are where tempo and metre are known: what `bpm` and `metre` choose a take by, and when they write bars.

    python -m benchmarks.quality.pulse --asap asap-dataset --maestro maestro-v3.0.0
    python -m benchmarks.quality.pulse --asap asap-dataset --maestro maestro-v3.0.0 --split train validation --fit

ASAP's performances of some sides of MAESTRO's split are cut into minutes; those in one metre, whose beats are those of
the metre, are kept. Each is given its metre and its median beat, as a request does (`find_meter_near`). Bars are right
where the F-measure of downbeats within 70 ms is 0.7 or more. One JSON line for each threshold of the fit: the minutes
at or above it, and how many of them are right. With `--fit` also the logistic regression of being right over the
logarithm of the beats' unsteadiness and the downbeats' contrast, by Newton's method: the constants of the fit.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from arietta.music.beats.accents import LEAST_UNSTEADY, bars_fit, weigh_bars
from arietta.music.beats.agreement import RIGHT, f_measure
from arietta.music.meter import UNITS, TimeSignature
from arietta.music.midi import read_midi
from arietta.music.notes import Notes, Seconds, crop
from benchmarks.quality.keys import read_rows
from benchmarks.shared.samples import tell

WINDOW = 60.0  # seconds
THRESHOLDS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7)
RIDGE = 1e-3  # of the regression, so that it ends where all are right


class Minute(NamedTuple):
    """What was played in a minute, its metre, the median length of its beats (s), and its downbeats."""

    notes: Notes
    signature: TimeSignature
    period: float
    downbeats: Seconds


class Judged(NamedTuple):
    """How well a minute fits its metre, whether its bars are right, and what speaks for them."""

    fit: float
    is_right: bool
    unsteadiness: float
    contrast: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asap", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--maestro", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--split", nargs="+", default=["test"], help="sides of MAESTRO's split (default: test)")
    parser.add_argument("--fit", action="store_true", help="fit the constants anew")
    options = parser.parse_args()
    rows = [row for row in read_rows(options.asap, options.maestro) if row[0] in options.split]
    judged = []
    for _, row in tqdm(rows, desc="minutes", unit="performance", mininterval=5):
        notes = read_midi(options.maestro / row["maestro_midi_performance"].removeprefix("{maestro}/"))
        start = max(float(row["start"] or 0.5) - 0.5, 0.0)
        notes = crop(notes, start, float(row["end"]) if row["end"] else notes.seconds + 1)
        judged += judge(list(minutes(notes, (options.asap / row["performance_annotations"]).read_text("utf-8"))))
    side = " and ".join(options.split)
    for threshold in THRESHOLDS:
        sure = [one for one in judged if one.fit >= threshold]
        right = sum(one.is_right for one in sure)
        tell(f"pulse/{side}, {threshold:g}", minutes=len(judged), sure=len(sure), right=right)
    if options.fit:
        bias, steady, contrast = regress(judged)
        tell(f"pulse/{side}, fit", minutes=len(judged), bias=bias, steady=steady, contrast=contrast)


def minutes(notes: Notes, annotation: str) -> Iterator[Minute]:
    """Cut a performance into minutes, from its first beat on, those of one metre whose beats are its own."""
    lines = [line.split() for line in annotation.splitlines() if line.strip()]
    times, labels = np.array([float(line[0]) for line in lines]), [line[-1].split(",") for line in lines]
    is_downbeat = np.array([label[0] == "db" for label in labels])
    metre, metres = "", []
    for label in labels:
        metre = label[1] if len(label) > 1 and label[1] else metre
        metres.append(metre)
    for begin in np.arange(times[0], times[-1] - WINDOW, WINDOW):
        inside = (times >= begin) & (times < begin + WINDOW)
        beats, downbeats = times[inside], times[inside & is_downbeat]
        names = {metre for metre, is_in in zip(metres, inside, strict=True) if is_in}
        if len(names) != 1 or len(downbeats) < 3:
            continue
        count, unit = (int(part) for part in names.pop().split("/"))
        signature = TimeSignature(0.0, count, unit)
        in_bars = np.searchsorted(beats, downbeats[1:]) - np.searchsorted(beats, downbeats[:-1])
        if unit in UNITS and np.median(in_bars) == signature.beat_count:
            window = crop(notes, begin, begin + WINDOW)
            yield Minute(window, signature, float(np.median(np.diff(beats))), downbeats - begin)


def judge(pieces: Sequence[Minute]) -> list[Judged]:
    """Find the bars of minutes, and hold them against those that are annotated."""
    judged = []
    for notes, signature, period, downbeats in pieces:
        weighed = weigh_bars(notes, signature, period)
        if weighed is not None:
            meter, *evidence = weighed
            score = f_measure(meter.bar_lines(float(notes.onset.max())), downbeats)
            judged.append(Judged(bars_fit(*evidence), bool(score >= RIGHT), *evidence))
    return judged


def regress(judged: Sequence[Judged], steps: int = 30) -> tuple[float, float, float]:
    """Return the bias and the weights of a logistic regression of being right."""
    right = np.array([one.is_right for one in judged], dtype=np.float64)
    columns = [(1.0, np.log(one.unsteadiness + LEAST_UNSTEADY), one.contrast) for one in judged]
    x, weights = np.array(columns), np.zeros(3)
    for _ in range(steps):
        share = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (right - share) - RIDGE * weights
        curve = (x * (share * (1 - share))[:, None]).T @ x + RIDGE * np.eye(3)
        weights += np.linalg.solve(curve, slope)
    bias, steady, contrast = weights.tolist()
    return bias, steady, contrast


if __name__ == "__main__":
    main()

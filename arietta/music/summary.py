"""A piece in figures: what `arietta inspect` prints of a MIDI file.

Only counts and plain statistics; judging whether music is good is not done here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .notes import Notes, fold_pedal

# Seconds between onsets, as heard: one chord, a rolled chord or ornament, fast, flowing and slow notes, pauses.
STEP_EDGES = (0.0, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0, 4.0, np.inf)
PITCH_BIN = 6  # semitones
SHORT = 0.1  # seconds: what sounds for less is staccato, whatever the tempo


@dataclass(frozen=True)
class PieceSummary:
    """One piece with at least one note; times in seconds, shares between 0 and 1.

    `keys` counts keys held down, `sounding` also what the pedal holds: mean over the whole piece, and the most at once.
    `step` is the time from one onset to the next, a chord's own notes included.
    """

    note_count: int
    seconds: float
    first_onset: float
    lowest: int
    highest: int
    mean_pitch: float
    softest: int
    loudest: int
    mean_velocity: float
    median_duration: float
    longest: float
    pedal_count: int
    pedal_share: float
    mean_keys: float
    most_keys: int
    mean_sounding: float
    most_sounding: int
    median_step: float


def summarise_piece(notes: Notes) -> PieceSummary:
    """Describe a piece; raises ValueError where there are no notes to describe."""
    if not len(notes):
        raise ValueError("a piece without notes has no summary")
    sounding = fold_pedal(notes)
    steps = np.diff(notes.onset)
    return PieceSummary(
        note_count=len(notes),
        seconds=notes.seconds,
        first_onset=float(notes.onset[0]),
        lowest=int(notes.pitch.min()),
        highest=int(notes.pitch.max()),
        mean_pitch=float(notes.pitch.mean()),
        softest=int(notes.velocity.min()),
        loudest=int(notes.velocity.max()),
        mean_velocity=float(notes.velocity.mean()),
        median_duration=float(np.median(notes.duration)),
        longest=float(notes.duration.max()),
        pedal_count=len(notes.pedal),
        pedal_share=float((notes.pedal[:, 1] - notes.pedal[:, 0]).sum() / notes.seconds),
        mean_keys=float(notes.duration.sum() / notes.seconds),
        most_keys=most_at_once(notes),
        mean_sounding=float(sounding.duration.sum() / notes.seconds),
        most_sounding=most_at_once(sounding),
        median_step=float(np.median(steps)) if len(steps) else 0.0,
    )


@dataclass(frozen=True)
class Touch:
    """How a piece of two notes or more is touched: `short` is the share of its notes that sound for less than SHORT.

    `wait` is the longest time between two onsets in seconds, and `wait_onset` when it begins.
    """

    short: float
    wait: float
    wait_onset: float


def summarise_touch(notes: Notes) -> Touch | None:
    """Describe how a piece is touched, as heard with its pedal; None for fewer than two notes."""
    if len(notes) < 2:
        return None
    waits = np.diff(notes.onset)
    longest = int(waits.argmax())
    short = float((fold_pedal(notes).duration < SHORT).mean())
    return Touch(short, float(waits[longest]), float(notes.onset[longest]))


def most_at_once(notes: Notes) -> int:
    """Count the notes that last at the fullest moment; one that ends as another begins is not counted with it."""
    times = np.concatenate([notes.release, notes.onset])
    changes = np.repeat([-1, 1], len(notes))
    return int(changes[np.lexsort((changes, times))].cumsum().max(initial=0))


def pitch_counts(notes: Notes) -> dict[tuple[int, int], int]:
    """Count notes in half octaves (lowest, highest pitch), upwards, from the first to the last that has any."""
    bins = notes.pitch.astype(np.int64) // PITCH_BIN
    return {
        (low * PITCH_BIN, low * PITCH_BIN + PITCH_BIN - 1): int((bins == low).sum())
        for low in range(int(bins.min(initial=128)), int(bins.max(initial=-1)) + 1)
    }


def step_counts(notes: Notes) -> dict[tuple[float, float], int]:
    """Count the times between onsets in [low, high) seconds, from the first to the last bin that has any."""
    counts = np.histogram(np.diff(notes.onset), bins=STEP_EDGES)[0]
    used = np.flatnonzero(counts)
    return {
        (STEP_EDGES[index], STEP_EDGES[index + 1]): int(counts[index])
        for index in (range(int(used[0]), int(used[-1]) + 1) if len(used) else ())
    }

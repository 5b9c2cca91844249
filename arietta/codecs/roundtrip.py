"""What a codec keeps of a piece: encode, decode, and hold the result against what was played.

The two are matched here by pitch and time alone, without asking the codec which token came from which note, so that
a fault in its own bookkeeping shows as a large onset error or as a lost note.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import MidiError
from ..music.midi import read_midi
from ..music.notes import HIGHEST_PITCH, LOWEST_PITCH, Notes, Seconds, fold_pedal, select
from .codec import Codec


@dataclass(frozen=True)
class Fidelity:
    """One piece before and after a codec.

    `merged`, `shortened` and `outside` are the codec's own counts of notes, `lost` is what they leave unexplained
    (it must be 0). Onset errors are absolute, in milliseconds; `drift_ms` is the signed error of the last onset;
    `length_ratio` compares mean note lengths, `velocity_difference` mean velocities, after minus before.
    """

    notes: int
    merged: int
    shortened: int
    outside: int
    lost: int
    onset_error_max_ms: float
    onset_error_median_ms: float
    drift_ms: float
    length_ratio: float
    velocity_difference: float
    tokens_per_note: float


def measure_fidelity(notes: Notes, codec: Codec) -> Fidelity:
    """Send `notes` through `codec` and back.

    A codec that folds the pedal into the notes is held against notes folded the same way. Without notes that
    the codec can hold, the errors are 0 and the ratio 1.
    """
    losses = codec.losses(notes)
    tokens = codec.encode(notes)
    after = codec.decode(tokens)
    played = fold_pedal(notes) if codec.name == "performance" else notes
    before = select(played, (played.pitch >= LOWEST_PITCH) & (played.pitch <= HIGHEST_PITCH))
    errors = 1000 * onset_errors(before, after)
    has_notes = bool(len(before) and len(after))
    return Fidelity(
        notes=len(notes),
        merged=losses.merged,
        shortened=losses.shortened,
        outside=losses.outside,
        lost=len(notes) - losses.merged - losses.outside - len(after),
        onset_error_max_ms=float(errors.max(initial=0.0)),
        onset_error_median_ms=float(np.median(errors)) if len(errors) else 0.0,
        drift_ms=float(1000 * (after.onset[-1] - before.onset[-1])) if has_notes else 0.0,
        length_ratio=float(after.duration.mean() / before.duration.mean()) if has_notes else 1.0,
        velocity_difference=float(after.velocity.mean() - before.velocity.mean()) if has_notes else 0.0,
        tokens_per_note=len(tokens) / max(len(after), 1),
    )


def onset_errors(before: Notes, after: Notes) -> Seconds:
    """Distance from each note of `before` to the nearest onset of its pitch in `after`, float64 [N] s; inf if none."""
    errors = np.full(len(before), np.inf)
    for pitch in np.unique(before.pitch):
        here = before.pitch == pitch
        onsets = np.concatenate([[-np.inf], after.onset[after.pitch == pitch], [np.inf]])
        right = np.searchsorted(onsets, before.onset[here])
        gaps = onsets[right] - before.onset[here], before.onset[here] - onsets[right - 1]
        errors[here] = np.minimum(*gaps)
    return errors


def measure_files(
    paths: Sequence[str | Path], codec: Codec, progress: Callable[[int, int], None] | None = None
) -> tuple[list[Fidelity], list[str]]:
    """Measure what each file becomes; the second list has a sentence for each that cannot be read."""
    measured: list[Fidelity] = []
    unreadable: list[str] = []
    for done, path in enumerate(paths, start=1):
        try:
            measured.append(measure_fidelity(read_midi(path), codec))
        except MidiError as error:
            unreadable.append(str(error))
        if progress is not None:
            progress(done, len(paths))
    return measured, unreadable

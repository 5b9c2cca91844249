"""What is said of a take in a tempo and a metre: how well it fits, what its bars are, and how to get bars without."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from ..program import command

if TYPE_CHECKING:
    from ..client.take import ServedTake
    from ..generation.request import Take
    from ..generation.scores.pulse import Fit, Pulse

NEAR = 0.1  # seconds that a piece may last more or less than its bars, without a word


def fit_sentences(take: Take | ServedTake, path: Path) -> list[str]:
    """Say how well a take, saved at `path`, fits the tempo and the metre it was asked for in; [] without these."""
    from ..generation.scores.pulse import SURE, Fit

    pulse, fit = take.request.pulse, getattr(take, "fit", None)
    if pulse is None or not isinstance(fit, Fit):
        return []
    metre = f"{pulse.beats}/{pulse.unit}"
    # Rounded down, but for errors of floats: what is written as the threshold reaches it.
    sureness = math.floor(fit.sureness * 100 + 1e-9) / 100
    fits = f"Fit to {pulse.bpm:g} beats a minute in {metre}: {sureness:.2f} of 1, stretched by {fit.factor:.2f}"
    if fit.has_bars:
        number = fit.bars is not None and fit.bars != pulse.bars
        counted = f", of which there are {fit.bars}, not {pulse.bars}" if number else ""
        return [f"{fits}; its bars are written{counted}.", *_length(take, fit, pulse)]
    unsure = f"{fits}; bars are written from {SURE:g}: other seeds may be surer."
    if not path.suffix.lower().startswith(".mid"):
        return [unsure]
    out = path.with_name(f"{path.stem}-bars.mid")
    laid = command("render", path, "--grid", f"{pulse.bpm:g}", "--metre", metre, "-o", out)
    return [unsure, f"Bars of that tempo under the same seconds, wherever its own beats lie: {laid}"]


def _length(take: Take | ServedTake, fit: Fit, pulse: Pulse) -> list[str]:
    """Say how long a take of so many bars is where that is not what they last in their tempo, and why."""
    meter, end = take.request.meter, take.notes.seconds
    if meter is None or fit.bars is None or abs(end - fit.bars * pulse.bar_seconds) <= NEAR:
        return []
    beat = pulse.signature.quarters / pulse.signature.beat_count
    beats = meter.led_in().pickup / beat
    pickup = f"a pickup of {beats:g} beat{'' if beats == 1 else 's'} and " if beats else ""
    paces = [round(60 / (tempo.quarter * beat)) for tempo in meter.tempos if tempo.seconds < end]
    varies = f"; the tempo varies from {min(paces)} to {max(paces)}" if min(paces) < max(paces) else ""
    return [f"{end:.1f} s: {pickup}{fit.bars} bar{'' if fit.bars == 1 else 's'}{varies}."]

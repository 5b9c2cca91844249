"""Guards on the course of a take: within what real music does, and as dense as is wished or as what is replaced.

The limits on silence, speed, staccato and monotony are what all but one in a thousand stretches of 64 notes of
MAESTRO's and GiantMIDI-Piano's validation pieces keep, whichever of the two allows more, and of monotony what all but
one in two hundred of 128 notes do (`python -m benchmarks.quality.takes limits`). They act only where a take goes beyond
them: until then the take is what it is without the guard. All work on tokens of NoteCodec; loops have a guard of their
own (`music.loops`), which hears no figure whose notes change places, as those of a tremolo do.

A passage leans all the while: around kept notes models write too much, as a note that is drawn too early is one more,
and one that is drawn too late gives way (`python -m benchmarks.quality.editing vary`). So does music with a wish for
its density, loudness or key: by the condition alone models play four notes a second as two, and eighteen as
twenty-five (`python -m benchmarks.quality.editing wishes`).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Masks
from ..codecs.grid import (
    DURATION_STEPS,
    KEY_COUNT,
    REST,
    SHORT_WAITS,
    STEPS_PER_SECOND,
    TIME_COUNT,
    TIME_STEPS,
    VELOCITY_CENTRES,
    VELOCITY_COUNT,
)
from ..model.conditions import KEYS
from ..music.keys import key_profile
from ..music.notes import LOWEST_PITCH, Note, Notes, Seconds
from .wishes import Steps, Wishes, step_at

STRETCH = 64  # notes
LONGEST_GAP = 15.3  # seconds between two onsets
# Seconds that what goes on from given music may wait, unless that itself waits longer: after a last chord models wait
# as between two movements.
LONGEST_GAP_AFTER_PROMPT = 4.0
FASTEST = 62.0  # notes per second over a stretch
SHORTEST_MEDIAN = 0.03  # seconds: median of a stretch's key-down lengths
FEWEST_PITCHES = {STRETCH: 5, 2 * STRETCH: 10}  # different ones in so many notes: fewer are one figure over and over
BARRED_NOTES = 16  # for which the pitches of such a stretch are not struck
FEWEST_REPLACED = 12  # notes: of fewer nothing is known of how dense a passage shall be
LEAN = 8.0  # of the logits of waits, by the logarithm of how many notes there are over how many there were
MOST_LEAN = 6.0
LEAST_LEAN = -2.0  # a passage that is too sparse is leant against less: music may pause
LOUDNESS_LEAN, MOST_LOUDNESS = 0.03, 0.2  # of the logit of a velocity by the next, for each that the mean is too high
KEY_LEAN = 1.0  # of the logit of a note, by the logarithm of how much its key's profile has of it
REMEMBERED = 128  # notes, whose mean shall be what is wished for: phrases may swell within it
EARLY_NOTES = 4  # added to both counts, so that the first few notes lean little
# The longer the wait, the more, up to a second; those within a chord lean hardly.
_WAIT_WEIGHT = np.log1p(np.minimum(TIME_STEPS, STEPS_PER_SECOND) / (STEPS_PER_SECOND / 10)).astype(np.float32)
_LOUDER = (VELOCITY_CENTRES - VELOCITY_CENTRES.mean()).astype(np.float32)
_LEAST_STEPS = int(np.ceil(STRETCH / FASTEST * STEPS_PER_SECOND))
_LEAST_DURATION = int(np.searchsorted(DURATION_STEPS, SHORTEST_MEDIAN * STEPS_PER_SECOND))


class CourseGuard:
    """Watches the course of one piece, from `clock` seconds on, and counts into `interventions` where it stepped in.

    `prompt` is the music that is gone on from, whose own gaps are allowed.
    """

    def __init__(self, interventions: Counter[str], clock: float = 0.0, prompt: Notes | None = None) -> None:
        self.interventions = interventions
        gap = LONGEST_GAP
        if prompt is not None:
            gap = min(gap, float(np.diff(prompt.onset).max(initial=LONGEST_GAP_AFTER_PROMPT)))
        self._longest_gap = _steps(gap)
        self._onsets: deque[int] = deque(maxlen=STRETCH)  # in steps
        self._durations: deque[int] = deque(maxlen=STRETCH)  # in steps
        self._latest_onset = _steps(clock)
        self._is_silence_counted = False
        self._keys: deque[int] = deque(maxlen=max(FEWEST_PITCHES))
        self._barred = np.zeros(KEY_COUNT, dtype=np.bool_)
        self._barred_left = 0  # notes

    def narrow(self, masks: Masks, clock: float) -> Masks:
        """Bound the wait for the next token where a silence would grow too long, or notes come too fast.

        After a stretch of too few pitches its keys are barred for some notes, so that something else goes on.
        """
        if self._barred_left:
            masks = self._without_barred(masks)
        now = _steps(clock)
        least = self._onsets[0] + _LEAST_STEPS - now if len(self._onsets) == STRETCH else 0
        most = self._latest_onset + self._longest_gap - now
        if least <= 0 and most >= SHORT_WAITS:
            return masks
        times = masks.allowed[:TIME_COUNT].copy()
        times[: min(max(least, 0), SHORT_WAITS - 1)] = False  # a note waits no longer
        if most < SHORT_WAITS:
            times[max(most, 0) + 1 :] = False
        possible = np.flatnonzero(times[:SHORT_WAITS])
        keys = masks.allowed[TIME_COUNT : TIME_COUNT + KEY_COUNT]
        # Where no note can be struck then, as at the close, the grammar's own masks stand.
        if not len(possible) or not (keys & (masks.earliest[:KEY_COUNT] <= possible[-1])).any():
            return masks
        if least > 0:
            self.interventions["speed"] += 1
        else:
            self._count_silence()
        allowed = masks.allowed.copy()
        allowed[:TIME_COUNT] = times
        return Masks(allowed, masks.earliest)

    def fit(self, token: list[int], clock: float) -> list[int]:
        """Shorten a rest that would pass the longest gap, and lengthen a note after a stretch of the shortest."""
        time, symbol, duration, velocity = token
        left = self._latest_onset + self._longest_gap - _steps(clock)
        if symbol == REST and TIME_STEPS[time] > max(left, SHORT_WAITS):
            self._count_silence()
            time = int(np.searchsorted(TIME_STEPS, max(left, SHORT_WAITS), side="right")) - 1
        if symbol < KEY_COUNT and duration < _LEAST_DURATION and self._is_staccato():
            self.interventions["staccato"] += 1
            duration = _LEAST_DURATION
        return [time, symbol, duration, velocity]

    def push(self, token: list[int], clock: float) -> None:
        """Take a token that was composed, and the time it came at."""
        if token[1] >= KEY_COUNT:
            return
        self._latest_onset = _steps(clock)
        self._is_silence_counted = False
        self._onsets.append(self._latest_onset)
        self._durations.append(int(DURATION_STEPS[token[2]]))
        self._keys.append(token[1])
        self._barred_left = max(self._barred_left - 1, 0)
        if not self._barred_left:
            self._bar_monotony()

    def _bar_monotony(self) -> None:
        """Bar the keys of a stretch that has too few."""
        keys = list(self._keys)
        for stretch, fewest in FEWEST_PITCHES.items():
            if len(keys) >= stretch and len(struck := set(keys[-stretch:])) < fewest:
                self._barred[:] = False
                self._barred[list(struck)] = True
                self._barred_left = BARRED_NOTES
                self.interventions["monotony"] += 1
                return

    def _without_barred(self, masks: Masks) -> Masks:
        """Leave out the barred keys, but where no other key may be struck."""
        allowed = masks.allowed.copy()
        keys = allowed[TIME_COUNT : TIME_COUNT + KEY_COUNT]
        keys &= ~self._barred
        if not keys.any():
            return masks
        # No time is left at which only barred keys could be struck.
        symbols = allowed[TIME_COUNT : TIME_COUNT + len(masks.earliest)]
        allowed[: min(int(masks.earliest[symbols].min()), SHORT_WAITS)] = False
        return Masks(allowed, masks.earliest)

    def _is_staccato(self) -> bool:
        if len(self._durations) < STRETCH:
            return False
        return sorted(self._durations)[STRETCH // 2 - 1] < SHORTEST_MEDIAN * STEPS_PER_SECOND

    def _count_silence(self) -> None:
        """Count a silence once, however many tokens it takes."""
        self.interventions["silence"] += not self._is_silence_counted
        self._is_silence_counted = True


class DensityGuard:
    """Keeps music as dense as it shall be: `expected` tells how many new notes there shall be by a second."""

    def __init__(self, expected: Callable[[float], float], *, least: float = -MOST_LEAN) -> None:
        """`least` is how much it leans at most against too few notes."""
        self._expected, self._least = expected, least

    @classmethod
    def replacing(cls, replaced: Seconds) -> DensityGuard | None:
        """As dense as the notes of these onsets (s), moment by moment; None for too few to tell."""
        if len(replaced) < FEWEST_REPLACED:
            return None
        onsets = np.sort(replaced)
        return cls(lambda second: float(np.searchsorted(onsets, second, side="right")), least=LEAST_LEAN)

    @classmethod
    def wished(cls, steps: Steps, begin: float) -> DensityGuard:
        """As dense as is wished for, in notes per second from step to step, from the second `begin` on."""
        edges = [second for second, _ in steps]
        rates = [float(rate) for _, rate in steps]
        counts: list[float] = [0.0, *np.cumsum(np.diff(edges) * rates[:-1]).tolist()]

        def count(second: float) -> float:
            step = step_at(edges, second)
            return counts[step] + rates[step] * (second - edges[step])

        return cls(lambda second: max(count(second) - count(begin), 0.0))

    def lean(self, second: float, note_count: int) -> NDArray[np.float32]:
        """Return what to add to the logits of waits, float32 [TIME_COUNT], where so many new notes are written."""
        excess = np.log((note_count + EARLY_NOTES) / (self._expected(second) + EARLY_NOTES))
        lean: NDArray[np.float32] = _WAIT_WEIGHT * np.float32(np.clip(LEAN * excess, self._least, MOST_LEAN))
        return lean


class LoudnessGuard:
    """Keeps the mean velocity of what is composed at what is wished for, (second, velocity) from step to step."""

    def __init__(self, steps: Steps) -> None:
        self._seconds = [second for second, _ in steps]
        self._velocities = [float(velocity) for _, velocity in steps]
        self._excess = self._count = 0.0  # of the notes so far, of which older ones count less

    def push(self, note: Note) -> None:
        """Take a note that was composed, at its second of the piece."""
        wish = self._velocities[step_at(self._seconds, note.onset)]
        kept = 1 - 1 / REMEMBERED
        self._excess = self._excess * kept + note.velocity - wish
        self._count = self._count * kept + 1

    def lean(self) -> NDArray[np.float32]:
        """Return what to add to the logits of velocities, float32 [VELOCITY_COUNT]."""
        mean = self._excess / (self._count + EARLY_NOTES)
        lean: NDArray[np.float32] = _LOUDER * np.float32(np.clip(-LOUDNESS_LEAN * mean, -MOST_LOUDNESS, MOST_LOUDNESS))
        return lean


class KeyGuard:
    """Draws notes towards the keys that are wished for, (second, key) from step to step, by their profiles."""

    def __init__(self, steps: Steps) -> None:
        self._seconds = [second for second, _ in steps]
        profiles = [np.log(key_profile(KEYS.index(str(key)))) for _, key in steps]
        pitch_class = (np.arange(KEY_COUNT) + LOWEST_PITCH) % 12
        self._leans = [(KEY_LEAN * (profile - profile.mean())[pitch_class]).astype(np.float32) for profile in profiles]

    def lean(self, second: float) -> NDArray[np.float32]:
        """Return what to add to the logits of piano keys at a second of the piece, float32 [KEY_COUNT]."""
        lean: NDArray[np.float32] = self._leans[step_at(self._seconds, second)]
        return lean


class Leans:
    """What a piece of NoteCodec leans towards while it is composed: wishes, and the density of what it replaces.

    Added to the noise, a lean is added to what is drawn from, and the likelihood stays the model's own.
    """

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._density: DensityGuard | None = None
        self._loudness = LoudnessGuard(wishes["loudness"]) if "loudness" in wishes else None
        self._key = KeyGuard(wishes["key"]) if "key" in wishes else None

    def begin(self, second: float, replaced: Seconds) -> None:
        """Count notes from a second of the piece on, in which those with the onsets `replaced` are written anew."""
        wish = self._wishes.get("density")
        self._density = DensityGuard.wished(wish, second) if wish else DensityGuard.replacing(replaced)

    def push(self, note: Note) -> None:
        """Take a note that was composed."""
        if self._loudness is not None:
            self._loudness.push(note)

    def add(self, noise: NDArray[np.float32], second: float, note_count: int) -> None:
        """Lean the noise of the next token, float32 [sum V], where so many notes are written since `begin`."""
        if self._density is not None:
            noise[:TIME_COUNT] += self._density.lean(second, note_count)
        if self._key is not None:
            noise[TIME_COUNT : TIME_COUNT + KEY_COUNT] += self._key.lean(second)
        if self._loudness is not None:
            noise[-VELOCITY_COUNT:] += self._loudness.lean()


def _steps(seconds: float) -> int:
    return round(seconds * STEPS_PER_SECOND)

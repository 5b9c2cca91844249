"""Given music drawn for training: which passage of a crop is to be written, and what of it is given.

    layout = draw_layout(tokens, "keep", length=2048, rng=rng)

Four ways beside plain music. *fill*: what comes before and after a passage is given. *keep*: some of its notes besides.
*accompany*: a quarter to six tenths of the crop is the passage, of which one part is given. *touch*: all its notes are
given as one would write them down, and the model says them again with its own times, lengths, loudness and pedal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...codecs.codec import Booleans, Tokens
from ...codecs.grid import DURATION_STEPS, KEY_COUNT, START, TIME_STEPS, respace
from ...generation.given import NO_TOKENS, Layout, find_outer_line, kept_tokens, lay_out
from ...generation.passage import SHORTEST_PASSAGE

WAYS = ("fill", "keep", "accompany", "touch")
SHORTEST_CROP = 65  # tokens: of less no passage is drawn
LONGEST_PASSAGE = 600  # tokens, in the first two ways; lengths are drawn evenly in their logarithm
CHORD_STEPS = 3  # notes that follow within so many steps are struck together


def draw_layout(tokens: Tokens, way: str, *, length: int, rng: np.random.Generator) -> Layout:
    """Lay out plain tokens [T, 4] of a piece, at least SHORTEST_CROP, in one of WAYS, in at most `length` tokens."""
    total, is_long = len(tokens), way in ("accompany", "touch")
    if is_long:
        size = int(rng.integers(total // 4, int(total * (0.46 if way == "touch" else 0.62)) + 1))
        first = int(rng.integers(0, total - size)) if rng.random() < 0.5 else 0
        has_after = rng.random() < 0.3
    else:
        longest = np.log(min(LONGEST_PASSAGE, total // 2))
        size = int(np.exp(rng.uniform(np.log(SHORTEST_PASSAGE), longest)))
        first, has_after = int(rng.integers(0, total - size + 1)), True
    stop = first + size
    first = max(first, int(tokens[0, 1] == START))  # a piece's start is given, never written
    passage, after = tokens[first:stop], tokens[stop:] if has_after else NO_TOKENS
    kept = NO_TOKENS
    if way == "touch":
        kept = written_down(passage, rng)
    elif way != "fill":
        kept = kept_tokens(passage, choose_kept(passage, rng))
    share = rng.uniform(0.3, 0.8)
    return lay_out(tokens[:first], passage, after, kept=kept, length=length, before_share=share)


def choose_kept(passage: Tokens, rng: np.random.Generator) -> Booleans:
    """Draw which notes of a passage stay: its top line, its bottom line, one side of a split, or any, bool [T]."""
    kept = np.zeros(len(passage), dtype=np.bool_)
    notes = np.flatnonzero(passage[:, 1] < KEY_COUNT)
    if not len(notes):
        return kept
    pitch, at = passage[notes, 1].astype(np.int64), TIME_STEPS[passage[:, 0]].cumsum()[notes]
    way = rng.random()
    if way < 0.45:
        chosen = find_outer_line(pitch, at, CHORD_STEPS, is_top=way < 0.3)
    elif way < 0.8:
        split = np.quantile(pitch, rng.uniform(0.3, 0.7))
        chosen = pitch > split if rng.random() < 0.6 else pitch <= split
    else:
        chosen = rng.random(len(notes)) < rng.uniform(0.1, 0.8)
    kept[notes[chosen]] = True
    return kept


def written_down(passage: Tokens, rng: np.random.Generator) -> Tokens:
    """Return a passage's notes as one would write them down: no loudness, and mostly no exact times either.

    In 6 of 10 cases onsets stand on a grid of 80 to 250 ms, lengths are whole steps of it, and notes struck together
    stand in order of pitch; in the others the times are those that were played.
    """
    is_note = passage[:, 1] < KEY_COUNT
    notes, steps = passage[is_note].copy(), TIME_STEPS[passage[:, 0]].cumsum()[is_note]
    notes[:, 3] = 0
    if not len(notes) or rng.random() >= 0.6:
        return respace(notes, steps)
    unit = float(np.exp(rng.uniform(np.log(8), np.log(25))))
    slots = np.maximum(np.rint((steps - rng.uniform(0, unit)) / unit), 0).astype(np.int64)
    lengths = np.maximum(np.rint(DURATION_STEPS[notes[:, 2]] / unit), 1) * unit
    notes[:, 2] = np.searchsorted(DURATION_STEPS, np.minimum(lengths, DURATION_STEPS[-1]))
    order = np.lexsort((notes[:, 1], slots))
    notes, slots = notes[order], slots[order]
    is_repeated = (np.diff(slots) == 0) & (notes[1:, 1] == notes[:-1, 1])
    is_first = np.concatenate([[True], ~is_repeated])
    return respace(notes[is_first], np.rint(slots[is_first] * unit).astype(np.int64))


def forget(ids: NDArray[np.int64], rng: np.random.Generator) -> None:
    """Set measured ids [T, K] to 0 now and then: all of a crop's, or each column by itself."""
    if rng.random() < 0.35:
        ids[:] = 0
    else:
        ids[:, rng.random(ids.shape[1]) < 0.4] = 0

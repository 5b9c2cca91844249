"""Given music laid out for a model: what comes before a passage, what follows it, and what stays of it.

    before ...  [AFTER  after ...]  [KEPT  kept ...]  FILL  passage ...  [BACK]

    layout = lay_out(before, passage, after, kept=kept_tokens(passage, is_kept))     # a sequence to learn
    layout = lay_out(before, NO_TOKENS, after).prefix()                              # what is prefilled to compose

All are plain tokens [T, 4] of `NoteCodec` version 2: consecutive slices of one piece, or, where nothing is known of the
passage, `NO_TOKENS` and an `after` whose first waits count from the end of `before`. The clock stands at the end of
`before` again after AFTER, KEPT and FILL: the music after AFTER waits as if the passage were silent, kept notes wait
from one to the next, and BACK waits until the first token of `after`, so that the seam is exact. Where nothing follows,
AFTER and BACK are left out; where nothing stays, KEPT is. The passage itself holds everything, kept notes included.

With each token go two facts that no guidance strengthens: its role, and how much of the passage is left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Booleans, Tokens
from ..codecs.grid import AFTER, BACK, DURATION_STEPS, FILL, KEPT, KEY_COUNT, REST, TIME_STEPS, after_wait, respace
from ..model.config import ConditionIds, ModelConfig

Steps = NDArray[np.int64]
ROLES = ("after", "kept", "passage")  # ids 1, 2 and 3 of the condition `role`; 0 is what comes before, or plain music
AFTER_ROLE, KEPT_ROLE, PASSAGE_ROLE = 1, 2, 3
UNKNOWN = -1
# Steps until a passage ends, about a quarter more from one to the next: thresholds of the condition `left`.
# Not np.unique, which loads numpy.ma, and nothing else of composing does.
LEFT_THRESHOLDS = tuple(sorted(set(np.rint(np.geomspace(1, DURATION_STEPS[-1], 32)).tolist()))[1:])
NO_TOKENS: Tokens = np.zeros((0, 4), dtype=np.uint16)


@dataclass(frozen=True)
class Layout:
    """A sequence with given music; arrays have one entry for each of its T tokens.

    `tokens` uint16 [T, 4]. `role` int64 [T] are ids of the condition `role`; `left` int64 [T] is how many steps remain
    of the passage before each of its tokens, `UNKNOWN` outside it and where nothing follows. `counted` bool [T]: what a
    training learns from, though not every field of it (`Codec.loss_mask`). `origin` int64 [T] is the index of each in
    before, passage and after side by side; markers and kept notes have that of the passage's first token.
    """

    tokens: Tokens
    role: Steps
    left: Steps
    counted: Booleans
    origin: Steps

    def prefix(self, lead: int = 0) -> Layout:
        """Return what is given, up to FILL and so many tokens of the passage: what is prefilled to compose the rest."""
        end = int(np.flatnonzero(self.tokens[:, 1] == FILL)[0]) + 1 + lead
        return replace(self, **{name: values[:end] for name, values in vars(self).items()})

    def conditions(self, model: ModelConfig, ids: ConditionIds | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the condition ids of every token, int64 [T, K]: `ids`, with role and left as they stand here.

        `ids` are [K] for all tokens, or [T, K].
        """
        columns = []
        for index, condition in enumerate(model.conditions):
            column = np.broadcast_to(np.asarray(ids)[..., index], len(self.tokens))
            if condition.name == "role":
                column = self.role
            elif condition.name == "left":
                column = np.where(self.left == UNKNOWN, 0, condition.ids_of(self.left))
            columns.append(column)
        return np.stack(columns, axis=1)


def lay_out(
    before: Tokens,
    passage: Tokens,
    after: Tokens,
    *,
    kept: Tokens = NO_TOKENS,
    length: int | None = None,
    before_share: float = 0.5,
) -> Layout:
    """Lay out a passage between what comes before and after it.

    `kept` are the tokens that stand after KEPT, as `kept_tokens` or `respace` give them. Where all is longer than
    `length` tokens, `before` loses its beginning and `after` its end, so that `before` has about `before_share` of
    what room there is; a passage that is too long by itself is cut. An `after` of mere rests is none.
    """
    firm = np.flatnonzero(after[:, 1] != REST)
    lead = int(firm[0]) if len(firm) else len(after)
    wait = steps_of(after[: lead + 1])
    opening, seam = NO_TOKENS, NO_TOKENS
    if len(firm):
        opening, seam = after_wait(after[lead], steps_of(passage) + wait), after_wait(_marker(BACK)[0], wait)
    following = np.concatenate([opening, after[lead + 1 :]])
    marker_count = 1 + (len(kept) > 0) + (len(following) > 0)
    room = len(before) + len(following)
    if length is not None:
        room = max(length - len(passage) - len(kept) - len(seam) - marker_count, 0)
    after_room = max(int(room * (1 - before_share)), room - len(before))
    if len(following) and after_room < len(opening):
        # Not even the first token of what follows has room, and the passage ends without it.
        return lay_out(before, passage, NO_TOKENS, kept=kept, length=length)
    following = following[:after_room]
    first = max(len(before) - (room - len(following)), 0)
    begin, stop = len(before), len(before) + len(passage)
    origin = stop + lead + np.maximum(np.arange(len(following)) - len(opening) + 1, 0)
    parts = [
        _Part(before[first:], np.arange(first, begin)),
        _Part(_marker(AFTER)[: len(following)], begin, AFTER_ROLE, is_counted=False),
        _Part(following, origin, AFTER_ROLE),
        _Part(_marker(KEPT)[: len(kept)], begin, KEPT_ROLE, is_counted=False),
        _Part(kept, begin, KEPT_ROLE, is_counted=False),
        _Part(_marker(FILL), begin, PASSAGE_ROLE, is_counted=False),
        _Part(passage, np.arange(begin, stop), PASSAGE_ROLE),
        _Part(seam, max(stop - 1, 0), PASSAGE_ROLE),
    ]
    tokens = np.concatenate([part.tokens for part in parts])
    left = np.full(len(tokens), UNKNOWN, dtype=np.int64)
    if len(following):
        written = tokens[len(tokens) - len(passage) - len(seam) :]
        left[len(left) - len(written) :] = TIME_STEPS[written[::-1, 0]].cumsum()[::-1]
    counts = [len(part.tokens) for part in parts]
    return Layout(
        tokens[:length],
        np.repeat([part.role for part in parts], counts)[:length],
        left[:length],
        np.repeat([part.is_counted for part in parts], counts)[:length],
        np.concatenate([np.broadcast_to(part.origin, len(part.tokens)) for part in parts])[:length],
    )


def kept_tokens(passage: Tokens, is_kept: Booleans) -> Tokens:
    """Return the notes of a passage that stay, at their own times: what stands after KEPT; marks never stay."""
    chosen = is_kept & (passage[:, 1] < KEY_COUNT)
    return respace(passage[chosen], TIME_STEPS[passage[:, 0]].cumsum()[chosen])


def find_outer_line(pitch: NDArray[Any], onset: NDArray[Any], gap: float, *, is_top: bool) -> Booleans:
    """Return which notes are the highest or lowest of their chord, within an octave of the line's middle, bool [N].

    Notes stand in order of `onset`; those that follow within `gap`, in its unit, are struck together. More than an
    octave off, it is an accompaniment that sounds alone for a while.
    """
    if not len(pitch):
        return np.zeros(0, dtype=np.bool_)
    height = pitch.astype(np.int64) * (1 if is_top else -1)  # the bottom line is the top of pitches turned over
    chord = np.concatenate([[0], np.cumsum(np.diff(onset) > gap)])
    highest = np.full(chord[-1] + 1, height.min())
    np.maximum.at(highest, chord, height)
    is_line: Booleans = height == highest[chord]
    return is_line & (height >= np.median(height[is_line]) - 12)


def steps_of(tokens: Tokens) -> int:
    """Return how many steps tokens take in all."""
    return int(TIME_STEPS[tokens[:, 0]].sum())


@dataclass(frozen=True)
class _Part:
    """Tokens of a layout that have one role; `origin` is an index for each, or one for all."""

    tokens: Tokens
    origin: Steps | int
    role: int = 0
    is_counted: bool = True


def _marker(symbol: int) -> Tokens:
    return np.array([[0, symbol, 0, 0]], dtype=np.uint16)

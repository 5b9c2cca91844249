"""Parts of a passage: a long one is written in parts that overlap, a variation is some of a piece's phrases.

    edit = split_passage(Edit(notes, 0.0, 600.0), context=2048)     # as it is where it can be written at once
    parts = draw_phrases(notes, 0.0, notes.seconds, 0.4, rng)       # for `Edit.parts`

A part is opened when those before it are written, and sees them as given music.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..errors import RequestError
from ..music.notes import Notes
from .passage import SHORTEST_SECONDS, Edit, Part
from .scores.performance import Performance

LONGEST_PART = 400  # notes of a passage that are written at once; models are trained on passages of up to 600 tokens
OVERLAP = 0.1  # of such a part, which it is laid out for beyond its end so that it leads on
PHRASE = 48  # notes of a phrase of a variation


def split_passage(edit: Edit, context: int) -> Edit:
    """Return a passage in the parts in which a model with such a context writes it, or as it is.

    Raises RequestError where it has more notes in a moment than can be worked on.
    """
    # Where nothing follows all notes stay; these stand in a layout twice.
    longest = LONGEST_PART if edit.leads_back else LONGEST_PART // 2
    longest = min(longest, context // 5)  # beside tokens of the pedal and the music around
    if isinstance(edit, Performance):
        return edit.split(longest)
    onsets = edit.music.onset[edit.is_inside]
    if edit.parts is not None or len(onsets) <= longest:
        return edit
    edges = [edit.start, *onsets[longest : len(onsets) - longest // 2 : longest].tolist(), edit.stop]
    _check_density(edges, len(onsets))
    last = len(onsets) - 1
    ends = [float(onsets[min(int(longest * (k + OVERLAP)), last)]) for k in range(1, len(edges) - 1)]
    return replace(edit, parts=tuple(map(Part, edges[:-1], edges[1:], [*ends, edit.stop])))


def draw_phrases(notes: Notes, start: float, stop: float, share: float, rng: np.random.Generator) -> tuple[Part, ...]:
    """Draw a share, 0 to 1, of the phrases of a passage; one at least unless the share is 0.

    Raises RequestError where no note begins there, or more than can be worked on in a moment.
    """
    onsets = notes.onset[(notes.onset >= start) & (notes.onset < stop)]
    if not len(onsets):
        raise RequestError(f"no note begins in {start:g}-{stop:g} s, so there is nothing to vary")
    edges = [start, *onsets[PHRASE::PHRASE][: max(len(onsets) // PHRASE - 1, 0)].tolist(), stop]
    _check_density(edges, len(onsets))
    draws = rng.random(len(edges) - 1)
    is_new = (draws < share) | ((draws == draws.min()) & (share > 0))
    return tuple(Part(begin, end, end) for (begin, end), new in zip(pairwise(edges), is_new, strict=True) if new)


def _check_density(edges: list[float], note_count: int) -> None:
    """Raise RequestError where notes are so dense that a part between these edges would have no time."""
    if min(np.diff(edges)) < SHORTEST_SECONDS:
        raise RequestError(
            f"{note_count} notes lie in {edges[-1] - edges[0]:g} s, more than can be worked on: keep fewer, "
            "or choose a shorter passage"
        )

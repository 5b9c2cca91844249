"""Passages written anew and scores played: from what a client asks to an `Edit`, and from what is stored back to it.

    edit = Wanted("regenerate", 12.0, 20.0, keep="left").edit(notes)
    asked = describe_passage(edit)            # stored with the music that was given
    stored_edit(asked, notes) == edit         # so that a restart resumes it, and the whole piece is there again

Only what is composed is stored as the piece's events; `Edit.join` puts it into the given music.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Any

import numpy as np

from ....errors import RequestError
from ....generation.passage import Edit, Part
from ....generation.request import Take
from ....generation.scores.performance import Performance
from ....generation.verbs import (
    accompaniment_edit,
    connection_edit,
    lead_in_edit,
    passage_edit,
    score_passage,
    variation_edit,
)
from ....model.engine import Engine
from ....music.notes import Notes

# Keys in `Record.asked`: the passage, indices of the given notes that stay in it, and the parts in which it is written.
PASSAGE, KEPT, PARTS = "passage", "kept", "parts"
VERBS = ("regenerate", "vary", "accompany", "connect", "lead_in", "perform")
_FIELDS = ("keep_pedal", "leads_back", "context")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What to do with a passage of given music, from `start` to before `stop` seconds; None is the music's end.

    `keep` says which of its notes stay, as `find_kept` takes it. `strength`, 0 to 1, says how much `vary` changes.
    `connect` and `lead_in` write so many `seconds`, to the piece `second` or the given one. `perform` plays the music.
    """

    verb: str
    start: float = 0.0
    stop: float | None = None
    keep: str | Sequence[int] | None = None
    keep_pedal: bool = False
    strength: float | None = None
    seconds: float | None = None
    second: Notes | None = None

    def edit(self, notes: Notes, seed: int) -> Edit:
        """Return the passage that is asked for, a variation by its `seed`; raises RequestError where there is none."""
        if self.verb not in VERBS:
            raise RequestError(f"there is no verb {self.verb!r} for passages; there are {', '.join(VERBS)}")
        if self.verb in ("connect", "lead_in"):
            if self.seconds is None:
                raise RequestError(f"{self.verb} needs seconds: how much it writes, 1-60")
            if self.verb == "lead_in":
                return lead_in_edit(notes, self.seconds)
            if self.second is None:
                raise RequestError("connect needs second: the piece that it leads to")
            return connection_edit(notes, self.second, self.seconds)
        if self.verb == "perform":
            return Performance.of(notes)
        if self.verb == "accompany":
            return accompaniment_edit(notes, keep="all" if self.keep is None else self.keep, keep_pedal=self.keep_pedal)
        stays: dict[str, Any] = {"keep": self.keep, "keep_pedal": self.keep_pedal}
        if self.verb == "vary":
            if self.strength is None:
                raise RequestError("vary needs strength, 0-1")
            return variation_edit(notes, self.strength, seed, (self.start, self.stop), **stays)
        return passage_edit(notes, self.start, notes.seconds if self.stop is None else self.stop, **stays)


def describe_passage(edit: Edit) -> dict[str, Any]:
    """Return what must be stored of a passage beside its music; nothing of a score, which is played whole."""
    if isinstance(edit, Performance):
        return {}
    asked = {PASSAGE: edit.describe(), KEPT: np.flatnonzero(edit.is_inside & ~edit.is_replaced).tolist()}
    return asked if edit.parts is None else asked | {PARTS: [list(part) for part in edit.parts]}


def stored_edit(asked: Mapping[str, Any], notes: Notes) -> Edit | None:
    """Return the passage or the score that a stored piece was asked for, with the music that was given, or None."""
    if Performance.KIND in asked:
        return Performance.of(notes)
    if PASSAGE not in asked:
        return None
    passage: Mapping[str, Any] = asked[PASSAGE]
    is_kept = np.zeros(len(notes), dtype=np.bool_)
    is_kept[list(asked[KEPT])] = True
    parts = tuple(starmap(Part, asked[PARTS])) if PARTS in asked else None
    options = {name: passage[name] for name in _FIELDS if name in passage}  # earlier versions knew fewer
    return Edit(notes, passage["from"], passage["to"], is_kept, **options, parts=parts)


def scored_passage(take: Take, engine: Engine) -> Take:
    """Return a take with the likelihood of its passage, by which takes are ranked; others as they are."""
    if take.request.edit is None or isinstance(take.request.edit, Performance):
        return take
    try:
        return score_passage(take, engine)
    except Exception:
        log.exception("the likelihood of a passage could not be measured")  # the piece is worth more
        return take

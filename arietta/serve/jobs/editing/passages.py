"""Passages of pieces that are written anew: from what a client asks to an `Edit`, and from what is stored back to it.

    edit = Wanted("regenerate", 12.0, 20.0, keep="left").edit(notes)
    asked = describe_passage(edit)            # stored with the music that was given
    stored_edit(asked, notes) == edit         # so that a restart resumes it, and the whole piece is there again

Only what is composed is stored as the piece's events; `Edit.join` puts it into the given music.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....errors import RequestError
from ....generation.passage import Edit
from ....generation.verbs import find_kept
from ....music.notes import Notes, select

PASSAGE, KEPT = "passage", "kept"  # keys in `Record.asked`: the passage, and indices of the given notes that stay in it
WISHES = ("density", "loudness", "key")
VERBS = ("regenerate", "vary", "accompany")
MOST_NOTES = 500  # of a passage; models are trained on passages of up to 600 tokens
_FIELDS = ("keep_pedal", "leads_back", "context")


@dataclass(frozen=True)
class Wanted:
    """What to do with a passage of given music, from `start` to before `stop` seconds; None is the music's end.

    `keep` says which of its notes stay, as `find_kept` takes it. `strength`, 0 to 1, says how much of its top line
    `vary` lets go, and `wishes` what density, loudness and key are asked for.
    """

    verb: str
    start: float = 0.0
    stop: float | None = None
    keep: str | Sequence[int] | None = None
    keep_pedal: bool = False
    strength: float | None = None
    wishes: Mapping[str, Any] = field(default_factory=dict)

    def edit(self, notes: Notes, seed: int) -> Edit:
        """Return the passage of some notes as it is asked for; raises RequestError where that is impossible."""
        if self.verb not in VERBS:
            raise RequestError(f"there is no verb {self.verb!r}; there are {', '.join(VERBS)}")
        if (self.strength is None) == (self.verb == "vary") or not 0 <= (self.strength or 0) <= 1:
            raise RequestError(f"strength is for vary alone, and lies in 0-1; given was {self.strength}")
        stop = notes.seconds if self.stop is None else self.stop
        if not 0 <= self.start < stop or self.start >= notes.seconds:
            raise RequestError(
                f"the passage {self.start:g}-{stop:g} s lies outside the piece, which has {notes.seconds:g} s"
            )
        stop = min(stop, notes.seconds)
        count = int(((notes.onset >= self.start) & (notes.onset < stop)).sum())
        if count > MOST_NOTES:
            raise RequestError(f"the passage has {count} notes; {MOST_NOTES} at most are written at once")
        edit = self._accompaniment(notes) if self.verb == "accompany" else self._passage(notes, stop, seed)
        if self.verb != "accompany" and edit.is_replaced.all():
            raise RequestError("nothing of the piece would be left: compose a new one instead")
        return edit

    def _passage(self, notes: Notes, stop: float, seed: int) -> Edit:
        is_kept = find_kept(notes, self.start, stop, self.keep)
        if self.strength is not None:
            is_line = find_kept(notes, self.start, stop, "top")
            is_kept |= is_line & (np.random.default_rng(seed).random(len(notes)) >= self.strength)
        return Edit(notes, self.start, stop, is_kept, self.keep_pedal, wishes=self.wishes)

    def _accompaniment(self, notes: Notes) -> Edit:
        """Everything but what is kept goes, and what goes with it is written to the piece's end."""
        is_kept = find_kept(notes, 0.0, np.inf, "all" if self.keep is None else self.keep)
        if not is_kept.any():
            raise RequestError("there is nothing to accompany: no note is kept")
        stays = select(notes, is_kept)
        is_all = np.ones(len(stays), dtype=np.bool_)
        return Edit(stays, 0.0, stays.seconds, is_all, self.keep_pedal, leads_back=False, wishes=self.wishes)


def describe_passage(edit: Edit) -> dict[str, Any]:
    """Return what must be stored of a passage beside its music."""
    inside = (edit.music.onset >= edit.start) & (edit.music.onset < edit.stop)
    return {PASSAGE: edit.describe(), KEPT: np.flatnonzero(inside & ~edit.is_replaced).tolist()}


def stored_edit(asked: Mapping[str, Any], notes: Notes) -> Edit | None:
    """Return the passage that a stored piece was asked for, with the music that was given; None where it was none."""
    if PASSAGE not in asked:
        return None
    passage: Mapping[str, Any] = asked[PASSAGE]
    is_kept = np.zeros(len(notes), dtype=np.bool_)
    is_kept[list(asked[KEPT])] = True
    known = {name: passage[name] for name in _FIELDS}
    wishes = {name: wish for name, wish in passage.items() if name not in (*_FIELDS, "from", "to", "given_notes")}
    return Edit(notes, passage["from"], passage["to"], is_kept, **known, wishes=wishes)

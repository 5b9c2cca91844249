"""A written score played with touch: what model and decoder are given of it, part after part, and what results.

    request = Request(edit=Performance.of(notes), style="Chopin", seed=7)
    generate(request, engine).notes         # each written note once, with a player's times, lengths, loudness, pedal

The layout is that of `train.data.layouts`, *touch*: what was played so far, then the notes to come as one would write
them down, without loudness. The tempo stays the score's (`codecs.score` says how near to its time a note stays).

A model that never learned that layout (`has_touch`) goes on from what was played as from any music. Then notes come
at their written times; loudness, length and pedal are the model's.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ...codecs.codec import Booleans, Tokens
from ...codecs.grid import KEY_COUNT, TIME_STEPS
from ...codecs.note import NoteCodec
from ...codecs.score import ScoreDecoder, WrittenNotes
from ...errors import RequestError, require
from ...model.bundle import Bundle
from ...music.notes import HIGHEST_PITCH, LOWEST_PITCH, Note, Notes, Pedal, shift
from ..given import NO_TOKENS, UNKNOWN, Layout, lay_out
from ..passage import LEAD, Edit, OpenPassage, Part, can_fill, find_lead

MOST_NOTES = 20_000
AHEAD = 24  # notes beyond a part that its layout has, so that it leads on


@dataclass(frozen=True, eq=False)
class Performance(Edit):
    """A score to be played: all notes of `music`, whose loudness and pedal do not count. Made by `of`."""

    KIND: ClassVar[str] = "score"

    @classmethod
    def of(cls, music: Notes) -> Performance:
        """Return what plays a score; raises RequestError for one that no piano can play."""
        require(music, Notes, "a score is Notes, as read_midi returns them")
        if not 1 <= len(music) <= MOST_NOTES:
            raise RequestError(f"a score to be played has 1 to {MOST_NOTES} notes, not {len(music)}")
        if outside := int(((music.pitch < LOWEST_PITCH) | (music.pitch > HIGHEST_PITCH)).sum()):
            raise RequestError(f"{outside} notes of the score lie outside the 88 keys of a piano")
        return cls(music, float(music.onset[0]), music.seconds, leads_back=False)

    def __post_init__(self) -> None:
        """Check nothing: `of` has."""

    @property
    def is_inside(self) -> Booleans:
        """All notes."""
        return np.ones(len(self.music), dtype=np.bool_)

    @property
    def title(self) -> str:
        """Its part of a take's title."""
        return f"performance-{len(self.music):04d}-notes"

    def describe(self) -> dict[str, Any]:
        """Return what is asked for as JSON values; the score is named by its length."""
        return {"from": self.start, "to": self.stop, "score_notes": len(self.music)}

    def split(self, longest: int) -> Performance:
        """Return the performance in parts of so many notes at most, or as it is where it has parts."""
        if self.parts is not None:
            return self
        # Of the notes that are played: those of one key and moment are one.
        count = math.ceil(len(WrittenNotes.of(self.music, self.start)) / max(longest, 1))
        # Parts are counted in notes: in time they overlap, as the notes of a chord do.
        return replace(self, parts=(Part(0.0, math.inf, math.inf),) * count)

    def join(self, events: list[Note | Pedal]) -> tuple[Notes, Booleans]:
        """Return what was played, all of it new; a press that goes on from part to part is one."""
        played = Notes.from_events(event for event in events if isinstance(event, Note))
        presses = dict(event for event in events if isinstance(event, Pedal))
        notes = Notes.of(played.onset, played.duration, played.pitch, played.velocity, list(presses.items()))
        return notes, np.ones(len(notes), dtype=np.bool_)

    def open(self, number: int, events: list[Note | Pedal], bundle: Bundle) -> OpenPassage:
        """Open a part for a model, after what was played; raises RequestError for a model that plays no scores."""
        assert self.parts is not None
        codec, knows_touch = bundle.codec, has_touch(bundle)
        if not isinstance(codec, NoteCodec):
            raise RequestError(f"{bundle.name} cannot play scores: choose a model with a token a note, such as piano")
        written = WrittenNotes.of(self.music, self.start, is_exact=not knows_touch)
        before = codec.encode(shift(self.join(events)[0], -self.start), is_complete=False)
        decoder = codec.decoder()
        for token in before.tolist():
            decoder.push(token)
        stop = len(written) * (number + 1) // len(self.parts)
        is_played = _find_first(written.key, before[:, 1])
        played = ScoreDecoder(decoder, written, is_played, stop)
        if not knows_touch:
            plain = _plain_layout(before[max(len(before) - bundle.model.context // 2, 0) :])
            return OpenPassage(plain, played, self.start, before, NO_TOKENS)
        lead = find_lead(before, LEAD)
        given, led = before[: len(before) - lead], before[len(before) - lead :]
        is_named = is_played & ~_find_first(written.key, given[:, 1])
        is_named[np.flatnonzero(~is_played)[: stop - decoder.note_count + AHEAD]] = True
        layout = lay_out(
            given[max(len(given) - self.context, 0) :],
            led,
            NO_TOKENS,
            kept=written.tokens(is_named, int(TIME_STEPS[given[:, 0]].sum())),
            length=bundle.model.context,
        )
        return OpenPassage(layout.prefix(lead), played, self.start, before, NO_TOKENS)


def has_touch(bundle: Bundle) -> bool:
    """Whether a model has learned to play what is written; its card says so where it has not."""
    data = bundle.card.get("training", {}).get("settings", {}).get("data", {})
    return can_fill(bundle) and bool(data.get("touch", True))


def _plain_layout(tokens: Tokens) -> Layout:
    """Lay out music that is gone on with from left to right."""
    nothing = np.zeros(len(tokens), dtype=np.int64)
    return Layout(tokens, nothing, nothing + UNKNOWN, nothing > 0, nothing)


def _find_first(key: np.ndarray[Any, Any], symbols: np.ndarray[Any, Any]) -> Booleans:
    """Tell which written notes, by their keys [N] in order of time, tokens with these symbols play, bool [N].

    The notes of each key are played in their order.
    """
    left = Counter(symbols[symbols < KEY_COUNT].tolist())
    is_played = np.zeros(len(key), dtype=np.bool_)
    for note, number in enumerate(key.tolist()):
        is_played[note] = left[number] > 0
        left[number] -= 1
    return is_played

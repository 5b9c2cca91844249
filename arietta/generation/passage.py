"""A passage of a piece, written anew: what model and decoder are given of it, and the piece that results.

    edit = Edit(notes, 12.0, 20.0, is_kept=notes.pitch < 60)
    opened = open_passage(edit, NoteCodec(), most_tokens=1500)
    opened.layout.tokens      # to prefill
    opened.decoder            # takes the passage's tokens, until BACK
    edit.join(events)      # the whole piece, and which of its notes are new

A note belongs where its onset lies, in start <= onset < stop. Everything else is given and never changes: notes stay as
they are, to the float, and the pedal is the same function of time outside the passage. A passage may have parts, which
are written one after another (`generation.parts`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..codecs.codec import Booleans, Tokens
from ..codecs.grid import (
    BACK,
    END,
    KEY_COUNT,
    PEDAL_DOWN,
    PEDAL_UP,
    REST,
    STEPS_PER_SECOND,
    TIME_STEPS,
    after_wait,
    merge_by_column,
)
from ..codecs.note import NoteCodec
from ..codecs.passage import ENDLESS, Frame, PassageDecoder
from ..codecs.score import ScoreDecoder
from ..errors import NUMBER, RequestError, require
from ..model.bundle import Bundle
from ..model.config import ConditionIds, ModelConfig
from ..music.notes import Note, Notes, Pedal, Seconds, clip_pedal, next_strike, shift
from .given import NO_TOKENS, UNKNOWN, Layout, kept_tokens, lay_out

SHORTEST_PASSAGE = 12  # tokens, of the passages that models are trained on; shorter ones take in what is around them
CONTEXT = 256  # tokens given on each side, unless more are asked for
# Tokens just before a passage that stand after FILL, not before it: models predict the first few after FILL far worse
# than in plain order (`benchmarks.quality.passages known`), and so these are given ones.
LEAD = 16
SHORTEST_SECONDS = 4 / STEPS_PER_SECOND
TOKENS_PER_SECOND = 8  # of passages of which nothing is known
GRID_ERROR = 1e-6  # steps: what floats lose of a time on the grid


class Part(NamedTuple):
    """What of a passage is written at once: from `start` to before `stop`, as the beginning of what goes on to `end`.

    All are seconds of the piece. What lies between `stop` and `end` is left to the next part.
    """

    start: float
    stop: float
    end: float

    def is_over(self, second: float) -> bool:
        """Whether nothing of the part is still to come at this moment of the piece."""
        return self.stop < self.end and second > self.stop - GRID_ERROR / STEPS_PER_SECOND

    def clip(self, event: Note | Pedal) -> list[Note | Pedal]:
        """Return what the part has of an event: nothing of one that the next part writes again."""
        if isinstance(event, Note):
            onset = float(np.clip(event.onset, self.start, np.nextafter(self.stop, 0)))
            return [] if self.is_over(event.onset) else [event._replace(onset=onset)]
        down, up = max(event.down, self.start), min(event.up, self.stop)
        return [Pedal(down, up)] if down < up else []


@dataclass(frozen=True, eq=False)
class Edit:
    """What `music` has from `start` to before `stop` (s), written anew but for the notes of `is_kept` bool [N].

    New pedal is played unless `keep_pedal`. `leads_back` is False where the passage ends with its last kept note and
    nothing follows. `context` tokens are given on each side. With `parts` these alone are written, one after another.
    """

    KIND: ClassVar[str] = "passage"  # its name in the description of a request

    music: Notes = field(repr=False)
    start: float
    stop: float
    is_kept: Booleans | None = field(default=None, repr=False)
    keep_pedal: bool = False
    leads_back: bool = True
    context: int = CONTEXT
    parts: tuple[Part, ...] | None = None

    def __post_init__(self) -> None:
        require(self.music, Notes, "a passage is one of Notes, as read_midi returns them")
        for second in (self.start, self.stop):
            require(second, NUMBER, "a passage begins and ends at numbers of seconds")
        if not 0 <= self.start < self.stop:
            raise RequestError(
                f"a passage begins at 0 s or later and before it ends, not {self.start:g}-{self.stop:g} s"
            )
        if any(part.stop - part.start < SHORTEST_SECONDS - GRID_ERROR for part in self.written):
            raise RequestError(f"a passage takes at least {SHORTEST_SECONDS:g} s")
        if not self.leads_back and self.stop < self.music.seconds - GRID_ERROR:
            raise RequestError(f"a passage that leads nowhere ends with the piece, at {self.music.seconds:g} s")
        if self._edges != sorted([self.start, *self._edges, self.stop])[1:-1]:
            raise RequestError("the parts of a passage lie in it, one after another")

    @property
    def written(self) -> tuple[Part, ...]:
        """The parts, or the passage as its only one."""
        return (Part(self.start, self.stop, self.stop),) if self.parts is None else self.parts

    @property
    def _edges(self) -> list[float]:
        return [edge for part in self.written for edge in part[:2]]

    @property
    def is_inside(self) -> Booleans:
        """The notes that begin in what is written, bool [N]."""
        return np.asarray(np.searchsorted(self._edges, self.music.onset, side="right") % 2 == 1)

    @property
    def is_replaced(self) -> Booleans:
        """The notes that are written anew, bool [N]."""
        return self.is_inside if self.is_kept is None else self.is_inside & ~self.is_kept

    @property
    def title(self) -> str:
        """Its part of a take's title."""
        return f"passage-{round(self.start, 2):g}-to-{round(self.stop, 2):g}-seconds"

    def describe(self) -> dict[str, Any]:
        """Return what is asked for as JSON values; the music is named by its length, kept notes by their number."""
        values: dict[str, Any] = {"from": self.start, "to": self.stop, "given_notes": int((~self.is_replaced).sum())}
        return values | {"keep_pedal": self.keep_pedal, "leads_back": self.leads_back, "context": self.context}

    def join(self, events: list[Note | Pedal]) -> tuple[Notes, Booleans]:
        """Put what was composed into the piece; return it and which of its notes are new, bool [N].

        A new note ends where its key is struck again.
        """
        new, stays = Notes.from_events(events), ~self.is_replaced
        count = int(stays.sum())
        onset, pitch, velocity, duration = (
            np.concatenate([getattr(self.music, name)[stays], getattr(new, name)])
            for name in ("onset", "pitch", "velocity", "duration")
        )
        onset[count:] = np.clip(onset[count:], self.start, np.nextafter(self.stop, 0))
        joined = Notes.of(onset, duration, pitch, velocity)
        is_new = np.arange(len(onset))[np.lexsort((pitch, onset))] >= count
        room = next_strike(joined) - joined.onset
        if self.parts is not None and not self.leads_back:
            room = np.minimum(room, self.stop - joined.onset)
        duration = np.where(is_new, np.minimum(joined.duration, room), joined.duration)
        pedal = self.music.pedal if self.keep_pedal else self._join_pedal(new.pedal)
        return Notes.of(joined.onset, duration, joined.pitch, joined.velocity, pedal), is_new

    def part(self, number: int, events: list[Note | Pedal]) -> Edit:
        """Return the edit of a part, in the piece as the parts before left it with these events."""
        if self.parts is None:
            return self
        written, (start, _, end) = replace(self, parts=self.parts[:number]), self.parts[number]
        music, is_new = written.join(events)
        is_kept = is_new.copy()
        if self.is_kept is not None:
            is_kept[~is_new] = self.is_kept[~written.is_replaced]
        leads_back = self.leads_back or end < self.stop
        return replace(self, music=music, start=start, stop=end, is_kept=is_kept, leads_back=leads_back, parts=None)

    def open(self, number: int, events: list[Note | Pedal], bundle: Bundle) -> OpenPassage:
        """Open a part for a model, in the piece as these events left it; raises RequestError where it cannot be."""
        return open_in_model(self.part(number, events), bundle)

    def _join_pedal(self, pressed: Seconds) -> Seconds:
        """The pedal of the piece outside the passage and `pressed` inside it; presses that meet at an edge are one."""
        edges = [-np.inf, *self._edges, np.inf]
        parts = []
        for index, (low, high) in enumerate(pairwise(edges)):
            parts += clip_pedal(pressed if index % 2 else self.music.pedal, low, high).tolist()
        joined: list[list[float]] = []
        for down, up in parts:
            if joined and joined[-1][1] == down and down in edges:
                joined[-1][1] = up
            else:
                joined.append([down, up])
        return np.array(joined).reshape(-1, 2)


@dataclass(frozen=True)
class OpenPassage:
    """A passage as it is composed.

    `layout` is what is prefilled, up to FILL and what leads into the passage. `decoder` stands at the passage's
    beginning; its clock is `shift` seconds behind the piece's. `before` and `after` are the tokens [T, 4] on its sides,
    `after` without rests before it.
    """

    layout: Layout
    decoder: PassageDecoder | ScoreDecoder
    shift: float
    before: Tokens
    after: Tokens

    def in_plain_order(self, written: Tokens) -> Tokens:
        """Return the piece with these tokens of the passage, BACK among them, as composed from left to right."""
        if written[-1, 1] != BACK:
            return np.concatenate([self.before, written])
        first = np.array([[written[-1, 0], *self.after[0, 1:]]], dtype=np.uint16)
        return np.concatenate([self.before, written[:-1], first, self.after[1:]])

    def condition(self, model: ModelConfig, ids: ConditionIds) -> ConditionIds:
        """Return the condition ids of the next token: `ids`, with its role and what is left of the passage."""
        left = self.decoder.steps_left
        next_token = replace(
            self.layout,
            tokens=self.layout.tokens[-1:],
            role=self.layout.role[-1:],
            left=np.array([UNKNOWN if left is None else left]),
        )
        return tuple(next_token.conditions(model, ids)[0].tolist())


def open_in_model(edit: Edit, bundle: Bundle) -> OpenPassage:
    """Open a passage for a model, in a window of its context; raises RequestError where it cannot be."""
    return open_passage(edit, filling_codec(bundle), most_tokens=bundle.model.context)


def filling_codec(bundle: Bundle) -> NoteCodec:
    """Return the codec of a model that can write passages; raises RequestError for one that cannot."""
    if isinstance(bundle.codec, NoteCodec) and can_fill(bundle):
        return bundle.codec
    raise RequestError(
        f"{bundle.name} composes and continues pieces, and cannot write passages of one: choose a newer model, "
        "such as piano"
    )


def can_fill(bundle: Bundle) -> bool:
    """Whether a model knows layouts of given music."""
    names = {condition.name for condition in bundle.model.conditions}
    return isinstance(bundle.codec, NoteCodec) and bundle.codec.version > 1 and "role" in names


def open_passage(edit: Edit, codec: NoteCodec, *, most_tokens: int) -> OpenPassage:
    """Lay out what is given, in at most `most_tokens` tokens with the passage's old ones, and open a decoder on it."""
    begins = [edit.start, *edit.music.onset[:1], *edit.music.pedal[:1, 0]]
    origin = float(min(begins))
    piece = _Piece.of(shift(edit.music, -origin), codec)
    window = _step_from(edit.start - origin), _step_from(edit.stop - origin)
    region = _find_region(piece, edit, window)
    before, old, after = piece.tokens[: region.start], piece.tokens[region], piece.tokens[region.stop :]
    end = None
    if edit.leads_back:
        end = int(piece.step[region.stop :][after[:, 1] != REST][0])
        # What follows may begin in the step in which the passage ends; then this is left to it.
        window = (window[0], min(window[1], end)) if after[0, 1] != END else window
        end = max(end, window[1])
        if after[0, 1] == END:  # the piece ends with its last release, not with its last key
            after = after_wait(after[0], end - int(piece.step[region.stop - 1]))
    else:
        after = NO_TOKENS
    is_given = _is_given(piece, edit, window)[region]
    frame = Frame(
        given=piece.rows(region)[is_given],
        first=window[0],
        stop=window[1],
        is_pedal_down=edit.leads_back and _is_pedal_down(piece, window[1]),
        is_pedal_given=edit.keep_pedal,
        end=end,
        strikes=_strikes(piece, region.stop if edit.leads_back else len(piece.tokens)),
    )
    lead = find_lead(before, min(LEAD, edit.context))
    led = np.concatenate([before[len(before) - lead :], old])
    # Where notes stay, those of the lead stay too, and stand after KEPT with them: true music is likelier so.
    is_named = len(kept_tokens(old, is_given)) > 0
    kept = kept_tokens(led, np.concatenate([np.full(lead, is_named), is_given]))
    if len(led) + len(kept) + len(after[:1]) + 4 > most_tokens:
        raise RequestError(
            f"{edit.start:g}-{edit.stop:g} s has {len(old)} tokens and {len(kept)} to keep, and the model sees "
            f"{most_tokens} at a time: choose a shorter passage"
        )
    layout = lay_out(
        before[max(len(before) - edit.context, 0) : len(before) - lead],
        led,
        after[: edit.context],
        kept=kept,
        length=most_tokens,
    )
    decoder = codec.decoder()
    for token in before.tolist():
        decoder.push(token)
    for pitch, until in zip(*piece.held(region.start), strict=True):
        decoder.hold(pitch, until)
    rest_count = int(np.logical_and.accumulate(after[:, 1] == REST).sum())
    return OpenPassage(layout.prefix(lead), PassageDecoder(decoder, frame), origin, before, after[rest_count:])


@dataclass(frozen=True)
class _Piece:
    """A piece in tokens, with the step of each, and the index of its note, -1 where it is none."""

    music: Notes
    tokens: Tokens
    step: NDArray[np.int64]
    note: NDArray[np.int64]

    @classmethod
    def of(cls, music: Notes, codec: NoteCodec) -> _Piece:
        """Encode a piece that begins at 0 s."""
        tokens = codec.encode(music)
        step = TIME_STEPS[tokens[:, 0]].cumsum()
        chosen, key, onset_step = merge_by_column(music)
        notes = dict(zip(zip(onset_step.tolist(), key.tolist(), strict=True), chosen.tolist(), strict=True))
        symbols = zip(step.tolist(), tokens[:, 1].tolist(), strict=True)
        return cls(music, tokens, step, np.array([notes.get(symbol, -1) for symbol in symbols]))

    def rows(self, region: slice) -> NDArray[np.int64]:
        """The tokens of a region as `Frame.given` has them, int64 [M, 5]."""
        note = self.note[region]
        release = np.ceil(self.music.release[note] * STEPS_PER_SECOND - GRID_ERROR) if len(self.music) else note
        return np.stack([self.step[region], *self.tokens[region, 1:].T, np.where(note < 0, 0, release)], 1).astype(
            np.int64
        )

    def held(self, stop: int) -> tuple[list[int], list[float]]:
        """Pitches and releases (s) of the notes before token `stop`."""
        note = self.note[:stop][self.note[:stop] >= 0]
        return self.music.pitch[note].tolist(), self.music.release[note].tolist()


def _step_from(seconds: float) -> int:
    """The first step that does not lie before so many seconds."""
    return int(np.ceil(seconds * STEPS_PER_SECOND - GRID_ERROR))


def _find_region(piece: _Piece, edit: Edit, window: tuple[int, int]) -> slice:
    """Find the tokens of a passage, `SHORTEST_PASSAGE` or more where the piece has so many."""
    # Notes go by their onsets, not by the steps these are rounded to: a note that follows would else be a kept one,
    # and with one kept note after many models write a passage that is too dense.
    is_note, onset = piece.note >= 0, np.append(edit.music.onset, 0.0)[piece.note]
    is_from = np.where(is_note, onset >= edit.start, (piece.step >= window[0]) | (piece.tokens[:, 1] == END))
    is_until = np.where(is_note, onset < edit.stop, piece.step < window[1])
    first = max(int(np.argmax(is_from)), 1)
    stop = len(piece.tokens) - 1 - int(np.argmax(is_until[-2::-1]))
    first, stop = min(first, stop), max(first, stop) if edit.leads_back else len(piece.tokens) - 1
    if max(stop - first, int(TOKENS_PER_SECOND * (edit.stop - edit.start))) < SHORTEST_PASSAGE:
        last = len(piece.tokens) - 1
        stop = min(stop + (SHORTEST_PASSAGE - stop + first) // 2, last)
        first = max(stop - SHORTEST_PASSAGE, 1)
        stop = min(max(stop, first + SHORTEST_PASSAGE), last)
    # A passage begins after a note or the pedal, so that the waits of its rests are its own.
    while first > 1 and piece.tokens[first - 1, 1] == REST:
        first -= 1
    return slice(first, stop)


def find_lead(before: Tokens, most: int) -> int:
    """How many of the tokens before a passage lead into it: from a note or the pedal on, never what begins a piece."""
    lead = min(most, len(before) - 1)
    while 0 < lead < len(before) - 1 and before[-lead - 1, 1] == REST:
        lead += 1
    return lead


def _is_given(piece: _Piece, edit: Edit, window: tuple[int, int]) -> Booleans:
    """Which tokens stay, bool [T]: notes that are not replaced, and the pedal outside the window."""
    is_replaced = np.append(edit.is_replaced, True)[piece.note]
    is_pedal = np.isin(piece.tokens[:, 1], (PEDAL_DOWN, PEDAL_UP))
    is_new_pedal = (piece.step >= window[0]) & ((piece.step < window[1]) | (not edit.leads_back))
    is_new_pedal &= not edit.keep_pedal
    return ~is_replaced | (is_pedal & ~is_new_pedal)


def _is_pedal_down(piece: _Piece, step: int) -> bool:
    """Whether the pedal is down just before a step."""
    moves = piece.tokens[np.isin(piece.tokens[:, 1], (PEDAL_DOWN, PEDAL_UP)) & (piece.step < step), 1]
    return bool(len(moves)) and int(moves[-1]) == PEDAL_DOWN


def _strikes(piece: _Piece, begin: int) -> NDArray[np.int64]:
    """The step at which each key is first struck from token `begin` on, int64 [88]."""
    strikes = np.full(KEY_COUNT, ENDLESS)
    is_note = piece.tokens[begin:, 1] < KEY_COUNT
    np.minimum.at(strikes, piece.tokens[begin:, 1][is_note], piece.step[begin:][is_note])
    return strikes

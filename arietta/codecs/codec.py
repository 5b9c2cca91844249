"""What a codec is: notes to tokens and back, and the grammar of tokens.

A token is a row of F small numbers, its fields. Training, engines, sampling and serving are written against `Codec` and
`Decoder` alone; `note` (F = 4, a token per note) and `performance` (F = 1) implement them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..music.notes import Note, Notes, Pedal

Tokens = NDArray[np.uint16]
Booleans = NDArray[np.bool_]
Description = dict[str, Any]
TIME_FIELD, BOUNDED_FIELD = 0, 1  # `Masks.earliest` bounds the first by the value of the second


@dataclass(frozen=True)
class Masks:
    """What the next token may be, given the tokens so far.

    `allowed` bool [V_0 + ... + V_(F-1)]: the fields' values one after the other.
    `earliest` int64 [V_1] (empty where F = 1): value v of BOUNDED_FIELD may only follow a value >= earliest[v]
    of TIME_FIELD. So a pitch that still sounds, or that was passed in the order of a chord, needs a later time.
    """

    allowed: Booleans
    earliest: NDArray[np.int64]


@dataclass(frozen=True)
class Losses:
    """What the grid costs a piece, counted in notes (and pedal pressings): nothing is lost silently."""

    merged: int = 0
    outside: int = 0
    shortened: int = 0
    pedals: int = 0


class Decoder(Protocol):
    """Turns tokens into notes as they come; its state is the grammar."""

    @property
    def clock(self) -> float:
        """Seconds from the start of the piece to the last token."""
        ...

    @property
    def note_count(self) -> int:
        """Notes begun so far."""
        ...

    @property
    def pedal_down_since(self) -> float | None:
        """Second at which the pedal went down that is down now; None where it is up."""
        ...

    @property
    def is_ended(self) -> bool:
        """True once the piece is closed: nothing may follow."""
        ...

    def push(self, token: Sequence[int] | NDArray[Any]) -> list[Note | Pedal]:
        """Take one token, return what it completes; raises CodecError where the grammar forbids the token."""
        ...

    def masks(self) -> Masks:
        """Return what `push` would take next."""
        ...

    def plan(self, *, notes_left: int | None = None, until: float | None = None) -> None:
        """From here on compose exactly `notes_left` notes, or until that second of the piece; then close."""
        ...

    def hold(self, pitch: int, until: float) -> None:
        """Keep a key down until that second: a prompt's own release, which the grid may have shortened."""
        ...

    def avoid(self, pitch: int) -> None:
        """Offer no note of this pitch until another one is struck."""
        ...

    def fit(self, token: Sequence[int]) -> Sequence[int]:
        """Return the token, amended where it would outlast the plan's `until`."""
        ...

    def announce_end(self, notes_left: int) -> None:
        """Force a coda as the next token, where the codec has one: about `notes_left` notes remain."""
        ...

    def finish(self) -> list[Note | Pedal]:
        """Release every key and the pedal at the time they reach, and end."""
        ...


class Codec(Protocol):
    """Notes <-> tokens uint16 [T, F]; field f of a token lies in [0, field_sizes[f])."""

    @property
    def name(self) -> str: ...

    @property
    def can_continue(self) -> bool:
        """True where a prompt can be continued and a length in seconds be met."""
        ...

    @property
    def field_names(self) -> tuple[str, ...]: ...

    @property
    def field_sizes(self) -> tuple[int, ...]: ...

    @property
    def sampled_field(self) -> int:
        """The field that temperature, top-p and min-p act on: which key is struck. The others are drawn as they are.

        Cutting the tails of times and durations makes music denser and shorter, not truer.
        """
        ...

    @property
    def tables(self) -> Mapping[int, tuple[int, Booleans]]:
        """Field -> (the earlier field it depends on, allowed bool [V_earlier, V_field]); fixed for the codec."""
        ...

    def describe(self) -> Description:
        """Return what `load_codec` needs to build this codec again, as JSON values with the key "name"."""
        ...

    def encode(self, notes: Notes, *, is_complete: bool = True, coda: int = 0) -> Tokens:
        """Turn notes into tokens; an incomplete piece (a prompt) has no end and stops at its last note.

        `coda` > 0 puts a coda token before the last `coda` notes, where the codec has one.
        """
        ...

    def decode(self, tokens: Tokens) -> Notes:
        """Fold `Decoder.push` over the tokens."""
        ...

    def quantise(self, notes: Notes) -> Notes:
        """Return the notes as the grid holds them: decode(encode(notes)) == quantise(notes)."""
        ...

    def losses(self, notes: Notes) -> Losses:
        """Count what `quantise` merges, leaves out and shortens."""
        ...

    def loss_mask(self, tokens: Tokens) -> Booleans:
        """Say which fields carry information, bool [..., T, F]: the others are fixed and never in a loss."""
        ...

    def decoder(self) -> Decoder: ...


def fingerprint(codec: Codec) -> str:
    """Identify a codec by its description: 16 hexadecimal digits."""
    text = json.dumps(codec.describe(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def field_slices(codec: Codec) -> list[slice]:
    """Where each field's values lie in `Masks.allowed`, and in the engine's noise."""
    edges = np.cumsum([0, *codec.field_sizes])
    return [slice(int(low), int(high)) for low, high in pairwise(edges)]


def decode_with(decoder: Decoder, tokens: Tokens) -> Notes:
    """Push every token and gather the notes; keys and a pedal still held are released where they stand."""
    events: list[Note | Pedal] = []
    for token in tokens.tolist():
        events.extend(decoder.push(token))
    if not decoder.is_ended:
        events.extend(decoder.finish())
    return Notes.from_events(events)

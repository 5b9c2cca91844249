"""The first seed's symbols: ChordCodec, one token per chord or single note, without lengths and velocities.

A symbol is a pitch (a note struck alone) or the pitch classes of what is struck together, in normal order (C-E-G in
any octave and inversion is 0.4.7). The vocabulary is what a corpus has often enough, and is kept in the codec's
description; rarer symbols are left out of a piece. Decoding places a symbol every quarter of a second, each chord
inside the octave above middle C, as the seed did. So this codec keeps little of a piece; it is here so that the
seed's figures can be reproduced and explained.

    codec = ChordCodec.learn(pieces)
    codec.symbols            # (48, 52, ..., (0, 4, 7), ...)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arietta.codecs.codec import Booleans, Description, Losses, Masks, Tokens, decode_with
from arietta.errors import CodecError
from arietta.music.notes import Note, Notes, Pedal

Symbol = int | tuple[int, ...]

STRUCK_TOGETHER = 0.05  # seconds after a chord's first note within which others belong to it
SECONDS_PER_SYMBOL = 0.25  # half a quarter note at 120 a minute, the seed's step
VELOCITY = 64
CHORD_OCTAVE = 60
OCTAVE = 12


class ChordCodec:
    """Notes <-> tokens uint16 [T, 1] over the `symbols` of a corpus: single notes first, then chords."""

    name = "chord"
    can_continue = False
    sampled_field = 0
    field_names = ("symbol",)

    def __init__(self, symbols: Sequence[Symbol]) -> None:
        """Raise CodecError where no symbol is a single note: a piece of N notes could not be completed."""
        if not any(isinstance(symbol, int) for symbol in symbols):
            raise CodecError(
                f"none of the {len(symbols)} symbols is a single note, so a piece could not end after exactly N notes; "
                "learn from more music or with a lower minimum"
            )
        self.symbols = tuple(symbols)
        self._values = {symbol: value for value, symbol in enumerate(self.symbols)}

    @classmethod
    def learn(cls, pieces: Iterable[Notes], minimum: int = 50) -> ChordCodec:
        """Take the symbols that `pieces` have at least `minimum` times; raises CodecError without a single note.

        The seed read the two hands of a file apart, so its pieces are hands: read_midi(path, tracks=[1]).
        """
        counts = Counter(symbol for piece in pieces for symbol, _ in _struck(piece))
        often = [symbol for symbol, count in counts.items() if count >= minimum]
        alone = sorted(symbol for symbol in often if isinstance(symbol, int))
        chords = sorted(symbol for symbol in often if isinstance(symbol, tuple))
        return cls([*alone, *chords])

    @property
    def field_sizes(self) -> tuple[int, ...]:
        return (len(self.symbols),)

    @property
    def tables(self) -> Mapping[int, tuple[int, Booleans]]:
        return {}

    def describe(self) -> Description:
        symbols = [list(symbol) if isinstance(symbol, tuple) else symbol for symbol in self.symbols]
        return {"name": self.name, "version": 1, "symbols": symbols}

    def encode(self, notes: Notes, *, is_complete: bool = True, coda: int = 0) -> Tokens:
        """Turn notes into tokens [T, 1], leaving out what the vocabulary lacks; the options have no effect."""
        values = [self._values[symbol] for symbol, _ in _struck(notes) if symbol in self._values]
        return np.array(values, dtype=np.uint16)[:, None]

    def decode(self, tokens: Tokens) -> Notes:
        return decode_with(self.decoder(), tokens)

    def quantise(self, notes: Notes) -> Notes:
        """Return the chords that the vocabulary has, one every quarter of a second."""
        known = [symbol for symbol, _ in _struck(notes) if symbol in self._values]
        return Notes.from_events(note for index, symbol in enumerate(known) for note in _voiced(symbol, index))

    def losses(self, notes: Notes) -> Losses:
        """Count as outside the notes of unknown symbols, as merged what a chord has beyond its pitch classes."""
        outside = merged = 0
        for symbol, note_count in _struck(notes):
            if symbol in self._values:
                merged += note_count - len(pitches(symbol))
            else:
                outside += note_count
        return Losses(merged=merged, outside=outside, pedals=len(notes.pedal))

    def loss_mask(self, tokens: Tokens) -> Booleans:
        return np.ones(tokens.shape, dtype=np.bool_)

    def decoder(self) -> ChordDecoder:
        return ChordDecoder(self.symbols)


class ChordDecoder:
    """The grammar of the symbols: any may follow any, until a planned piece has its notes."""

    def __init__(self, symbols: Sequence[Symbol]) -> None:
        self._symbols = symbols
        self._sizes = np.array([len(pitches(symbol)) for symbol in symbols])
        self._symbol_count = 0
        self._note_count = 0
        self._notes_left: int | None = None
        self._avoided: int | None = None
        self._is_finished = False

    @property
    def clock(self) -> float:
        return max(self._symbol_count - 1, 0) * SECONDS_PER_SYMBOL

    @property
    def note_count(self) -> int:
        return self._note_count

    @property
    def pedal_down_since(self) -> None:
        """None: this codec has no pedal."""
        return None

    @property
    def is_ended(self) -> bool:
        return self._is_finished or self._notes_left == 0

    def plan(self, *, notes_left: int | None = None, until: float | None = None) -> None:
        """Compose `notes_left` notes and end; raises CodecError for `until`: symbols have no length."""
        if until is not None:
            raise CodecError("the chord codec composes a number of notes, not of seconds")
        self._notes_left = notes_left

    def hold(self, pitch: int, until: float) -> None:
        raise CodecError("the chord codec does not continue a prompt")

    def avoid(self, pitch: int) -> None:
        self._avoided = pitch

    def fit(self, row: Sequence[int]) -> Sequence[int]:
        return row

    def announce_end(self, notes_left: int) -> None:
        """Do nothing: there is no coda."""

    def masks(self) -> Masks:
        """Offer the symbols with no more notes than are left, less those with a pitch to avoid."""
        if self.is_ended:
            raise CodecError("the piece is closed: no row may follow its end")
        allowed = np.ones(len(self._symbols), dtype=np.bool_)
        if self._notes_left is not None:
            allowed = self._sizes <= self._notes_left
        if self._avoided is not None:
            others = allowed & [self._avoided not in pitches(symbol) for symbol in self._symbols]
            allowed = others if others.any() else allowed
        return Masks(allowed, np.zeros(0, dtype=np.int64))

    def push(self, row: Sequence[int] | NDArray[Any]) -> list[Note | Pedal]:
        (value,) = (int(field) for field in row)
        if not 0 <= value < len(self._symbols):
            raise CodecError(f"symbol {value}: symbols lie in 0-{len(self._symbols) - 1}")
        if self.is_ended:
            raise CodecError(f"symbol {value}: nothing follows the end of a piece")
        notes: list[Note | Pedal] = [*_voiced(self._symbols[value], self._symbol_count)]
        if self._notes_left is not None:
            if len(notes) > self._notes_left:
                raise CodecError(f"symbol {value} has {len(notes)} notes, {self._notes_left} are left to compose")
            self._notes_left -= len(notes)
        self._symbol_count += 1
        self._note_count += len(notes)
        self._avoided = None
        return notes

    def finish(self) -> list[Note | Pedal]:
        self._is_finished = True
        return []


def normal_order(pitch_classes: Iterable[int]) -> tuple[int, ...]:
    """Turn pitch classes so that they span least, then lie packed towards the first; of equals, the lowest first.

    (Forte, The Structure of Atonal Music, 1973; ties as in Rahn, Basic Atonal Theory, 1980, who compares the spans
    to the last note, then to the last but one, and so on.)
    """
    rising = sorted({pitch_class % OCTAVE for pitch_class in pitch_classes})
    turned = [(*rising[first:], *rising[:first]) for first in range(len(rising))]
    return min(turned, key=_spans, default=())


def pitches(symbol: Symbol) -> tuple[int, ...]:
    """Say which keys play a symbol, rising; one pitch class alone was an octave and stays one."""
    if isinstance(symbol, int):
        return (symbol,)
    keys = tuple(CHORD_OCTAVE + pitch_class for pitch_class in sorted(symbol))
    return keys if len(keys) > 1 else (*keys, keys[0] + OCTAVE)


def _spans(order: tuple[int, ...]) -> tuple[int, ...]:
    """The intervals from the first to the last, the last but one, ...; then the first itself."""
    return (*((pitch_class - order[0]) % OCTAVE for pitch_class in reversed(order)), order[0])


def _struck(notes: Notes) -> Iterator[tuple[Symbol, int]]:
    """Give each symbol of a piece in turn, with how many notes it has there."""
    begin = 0
    while begin < len(notes):
        end = int(np.searchsorted(notes.onset, notes.onset[begin] + STRUCK_TOGETHER))
        end = max(end, begin + 1)
        keys = np.unique(notes.pitch[begin:end]).tolist()
        yield (keys[0] if len(keys) == 1 else normal_order(keys)), end - begin
        begin = end


def _voiced(symbol: Symbol, index: int) -> Iterator[Note]:
    for pitch in pitches(symbol):
        yield Note(index * SECONDS_PER_SYMBOL, SECONDS_PER_SYMBOL, pitch, VELOCITY)

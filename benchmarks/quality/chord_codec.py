"""The first seed's symbols: ChordCodec, one token per chord or single note, without lengths and velocities.

A symbol is a pitch (a note struck alone) or the pitch classes of what is struck together, in normal order (C-E-G in
any octave and inversion is 0.4.7). The vocabulary is what a corpus has often enough; rarer symbols are left out of a
piece. So this codec keeps little of a piece; it is here so that the seed's figures can be reproduced and explained,
and only encodes.

    codec = ChordCodec.learn(pieces)
    codec.symbols            # (48, 52, ..., (0, 4, 7), ...)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from arietta.codecs.codec import Tokens
from arietta.music.notes import Notes

Symbol = int | tuple[int, ...]

STRUCK_TOGETHER = 0.05  # seconds after a chord's first note within which others belong to it
OCTAVE = 12


class ChordCodec:
    """Notes -> tokens uint16 [T, 1] over the `symbols` of a corpus: single notes first, then chords."""

    def __init__(self, symbols: Sequence[Symbol]) -> None:
        self.symbols = tuple(symbols)
        self._values = {symbol: value for value, symbol in enumerate(self.symbols)}

    @classmethod
    def learn(cls, pieces: Iterable[Notes], minimum: int = 50) -> ChordCodec:
        """Take the symbols that `pieces` have at least `minimum` times.

        The seed read the two hands of a file apart, so its pieces are hands: read_midi(path, tracks=[1]).
        """
        counts = Counter(symbol for piece in pieces for symbol in _struck(piece))
        often = [symbol for symbol, count in counts.items() if count >= minimum]
        alone = sorted(symbol for symbol in often if isinstance(symbol, int))
        chords = sorted(symbol for symbol in often if isinstance(symbol, tuple))
        return cls([*alone, *chords])

    @property
    def field_sizes(self) -> tuple[int, ...]:
        return (len(self.symbols),)

    def encode(self, notes: Notes) -> Tokens:
        """Turn notes into tokens [T, 1], leaving out what the vocabulary lacks."""
        values = [self._values[symbol] for symbol in _struck(notes) if symbol in self._values]
        return np.array(values, dtype=np.uint16)[:, None]


def normal_order(pitch_classes: Iterable[int]) -> tuple[int, ...]:
    """Turn pitch classes so that they span least, then lie packed towards the first; of equals, the lowest first.

    (Forte, The Structure of Atonal Music, 1973; ties as in Rahn, Basic Atonal Theory, 1980, who compares the spans
    to the last note, then to the last but one, and so on.)
    """
    rising = sorted({pitch_class % OCTAVE for pitch_class in pitch_classes})
    turned = [(*rising[first:], *rising[:first]) for first in range(len(rising))]
    return min(turned, key=_spans, default=())


def _spans(order: tuple[int, ...]) -> tuple[int, ...]:
    """The intervals from the first to the last, the last but one, ...; then the first itself."""
    return (*((pitch_class - order[0]) % OCTAVE for pitch_class in reversed(order)), order[0])


def _struck(notes: Notes) -> Iterator[Symbol]:
    """Give each symbol of a piece in turn."""
    begin = 0
    while begin < len(notes):
        end = int(np.searchsorted(notes.onset, notes.onset[begin] + STRUCK_TOGETHER))
        end = max(end, begin + 1)
        keys = np.unique(notes.pitch[begin:end]).tolist()
        yield keys[0] if len(keys) == 1 else normal_order(keys)
        begin = end

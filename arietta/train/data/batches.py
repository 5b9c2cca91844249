"""Training crops: notes from a store, transposed and stretched on the fly, encoded, cut and padded.

Batch k of a seed is always the same, whoever asks for it and in whatever order: resuming needs no more than k, and
processes share a step by taking different k. A crop from the middle of a piece is a plain slice of the piece's tokens,
like the windows of `validation`; one from the beginning has its start token, one at the end its end token, and nearly
always a coda token that announced it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...codecs.codec import Booleans, Codec, Tokens
from ...codecs.grid import LONGEST_CODA, SHORTEST_CODA
from ...corpus.store import Piece, Store
from ...errors import CorpusError
from ...model.conditions import MEASURED, measure_levels
from ...model.config import ModelConfig
from ...music.notes import HIGHEST_PITCH, LOWEST_PITCH, Notes, select, stretch, transpose, trim
from ..config import DataSettings
from .layouts import SHORTEST_CROP, WAYS, draw_layout, forget
from .silences import shorten_silences

# Tokens thrown away before a crop from the middle: an encoder that begins there does not know which keys and pedal
# are held, and writes their tokens as if they began with the crop. After 16 tokens it nearly always does.
LEAD_TOKENS = 16
CODA_SHARE = 0.9  # of the crops that reach an end, so that an end may also come unannounced
PROBED_PIECES, PROBED_NOTES = 16, 500
MARKS = 8  # tokens less in a crop with given music, for what marks its parts
# How many tokens a level is measured of: over a few bars, so that it may change, or over a piece.
BLOCK_SIZES, BLOCK_CHANCES = (64, 128, 256, 512, 4096), (0.15, 0.25, 0.25, 0.15, 0.2)
SHORTER = 8  # times: the crops of a short batch are as much shorter, and as many more


@dataclass(frozen=True)
class TokenBatch:
    """Crops to learn: `tokens` int16 [B, T, F], `counted` bool [B, T, F] (False for padding).

    `conditions` int16 [B, T, K], or [B, K] for all tokens of a crop, go with the tokens that they help to predict. In
    16 bits, for they come from other processes and go to a GPU.
    """

    tokens: NDArray[np.int16]
    counted: Booleans
    conditions: NDArray[np.int16]

    @property
    def token_count(self) -> int:
        """Tokens with at least one counted field."""
        return int(self.counted.any(axis=-1).sum())

    def part(self, crops: slice) -> TokenBatch:
        """Return these of the crops."""
        return TokenBatch(self.tokens[crops], self.counted[crops], self.conditions[crops])


@dataclass(frozen=True)
class Example:
    """One crop as it is learned: `tokens` [T, F], which of them count bool [T], `conditions` int64 [T, K]."""

    tokens: Tokens
    counted: Booleans
    conditions: NDArray[np.int64]


@dataclass(frozen=True)
class Augmentation:
    """How one crop is transposed and stretched: by a point of the allowed range, and by a factor.

    `chance` in [0, 1) says where in the range that keeps the 88 keys the transposition lies. Stretching is
    continuous, not Magenta's five values: on a 10 ms grid each factor is another rounding of the piece.
    """

    chance: float
    factor: float

    def apply(self, notes: Notes, semitones: tuple[int, int]) -> Notes:
        """Transpose and stretch `notes`, moved to begin at 0; notes outside the 88 keys are left out."""
        notes = trim(select(notes, (notes.pitch >= LOWEST_PITCH) & (notes.pitch <= HIGHEST_PITCH)))
        pitch = notes.pitch.astype(np.int64)
        low = max(semitones[0], LOWEST_PITCH - int(pitch.min(initial=HIGHEST_PITCH)))
        high = min(semitones[1], HIGHEST_PITCH - int(pitch.max(initial=LOWEST_PITCH)))
        return stretch(transpose(notes, low + int(self.chance * (high - low + 1))), self.factor)


class Crops:
    """Draws the training crops of a store's split; see `batch`."""

    def __init__(
        self, store: Store, codec: Codec, model: ModelConfig, settings: DataSettings, *, seed: int, split: str = "train"
    ) -> None:
        """Raises CorpusError where the split has no notes."""
        self._store, self._codec, self._model, self._settings, self._seed = store, codec, model, settings, seed
        self._pieces = pieces_of(store, split)
        self._edges = np.cumsum(_crop_chances(self._pieces, settings, model.composers))
        self._tokens_per_note = tokens_per_note(codec, store, self._pieces)

    def batch(self, number: int, size: int) -> TokenBatch:
        """Draw batch `number` of this seed: `size` crops, or `SHORTER` times as many that are as much shorter."""
        rng = np.random.default_rng([self._seed, number])
        length = self._settings.length
        if self._settings.short_share and rng.random() < self._settings.short_share:
            size, length = size * SHORTER, length // SHORTER
        # The last edge may round to just below 1, and a number above it belongs to the last piece.
        drawn = np.minimum(np.searchsorted(self._edges, rng.random(size), side="right"), len(self._pieces) - 1)
        examples = [self.example(self._pieces[int(index)], rng, length) for index in drawn]
        tokens, counted = pad([example.tokens for example in examples], self._codec, length)
        conditions = np.zeros((size, length, len(self._model.conditions)), dtype=np.int16)
        for index, example in enumerate(examples):
            conditions[index, : len(example.tokens)] = example.conditions
            counted[index, : len(example.tokens)] &= example.counted[:, None]
        return TokenBatch(tokens, counted, conditions)

    def example(self, piece: Piece, rng: np.random.Generator, length: int) -> Example:
        """Draw at most `length` tokens of a piece, plain or laid out with given music, and the conditions of each."""
        conditions, shares = self._model.conditions, self._settings.layout_shares
        way = int(np.searchsorted(np.cumsum(list(shares.values())), rng.random(), side="right"))  # len(WAYS): plain
        tokens = self.crop(piece, rng, length if way == len(WAYS) else length - MARKS)
        ids = np.array(self._model.condition_ids(composer=piece.composer, source=piece.source))
        ids[rng.random(len(ids)) < self._settings.any_share] = 0
        by_token = np.tile(ids, (len(tokens), 1))
        if measured := [index for index, condition in enumerate(conditions) if condition.name in MEASURED]:
            block_size = int(rng.choice(BLOCK_SIZES, p=BLOCK_CHANCES))
            block = (np.arange(len(tokens)) + rng.integers(block_size)) // block_size
            levels = measure_levels(tokens, block - block[0], [conditions[index] for index in measured])
            forget(levels, rng)
            by_token[:, measured] = levels
        if way == len(WAYS) or len(tokens) < SHORTEST_CROP:
            return Example(tokens, np.ones(len(tokens), dtype=np.bool_), by_token)
        layout = draw_layout(tokens, WAYS[way], length=length, rng=rng)
        return Example(layout.tokens, layout.counted, layout.conditions(self._model, by_token[layout.origin]))

    def crop(self, piece: Piece, rng: np.random.Generator, length: int) -> Tokens:
        """Draw at most `length` tokens uint16 [T, F] of a piece.

        The first note is drawn from half a crop before the piece to half a crop before its end, and moved inside, so
        that a crop holds the beginning (and likewise the end) half as often as any note in the middle.
        """
        span = length / self._tokens_per_note
        first = int(rng.uniform(-span / 2, piece.notes - span / 2))
        # A quarter more than the estimate, so that one encoding nearly always suffices; the notes of a coda besides.
        note_count = int((length + LEAD_TOKENS) / self._tokens_per_note * 1.25) + LONGEST_CODA
        augmentation = Augmentation(float(rng.random()), float(rng.uniform(*self._settings.stretch)))
        coda = int(rng.integers(SHORTEST_CODA, LONGEST_CODA + 1)) if rng.random() < CODA_SHARE else 0
        is_at_end = first + span >= piece.notes
        start = max(piece.notes - note_count if is_at_end else first, 0)
        tokens = self._encode(piece, start, note_count, length + LEAD_TOKENS, coda, augmentation)
        tokens = tokens[LEAD_TOKENS if start else 0 :]
        return tokens[-length:] if is_at_end else tokens[:length]

    def _encode(
        self, piece: Piece, start: int, note_count: int, token_count: int, coda: int, augmentation: Augmentation
    ) -> Tokens:
        """Encode notes from `start` on: `note_count`, or more where those do not fill `token_count` tokens."""
        while True:
            stop = min(start + note_count, piece.notes)
            is_to_end = stop == piece.notes
            notes = augmentation.apply(self._store.notes(piece.index, start, stop), self._settings.transpose)
            if self._settings.longest_silence:
                notes = shorten_silences(notes, self._settings.longest_silence)
            tokens = self._codec.encode(notes, is_complete=is_to_end, coda=coda if is_to_end else 0)
            if is_to_end or len(tokens) >= token_count:
                return tokens
            note_count *= 2


def _crop_chances(pieces: list[Piece], settings: DataSettings, composers: Sequence[str]) -> NDArray[np.float64]:
    """How likely a crop is from each of the pieces: by notes, inside what the settings give corpora and composers."""
    chances = np.array([piece.notes for piece in pieces], dtype=np.float64)
    corpora = np.array([piece.corpus for piece in pieces])
    is_known = np.array([piece.composer in composers for piece in pieces])
    for corpus in np.unique(corpora):
        # Known composers take their share from the unknown ones of the same corpus, so its total stays.
        is_inside = corpora == corpus
        known, unknown = chances[is_inside & is_known].sum(), chances[is_inside & ~is_known].sum()
        if known and known < settings.known_share * (known + unknown):
            chances[is_inside & is_known] *= settings.known_share * (known + unknown) / known
            chances[is_inside & ~is_known] *= (1 - settings.known_share) * (known + unknown) / unknown
    for corpus, share in zip(settings.corpora, settings.shares, strict=False):
        chances[corpora == corpus] *= share / max(chances[corpora == corpus].sum(), 1.0)
    return np.asarray(chances / chances.sum(), dtype=np.float64)


def pieces_of(store: Store, split: str) -> list[Piece]:
    """Return the pieces of a split that have notes; raises CorpusError where there are none."""
    pieces = [piece for piece in store.pieces if piece.split == split and piece.notes]
    if not pieces:
        splits = ", ".join(sorted({piece.split for piece in store.pieces})) or "no pieces at all"
        raise CorpusError(
            f"{store.path}: no piece in the {split} split (the corpus has {splits}); more works fill all splits "
            "(what the shipped models learned from always trains), and `arietta finetune` holds some out of a few"
        )
    return pieces


def tokens_per_note(codec: Codec, store: Store, pieces: list[Piece]) -> float:
    """Estimate how many tokens a note takes, from the beginnings of a few pieces spread over `pieces`."""
    step = max(len(pieces) // PROBED_PIECES, 1)
    probes = [trim(store.notes(piece.index, 0, PROBED_NOTES)) for piece in pieces[::step][:PROBED_PIECES]]
    tokens = sum(len(codec.encode(notes, is_complete=False)) for notes in probes)
    # Bounded below, since the notes of a crop are found by dividing by it.
    return max(tokens / sum(len(notes) for notes in probes), 0.05)


def pad(crops: list[Tokens], codec: Codec, length: int) -> tuple[NDArray[np.int16], Booleans]:
    """Stack crops into tokens int16 [B, length, F] and what counts, bool [B, length, F]; padding is 0, uncounted."""
    shape = (len(crops), length, len(codec.field_sizes))
    tokens, counted = np.zeros(shape, dtype=np.int16), np.zeros(shape, dtype=np.bool_)
    for index, crop in enumerate(crops):
        tokens[index, : len(crop)] = crop
        counted[index, : len(crop)] = codec.loss_mask(crop)
    return tokens, counted

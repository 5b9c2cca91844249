"""What the law tests draw: pieces that probe the grids, and rows sampled from a decoder's masks.

`pieces` favours what breaks codecs: notes within one 10 ms step of each other, keys struck again while they sound,
waits around a second and far beyond, pitches outside the 88 keys, pedals that touch. `sample` walks the grammar as
a sampler does, field by field, so running into a dead end fails the test that called it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from arietta.codecs.codec import Codec, Decoder, Masks, Tokens, field_slices
from arietta.music.notes import Notes

# A loaded machine takes its time; what is slow is seen in `pytest --durations`.
settings.register_profile("arietta", deadline=None)
settings.load_profile("arietta")

SECONDS = st.one_of(
    st.sampled_from([0.0, 0.0049, 0.005, 0.01, 0.015, 0.5, 0.99, 0.995, 1.0, 1.09, 10.37, 10.38, 20.74, 37.0]),
    st.integers(0, 300).map(lambda step: step / 100),
    st.floats(0.0, 0.02),
    st.floats(0.0, 2.0),
    st.floats(0.0, 40.0),
)
DURATIONS = st.one_of(
    st.sampled_from([0.001, 0.005, 0.01, 0.015, 0.16, 0.165, 1.0, 19.9, 20.0, 30.0]),
    st.floats(1e-6, 0.05),
    st.floats(0.01, 25.0),
)
PITCHES = st.one_of(st.sampled_from([59, 60, 61]), st.integers(21, 108), st.integers(0, 127))
VELOCITIES = st.integers(1, 127)
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def pedals(draw: st.DrawFn, most: int = 6) -> list[tuple[float, float]]:
    """Pressings in order: zero or more, some shorter than a step, some that touch."""
    intervals, clock = [], 0.0
    for _ in range(draw(st.integers(0, most))):
        down = clock + draw(SECONDS)
        clock = down + draw(SECONDS)
        if clock > down:
            intervals.append((down, clock))
    return intervals


@st.composite
def pieces(draw: st.DrawFn, most: int = 24) -> Notes:
    """Notes of 0 to `most` notes, each a drawn wait after the one before."""
    waits = draw(st.lists(SECONDS, max_size=most))
    count = len(waits)
    columns = [draw(st.lists(kind, min_size=count, max_size=count)) for kind in (DURATIONS, PITCHES, VELOCITIES)]
    return Notes.of(np.cumsum(waits), *columns, pedal=draw(pedals()))


@st.composite
def random_numbers(draw: st.DrawFn) -> np.random.Generator:
    """A numpy Generator that hypothesis seeds, so that a failure shrinks to a seed and can be run again."""
    return np.random.default_rng(draw(SEEDS))


def choices(masks: Masks, codec: Codec, row: Sequence[int]) -> np.ndarray:
    """The values of the next field that masks and tables allow after the fields in `row`, int64 [n]."""
    field = len(row)
    allowed = masks.allowed[field_slices(codec)[field]].copy()
    if field == 1:
        allowed &= masks.earliest <= row[0]
    if field in codec.tables:
        on, table = codec.tables[field]
        allowed &= table[row[on]]
    return np.flatnonzero(allowed)


def permits(masks: Masks, codec: Codec, token: Sequence[int]) -> bool:
    """True where masks and tables allow `token`, field after field: the rule that samplers apply."""
    return all(token[field] in choices(masks, codec, token[:field]) for field in range(len(token)))


def sample_row(decoder: Decoder, codec: Codec, rng: np.random.Generator, weights: np.ndarray) -> list[int]:
    """One row, each field drawn in turn among what is allowed; fails where nothing is."""
    masks, row = decoder.masks(), list[int]()
    for part in field_slices(codec):
        values = choices(masks, codec, row)
        assert len(values), f"dead end after {row} at {decoder.clock} s"
        chances = weights[part][values]
        row.append(int(rng.choice(values, p=chances / chances.sum())))
    return row


def uneven(codec: Codec, rng: np.random.Generator) -> np.ndarray:
    """A weight for each value of each field, some thousands of times as large as others: takes differ in kind."""
    return np.exp(rng.normal(0.0, rng.choice([0.1, 2.0, 4.0]), sum(codec.field_sizes)))


def sample(codec: Codec, rng: np.random.Generator, *, free_rows: int, notes_left: int) -> Tokens:
    """A whole piece: up to `free_rows` rows without a plan, then exactly `notes_left` notes, then its close."""
    return (
        np.array([row for row, _ in walk(codec, rng, free_rows=free_rows, notes_left=notes_left)])
        .reshape(-1, len(codec.field_sizes))
        .astype(np.uint16)
    )


def walk(
    codec: Codec, rng: np.random.Generator, *, free_rows: int, notes_left: int, patience: int = 20_000
) -> Iterator[tuple[list[int], Decoder]]:
    """Each sampled row with the decoder as it stands before the row; push to a copy of it only."""
    decoder, weights = codec.decoder(), uneven(codec, rng)
    for row_number in range(free_rows + patience):
        if row_number == free_rows:
            decoder.plan(notes_left=notes_left)
        if decoder.is_ended:
            return
        row = sample_row(decoder, codec, rng, weights)
        yield row, decoder
        decoder.push(row)
    raise AssertionError(f"not closed within {patience} rows of the plan for {notes_left} notes")

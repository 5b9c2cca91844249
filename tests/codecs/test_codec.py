"""The seams that all codecs share: descriptions, fingerprints, masks, folding, and what each codec promises."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.codecs.codec import Codec, Losses, Masks, decode_with, field_slices, fingerprint
from arietta.codecs.grid import END, KEY_COUNT, PEDAL_UP, REST, START
from arietta.codecs.note import NoteCodec
from arietta.codecs.performance import PerformanceCodec
from arietta.music.notes import Note, Notes
from tests.support.strategies import choices, permits, pieces, random_numbers, sample, sample_row

CODECS: list[Codec] = [NoteCodec(), PerformanceCodec()]
each_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


# Identity


def test_fingerprints_are_sixteen_digits_and_differ_between_codecs():
    events = {fingerprint(codec) for codec in CODECS}
    assert len(events) == len(CODECS) == 2
    assert all(len(text) == 16 and set(text) <= set("0123456789abcdef") for text in events)


# Fields and masks


@each_codec
def test_field_slices_lie_side_by_side(codec):
    slices = field_slices(codec)
    assert [part.stop - part.start for part in slices] == list(codec.field_sizes)
    assert slices[0].start == 0
    assert all(left.stop == right.start for left, right in pairwise(slices))
    assert len(codec.field_names) == len(codec.field_sizes)


@each_codec
@given(rng=random_numbers(), free_rows=st.integers(0, 40))
def test_what_a_sampler_draws_from_the_masks_is_permitted_and_taken(codec, rng, free_rows):
    decoder, weights = codec.decoder(), np.ones(sum(codec.field_sizes))
    decoder.plan(notes_left=5)
    for _ in range(free_rows):
        if decoder.is_ended:
            break
        masks, token = decoder.masks(), sample_row(decoder, codec, rng, weights)
        assert masks.allowed.shape == (sum(codec.field_sizes),) and masks.allowed.dtype == np.bool_
        assert masks.earliest.shape == (codec.field_sizes[1] if len(codec.field_sizes) > 1 else 0,)
        assert permits(masks, codec, token)
        decoder.push(token)


@each_codec
@settings(max_examples=10)
@given(rng=random_numbers())
def test_every_value_of_a_first_field_offered_leads_to_a_token(codec, rng):
    decoder = codec.decoder()
    for token in sample(codec, rng, free_rows=12, notes_left=1).tolist():
        masks = decoder.masks()
        for value in choices(masks, codec, []):
            if len(codec.field_sizes) > 1:
                assert len(choices(masks, codec, [int(value)])), (value, token)
        decoder.push(token)


def test_tokens_outside_the_fields_are_not_permitted():
    codec = NoteCodec()
    masks = Masks(np.ones(sum(codec.field_sizes), dtype=bool), np.zeros(codec.field_sizes[1], dtype=np.int64))
    assert permits(masks, codec, [0, 0, 0, 0])
    for field, size in enumerate(codec.field_sizes):
        for value in (-1, size):
            token = [0, 0, 0, 0]
            token[field] = value
            assert not permits(masks, codec, token)


def test_a_value_before_its_earliest_time_is_not_permitted():
    codec = NoteCodec()
    earliest = np.zeros(codec.field_sizes[1], dtype=np.int64)
    earliest[30] = 7
    masks = Masks(np.ones(sum(codec.field_sizes), dtype=bool), earliest)
    assert not permits(masks, codec, [6, 30, 0, 0])
    assert permits(masks, codec, [7, 30, 0, 0])


@pytest.mark.parametrize(
    ("token", "is_permitted"),
    [
        ([100, REST, 0, 0], True),
        ([99, REST, 0, 0], False),
        ([100, 0, 0, 0], False),
        ([0, START, 0, 0], True),
        ([1, START, 0, 0], False),
        ([1, END, 0, 0], False),
        ([5, PEDAL_UP, 0, 0], True),
        ([5, PEDAL_UP, 1, 0], False),
        ([5, PEDAL_UP, 0, 1], False),
        ([5, KEY_COUNT - 1, 127, 31], True),
    ],
)
def test_tables_forbid_what_no_state_allows(token, is_permitted):
    codec = NoteCodec()
    masks = Masks(np.ones(sum(codec.field_sizes), dtype=bool), np.zeros(codec.field_sizes[1], dtype=np.int64))
    assert permits(masks, codec, token) == is_permitted


# Folding


@each_codec
@given(notes=pieces(most=10))
def test_encoded_tokens_are_unsigned_16_bit_and_inside_their_fields(codec, notes):
    tokens = codec.encode(notes)
    assert tokens.dtype == np.uint16 and tokens.shape[1:] == (len(codec.field_sizes),)
    assert (tokens < np.array(codec.field_sizes)).all()


@each_codec
@given(notes=pieces(most=10))
def test_losses_account_for_every_note(codec, notes):
    losses = codec.losses(notes)
    assert len(codec.quantise(notes)) == len(notes) - losses.merged - losses.outside
    assert min(losses.merged, losses.outside, losses.shortened, losses.pedals) >= 0


@each_codec
def test_an_empty_piece_costs_nothing(codec):
    assert codec.losses(Notes.of()) == Losses()
    assert codec.decode(codec.encode(Notes.of())) == codec.quantise(Notes.of()) == Notes.of()


def test_decoding_finishes_a_piece_that_its_tokens_leave_open():
    decoder = PerformanceCodec().decoder()
    tokens = PerformanceCodec().encode(Notes.of([0.0], [1.0], [60], [64]), is_complete=False)
    assert decode_with(decoder, tokens)[0] == Note(0.0, 0.01, 60, 66)
    assert decoder.is_ended

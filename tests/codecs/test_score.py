"""ScoreDecoder: every walk plays each written note once and near its time, and what is not written is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.codecs.grid import DURATION_STEPS, KEY_COUNT, PEDAL_DOWN, REST, START, TIME_STEPS
from arietta.codecs.note import NoteCodec
from arietta.codecs.score import LONGEST_REACH, ScoreDecoder, WrittenNotes
from arietta.errors import CodecError
from arietta.music.notes import Notes, Pedal
from tests.support.strategies import pieces, random_numbers, sample_row, uneven

CODEC = NoteCodec()


def opened(notes: Notes, stop: int | None = None, *, is_exact: bool = False) -> tuple[ScoreDecoder, WrittenNotes]:
    written = WrittenNotes.of(notes, 0.0, is_exact=is_exact)
    decoder = CODEC.decoder()
    decoder.push([0, START, 0, 0])
    is_played = np.zeros(len(written), dtype=np.bool_)
    return ScoreDecoder(decoder, written, is_played, len(written) if stop is None else stop), written


@settings(max_examples=40)
@given(pieces(), random_numbers(), st.booleans())
def test_any_walk_plays_each_written_note_once_and_near_its_time(
    notes: Notes, rng: np.random.Generator, is_exact: bool
) -> None:
    decoder, written = opened(notes, is_exact=is_exact)
    weights, clock, played = uneven(CODEC, rng), 0, list[tuple[int, int]]()
    while not decoder.is_ended:
        token = decoder.fit(sample_row(decoder, CODEC, rng, weights))
        decoder.push(token)
        clock += int(TIME_STEPS[token[0]])
        if token[1] < KEY_COUNT:
            played.append((token[1], clock))
    # By key and then by time: notes of one key are played in their order.
    score = sorted(zip(written.key.tolist(), written.earliest.tolist(), written.latest.tolist(), strict=True))
    assert [key for key, _ in sorted(played)] == [key for key, _, _ in score]
    assert all(low <= step <= high for (_, step), (_, low, high) in zip(sorted(played), score, strict=True))
    assert (written.latest - written.step <= (0 if is_exact else LONGEST_REACH)).all()
    with pytest.raises(CodecError, match="played"):
        decoder.masks()


def test_a_note_has_half_a_step_and_the_keys_own_room() -> None:
    notes = Notes.of([0, 0, 0.1, 0.5, 0.53], [0.1] * 5, [60, 64, 60, 62, 62], [9] * 5)
    written = WrittenNotes.of(notes, 0.0)
    assert (written.latest - written.step).tolist() == [4, 4, 4, 1, 1]
    assert (written.step - written.earliest).tolist() == [0, 0, 4, 1, 1]
    tokens = written.tokens(np.array([False, True, False, True, True]), 20)
    assert tokens[:, :2].tolist() == [[0, 43], [30, 41], [3, 41]] and not tokens[:, 3].any()


def test_a_key_is_released_before_it_is_struck_again_and_chords_rise() -> None:
    decoder, _ = opened(Notes.of([0, 0, 0.5], [0.5, 0.5, 0.5], [60, 64, 60], [9, 9, 9]))
    assert decoder.fit([4, 64 - 21, 3, 20]) == (4, 60 - 21, 3, 20)  # in the last moment of both
    time, symbol, duration, _ = decoder.fit([2, 60 - 21, 127, 20])
    assert (time, symbol) == (2, 60 - 21) and 40 < DURATION_STEPS[duration] <= 46 - 2
    decoder.push([2, 60 - 21, duration, 20])
    for token in ([1, 61 - 21, 3, 3], [9, 64 - 21, 3, 3], [3, 60 - 21, 3, 3], [0, REST + 3, 0, 0]):
        with pytest.raises(CodecError, match="as it is written"):
            decoder.push(token)


def test_the_pedal_goes_on_from_part_to_part() -> None:
    decoder, _ = opened(Notes.of([0, 1.5], [0.5, 0.5], [60, 64], [9, 9]), stop=1)
    decoder.push([0, PEDAL_DOWN, 0, 0])
    decoder.push([1, 60 - 21, 3, 3])
    assert decoder.is_ended and decoder.finish() == [Pedal(0.0, 0.02)]


def test_rests_lead_to_what_is_written_far_ahead() -> None:
    decoder, _ = opened(Notes.of([0, 3.5], [0.5, 0.5], [60, 64], [9, 9]))
    decoder.push([0, 60 - 21, 3, 3])
    rest = decoder.fit([127, REST, 0, 0])
    assert rest[1] == REST and 250 < TIME_STEPS[rest[0]] <= 350
    decoder.push(rest)
    allowed = np.flatnonzero(decoder.masks().allowed[:128])
    assert TIME_STEPS[rest[0]] + allowed.max() in range(350, 359)
    for call in (lambda: decoder.plan(notes_left=3), lambda: decoder.push([99, 64 - 21, 3, 3])):
        with pytest.raises(CodecError):
            call()

"""How likely music is: every counted field of every row once, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from arietta.codecs import PerformanceCodec
from arietta.codecs.grid import KEY_COUNT, START
from arietta.errors import CodecError, RequestError
from arietta.evaluation.likelihood import add_up, find_surprises, interval_by_piece, nats_by_note, score_piece
from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Note, Notes, shift


def test_the_likelihood_is_the_engines_score_of_the_counted_fields(tiny_engine: OnnxEngine, waltz: Notes) -> None:
    scored = score_piece(waltz, tiny_engine)
    codec = tiny_engine.bundle.codec
    events = codec.encode(waltz)
    expected = (tiny_engine.score(events, (0, 0)) * codec.loss_mask(events)).sum()
    assert scored.nll.sum() == pytest.approx(float(expected), rel=1e-5)
    assert scored.per_note == pytest.approx(float(expected) / len(waltz), rel=1e-5)


def test_fields_that_the_grammar_fixes_cost_nothing(tiny_engine: OnnxEngine, waltz: Notes) -> None:
    scored = score_piece(waltz, tiny_engine)
    what = scored.tokens[:, 1]
    assert not scored.nll[what == START].any()
    assert not scored.nll[what >= KEY_COUNT, 2:].any()
    assert (scored.nll[what < KEY_COUNT] > 0).all()


def test_silence_before_the_music_changes_nothing(tiny_engine: OnnxEngine, waltz: Notes) -> None:
    assert np.array_equal(score_piece(shift(waltz, 30.0), tiny_engine).nll, score_piece(waltz, tiny_engine).nll)


def test_the_composer_told_is_heard(tiny_engine: OnnxEngine, waltz: Notes) -> None:
    told = score_piece(waltz, tiny_engine, style="grieg")
    assert told.per_note != score_piece(waltz, tiny_engine).per_note
    with pytest.raises(RequestError, match="nearest"):
        score_piece(waltz, tiny_engine, style="nobody")


def test_a_take_is_as_likely_as_its_own_record_says(tiny_engine: OnnxEngine) -> None:
    take = generate(Request(notes=40, seed=3), tiny_engine)
    scored = score_piece(take.notes, tiny_engine, source="measured")
    assert scored.note_count == 40
    assert scored.per_note == pytest.approx(take.nll, rel=0.1)  # the coda is not in the notes, so rows differ a little


def test_an_empty_piece_has_a_likelihood_and_no_division_by_zero(tiny_engine: OnnxEngine) -> None:
    scored = score_piece(Notes.of(), tiny_engine)
    assert scored.note_count == 0
    assert np.isfinite(scored.per_note)


def test_the_most_surprising_notes_are_those_whose_rows_cost_most(tiny_engine: OnnxEngine, waltz: Notes) -> None:
    scored = score_piece(waltz, tiny_engine)
    found = find_surprises(scored, tiny_engine.bundle.codec, most=5)
    rows = scored.nll[scored.tokens[:, 1] < KEY_COUNT]
    assert [one.nats for one in found] == sorted(rows.sum(axis=1)[1:], reverse=True)[:5]
    kept = tiny_engine.bundle.codec.quantise(waltz)
    for one in found:
        assert one.note == kept[one.index]
        assert (one.nats, one.pitch_nats) == (rows[one.index].sum(), rows[one.index, 1])


def test_a_surprise_is_told_at_its_own_time_and_pitch(tiny_engine: OnnxEngine) -> None:
    notes = Notes.of([1.0, 1.5, 2.0], [0.4] * 3, [60, 61, 62], [64] * 3)
    found = find_surprises(score_piece(notes, tiny_engine), tiny_engine.bundle.codec)
    assert {(round(one.note.onset, 2), one.note.pitch) for one in found} == {(1.5, 61), (2.0, 62)}
    assert all(isinstance(one.note, Note) for one in found)


def test_nothing_surprises_where_there_is_nothing(tiny_engine: OnnxEngine) -> None:
    assert find_surprises(score_piece(Notes.of(), tiny_engine), tiny_engine.bundle.codec) == []


# Notes, and pieces together


def test_the_nats_of_notes_are_one_row_a_note_and_leave_out_only_what_is_no_note(
    tiny_engine: OnnxEngine, waltz: Notes
) -> None:
    scored = score_piece(waltz, tiny_engine)
    codec = tiny_engine.bundle.codec
    found = nats_by_note(scored, codec)
    assert found.shape == (len(scored.notes), 4) and (found > 0).all()
    others = scored.nll[scored.tokens[:, 1] >= KEY_COUNT].sum()
    assert found.sum() + others == pytest.approx(scored.nll.sum())
    worst = find_surprises(scored, codec)[0]
    assert found[worst.index].sum() == pytest.approx(worst.nats)
    with pytest.raises(CodecError, match="no token for each note"):
        nats_by_note(scored, PerformanceCodec())


def test_pieces_together_weigh_by_their_notes_and_have_an_interval_over_pieces() -> None:
    together = add_up([10.0, 60.0, 5.0, 0.0], [10, 20, 5, 0])
    assert together is not None and together.interval is not None
    assert (together.pieces, together.notes) == (3, 35)
    assert together.per_note == pytest.approx(75 / 35)
    low, high = together.interval
    assert 1.0 <= low < together.per_note < high <= 3.0


def test_one_piece_has_no_interval_and_none_no_likelihood() -> None:
    alone = add_up([10.0, 0.0], [5, 0])
    assert alone is not None and alone.interval is None and alone.per_note == 2.0
    assert add_up([], []) is None and add_up([0.0], [0]) is None


def test_the_interval_of_a_difference_is_narrower_than_those_of_both() -> None:
    notes = np.full(20, 100.0)
    one = np.linspace(300, 900, 20)
    other = one + 10
    widths = [high - low for low, high in (interval_by_piece(sums, notes) for sums in (one, other, other - one))]
    assert widths[2] < 0.01 * min(widths[:2])

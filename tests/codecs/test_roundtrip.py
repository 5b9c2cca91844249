"""Fidelity: what a codec keeps, measured without trusting it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from arietta.codecs.note import NoteCodec
from arietta.codecs.performance import PerformanceCodec
from arietta.codecs.roundtrip import measure_fidelity, measure_files, onset_errors
from arietta.music.midi import write_midi
from arietta.music.notes import Notes, shift
from tests.support.strategies import pieces

NOTE, PERFORMANCE = NoteCodec(), PerformanceCodec()
SCALE = Notes.of(np.arange(8) * 0.2503, [0.1] * 8, range(60, 68), [64] * 8, pedal=[(0.0, 1.0)])


class Faulty(NoteCodec):
    """Decodes late and loses the last note: what `measure_fidelity` must notice."""

    def decode(self, tokens):
        late = shift(super().decode(tokens), 0.1)
        return Notes.of(*(column[:-1] for column in (late.onset, late.duration, late.pitch, late.velocity)))


@given(pieces())
@pytest.mark.parametrize("codec", [NOTE, PERFORMANCE], ids=["note", "performance"])
def test_no_codec_loses_a_note_or_an_onset(codec, notes):
    fidelity = measure_fidelity(notes, codec)
    assert fidelity.lost == 0 and fidelity.notes == len(notes)
    assert fidelity.onset_error_median_ms <= fidelity.onset_error_max_ms <= 5.000001


def test_a_piece_on_the_grid_comes_back_unharmed():
    fidelity = measure_fidelity(NOTE.quantise(SCALE), NOTE)
    assert (fidelity.onset_error_max_ms, fidelity.drift_ms, fidelity.velocity_difference) == (0, 0, 0)
    assert (fidelity.merged, fidelity.shortened, fidelity.outside, fidelity.length_ratio) == (0, 0, 0, 1)


def test_errors_are_in_milliseconds_and_drift_has_a_sign():
    fidelity = measure_fidelity(SCALE, NOTE)
    assert fidelity.onset_error_max_ms == pytest.approx(2.1)
    assert fidelity.drift_ms == pytest.approx(-2.1)
    assert fidelity.velocity_difference == pytest.approx(2)
    assert fidelity.tokens_per_note == (8 + 2 + 2) / 8


def test_a_codec_that_decodes_late_and_loses_a_note_is_found_out():
    fidelity = measure_fidelity(SCALE, Faulty())
    assert fidelity.lost == 1
    assert fidelity.onset_error_max_ms == np.inf
    assert onset_errors(SCALE, Faulty().decode(NOTE.encode(SCALE)))[0] == pytest.approx(0.1)


def test_lengths_are_held_against_the_pedal_where_a_codec_folds_it():
    assert measure_fidelity(SCALE, PERFORMANCE).length_ratio == pytest.approx(1, abs=0.02)
    assert PERFORMANCE.quantise(SCALE).duration.mean() > 2 * SCALE.duration.mean()


def test_an_empty_piece_has_no_errors():
    fidelity = measure_fidelity(Notes.of(), NOTE)
    assert (fidelity.notes, fidelity.lost, fidelity.onset_error_max_ms, fidelity.length_ratio) == (0, 0, 0.0, 1.0)


def test_notes_that_no_key_plays_are_outside_and_measured_no_further():
    fidelity = measure_fidelity(Notes.of([0, 1], [1, 1], [12, 120], [64, 64]), NOTE)
    assert (fidelity.notes, fidelity.outside, fidelity.lost, fidelity.onset_error_max_ms) == (2, 2, 0, 0)


def test_the_nearest_onset_of_the_same_pitch_counts():
    before = Notes.of([1.0, 2.0, 2.0], [1] * 3, [60, 60, 61], [64] * 3)
    after = Notes.of([0.5, 2.1, 1.0], [1] * 3, [60, 60, 62], [64] * 3)
    assert onset_errors(before, after) == pytest.approx([0.5, 0.1, np.inf])


def test_files_that_cannot_be_read_are_named_and_the_others_measured(tmp_path: Path) -> None:
    write_midi(tmp_path / "good.mid", SCALE)
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    calls: list[tuple[int, int]] = []
    events, unreadable = measure_files(
        [tmp_path / "good.mid", tmp_path / "bad.mid"], NOTE, lambda done, total: calls.append((done, total))
    )
    assert [one.notes for one in events] == [8]
    assert len(unreadable) == 1 and "bad.mid" in unreadable[0]
    assert calls == [(1, 2), (2, 2)]

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.errors import MidiError, RequestError
from arietta.music.meter import (
    Bar,
    KeySignature,
    Meter,
    Tempo,
    TimeSignature,
    are_on_lattice,
    follows_meter,
    lay_out_bars,
    lay_out_beats,
)
from arietta.music.midi import midi_bytes, read_meter, read_midi
from arietta.music.notes import Notes
from tests.support.midi_bytes import Event, midi, off, on, tempo, track

METER = Meter(
    (TimeSignature(0.0, 1, 4), TimeSignature(0.5, 3, 4), TimeSignature(9.5, 2, 4)),
    (Tempo(0.0, 0.5), Tempo(6.5, 1.0)),
    (KeySignature(0.0, 2), KeySignature(9.5, -1, is_minor=True)),
)
GAPS = st.lists(st.tuples(st.floats(0.05, 20), st.floats(0.1, 2)), min_size=1, max_size=8)


def signature(beats: int, power: int) -> bytes:
    return bytes([0xFF, 0x58, 4, beats, power, 24, 8])


def key(sharps: int, is_minor: int = 0) -> bytes:
    return bytes([0xFF, 0x59, 2, sharps % 256, is_minor])


def scale(step: int = 240, count: int = 32) -> list[Event]:
    """Notes of `step` ticks, one after the other."""
    return [event for number in range(count) for event in ((0, on(60 + number % 12)), (step, off(60 + number % 12)))]


def played(count: int = 200) -> list[Event]:
    """Notes at times that no metre explains."""
    gaps = np.random.default_rng(1).integers(20, 400, count)
    return [event for gap in gaps.tolist() for event in ((gap, on(60)), (10, off(60)))]


@given(GAPS, st.floats(0, 100))
def test_positions_and_times_are_each_others_inverse(gaps: list[tuple[float, float]], seconds: float) -> None:
    starts = np.cumsum([0, *(gap for gap, _ in gaps)])
    meter = Meter((TimeSignature(0, 4, 4),), tuple(map(Tempo, starts.tolist(), [0.5, *(rate for _, rate in gaps)])))
    assert meter.seconds(meter.quarters(seconds)) == pytest.approx(seconds)
    times = np.sort(np.append(starts, seconds))
    assert (np.diff(meter.quarters(times)) >= 0).all()


def test_a_tempo_counts_from_its_time_on() -> None:
    meter = Meter((TimeSignature(0, 4, 4),), (Tempo(0, 0.5), Tempo(2, 1.0)))
    assert meter.quarters([0, 1, 2, 3]).tolist() == [0, 2, 4, 5]
    assert meter.seconds([5, 1]).tolist() == [3, 0.5]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"signatures": 3},
        {"signatures": [[0, 3]]},
        {"signatures": [[0, 2.5, 4]]},
        {"signatures": [[0, True, 4.0]]},
        {"signatures": [["0", 3, 4]]},
        {"signatures": [[float("nan"), 3, 4]]},
        {"signatures": [[10**400, 3, 4]]},
        {"signatures": [[0, 10**400, 4]]},
        {"tempos": [[0, 10**400]]},
        {"tempos": [[0, None]]},
        {"keys": [[0, 1.5, True]]},
        {"keys": None},
    ],
)
def test_a_description_of_no_metre_is_refused_as_one(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"metre|signature|quarter|numbers|marks|bars"):
        Meter.from_description({**METER.describe(), **wrong} if wrong else {})


def test_a_stretched_metre_is_that_of_stretched_notes() -> None:
    assert Meter.from_description(METER.describe()) == METER
    twice = METER.stretched(2)
    assert twice.bar_lines(40.0) == pytest.approx(2 * METER.bar_lines(20.0))
    assert [key.seconds for key in twice.keys] == [0.0, 19.0] and twice.is_exact == METER.is_exact


def test_a_bar_is_as_long_as_its_signature_says() -> None:
    assert [TimeSignature(0, *parts).quarters for parts in ((4, 4), (3, 4), (6, 8), (2, 2))] == [4, 3, 3, 4]


def test_a_sequenced_file_gives_its_signatures_tempos_and_keys() -> None:
    events = [(0, signature(3, 2)), (0, tempo(600_000)), (0, key(-3, 1)), *scale(480, 6)]
    events += [(0, tempo(300_000)), (0, signature(6, 3)), (0, key(2)), *scale(240, 6)]
    meter = read_meter(midi(track(*events)))
    assert meter == Meter(
        (TimeSignature(0, 3, 4), TimeSignature(3.6, 6, 8)),
        (Tempo(0, 0.6), Tempo(pytest.approx(3.6), 0.3)),
        (KeySignature(0, -3, True), KeySignature(3.6, 2, False)),
        is_exact=True,
    )


def test_signatures_and_tempos_count_on_every_track() -> None:
    meter = read_meter(midi(track(*scale()), track((0, signature(2, 2)), (480, tempo(250_000)))))
    assert meter is not None and meter.signatures == (TimeSignature(0, 2, 4),)
    assert meter.tempos == (Tempo(0, 0.5), Tempo(0.5, 0.25))


def test_before_the_first_signature_a_bar_has_four_quarters() -> None:
    meter = read_meter(midi(track(*scale(480, 4), (0, signature(3, 2)), *scale(480, 6))))
    assert meter is not None and meter.signatures == (TimeSignature(0, 4, 4), TimeSignature(2, 3, 4))


def test_a_tempo_alone_is_a_metre_where_the_notes_follow_it() -> None:
    meter = read_meter(midi(track((0, tempo(400_000)), *scale())))
    assert meter is not None and meter.is_exact and meter.signatures[0].quarters == 4


def test_a_file_that_sets_nothing_has_no_metre() -> None:
    assert read_meter(midi(track(*scale()))) is None


def test_notes_that_ignore_the_metre_have_none() -> None:
    assert read_meter(midi(track((0, signature(4, 2)), (0, tempo(500_000)), *played()))) is None
    assert read_meter(midi(track((0, signature(4, 2))))) is None


def test_what_arietta_writes_of_a_performance_has_no_metre() -> None:
    onset = np.cumsum(np.random.default_rng(2).uniform(0.05, 0.6, 300))
    notes = Notes.of(onset, np.full(300, 0.2), np.full(300, 60), np.full(300, 60))
    assert read_meter(midi_bytes(notes)) is None


def test_a_performance_to_a_click_has_a_metre_that_is_not_exact() -> None:
    late = np.random.default_rng(3).normal(0, 18, 200).astype(int)
    onsets = np.maximum(np.arange(200) * 240 + late, 0)
    gaps = np.diff(np.sort(onsets), prepend=0)
    events = [event for gap in gaps.tolist() for event in ((max(gap - 1, 0), on(60)), (1, off(60)))]
    meter = read_meter(midi(track((0, signature(4, 2)), (0, tempo(500_000)), *events)))
    assert meter is not None and not meter.is_exact


@pytest.mark.parametrize("wrong", [signature(0, 2), signature(4, 9), signature(200, 2)])
def test_an_impossible_signature_is_not_trusted(wrong: bytes) -> None:
    assert read_meter(midi(track((0, wrong), *scale()))) is None


def test_a_tempo_of_thousands_of_bars_a_second_is_not_trusted() -> None:
    assert read_meter(midi(track((0, tempo(10_000)), *scale()))) is not None
    assert read_meter(midi(track((0, signature(4, 2)), (0, tempo(1)), *scale()))) is None


def test_tracks_that_stand_alone_have_no_common_metre() -> None:
    assert read_meter(midi(track((0, signature(4, 2)), *scale()), track(*scale()), kind=2)) is None


def test_the_metre_counts_time_as_the_notes_do(tmp_path: Path) -> None:
    data = midi(track((0, signature(4, 2)), (0, tempo(700_000)), *scale(160, 12), (0, tempo(350_000)), *scale(160, 12)))
    (tmp_path / "piece.mid").write_bytes(data)
    meter = read_meter(tmp_path / "piece.mid")
    assert meter is not None
    assert meter.quarters(read_midi(data).onset) == pytest.approx(np.arange(24) / 3)


def test_a_broken_file_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(MidiError, match=r"gone\.mid: there is no such file"):
        read_meter(tmp_path / "gone.mid")
    with pytest.raises(MidiError, match="upload: the tempo at tick 0 is 0"):
        read_meter(midi(track((0, tempo(0)), *scale())), name="upload")


@pytest.mark.parametrize("step", [1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8, 1])
def test_every_usual_note_value_follows_the_metre(step: float) -> None:
    assert follows_meter(np.arange(40) * step) and are_on_lattice(np.arange(40) * step)


def test_the_same_notes_at_another_tempo_do_not_follow() -> None:
    assert not follows_meter(np.arange(200) * 0.5 * 1.037)
    assert not follows_meter(np.zeros(0))


def laid_out(*signatures: TimeSignature, end: int = 400) -> list[Bar]:
    return lay_out_bars(Meter(signatures, (Tempo(0, 1.0),)), end)


def test_bars_follow_one_another_until_the_end_is_past() -> None:
    found = laid_out(TimeSignature(0, 3, 4))
    assert [bar.start for bar in found] == [0, 72, 144, 216, 288, 360]
    assert {bar.length for bar in found} == {72}
    assert [bar.signature for bar in found] == [(3, 4)] + [None] * 5


def test_there_is_always_a_bar() -> None:
    assert [bar.length for bar in laid_out(TimeSignature(0, 4, 4), end=0)] == [96]


def test_a_new_signature_ends_the_bar_it_falls_into() -> None:
    found = laid_out(TimeSignature(0, 4, 4), TimeSignature(6, 2, 4), end=200)
    assert [(bar.start, bar.length) for bar in found] == [(0, 96), (96, 48), (144, 48), (192, 48)]
    assert not any(bar.is_pickup for bar in found)


@pytest.mark.parametrize(("change", "length"), [(1 / 3, 9), (2 / 3, 15), (0.3, 6), (0.01, 96), (4.01, 96)])
def test_a_bar_that_is_cut_can_be_written_in_thirty_seconds(change: float, length: int) -> None:
    bars = laid_out(TimeSignature(0, 4, 4), TimeSignature(change, 4, 4), end=200)
    assert bars[0].length == length and all(bar.start % 3 == bar.length % 3 == 0 for bar in bars)


def test_a_lone_short_bar_before_longer_ones_is_their_pickup() -> None:
    first, second = laid_out(TimeSignature(0, 1, 4), TimeSignature(1, 4, 4), end=100)
    assert first == Bar(0, 24, 24, (4, 4), is_pickup=True)
    assert second == Bar(24, 96, 24)


@pytest.mark.parametrize(
    ("signature", "beat", "cell"),
    [((4, 4), 24, 24), ((6, 8), 36, 12), ((3, 8), 36, 12), ((2, 2), 24, 24), ((5, 8), 24, 24)],
)
def test_beats_are_dotted_where_bars_are_of_three_eighths(signature: tuple[int, int], beat: int, cell: int) -> None:
    bar = laid_out(TimeSignature(0, *signature))[0]
    assert (bar.beat, bar.cell) == (beat, cell)


def test_a_metre_is_moved_with_its_music() -> None:
    later = METER.shifted(2.5).from_zero()
    assert [mark.seconds for mark in later.signatures] == [2.5, 3.0, 12.0] and later.keys[1].seconds == 12.0
    assert later.quarters([2.5, 9.0, 11.0]).tolist() == METER.quarters([0.0, 6.5, 8.5]).tolist()


@pytest.mark.parametrize(("seconds", "begin"), [(-0.5, 0.0), (-0.6, 1.4), (-2.0, 0.0), (-6.6, 2.9), (-9.5, 0.0)])
def test_a_metre_that_is_moved_to_before_0_begins_with_a_bar(seconds: float, begin: float) -> None:
    earlier = METER.shifted(seconds).from_zero()
    assert earlier.tempos[0].seconds == pytest.approx(begin)
    first = earlier.signatures[0]
    assert (first.seconds, first.beats) == (pytest.approx(begin), 2 if seconds < -6 else 3)
    assert earlier.tempos[0].quarter == METER.tempos[seconds < -5].quarter
    assert earlier.keys[0].sharps == (-1 if seconds < -6 else 2)
    # The rest is where it was: bars in the same seconds.
    middle = 20.0
    place = METER.quarters(middle - seconds) - METER.quarters(begin - seconds)
    assert earlier.quarters(middle) == pytest.approx(place)


def test_bars_are_counted_after_the_pickup() -> None:
    assert METER.bar_lines(9.0).tolist() == [0.5, 2.0, 3.5, 5.0, 6.5, 9.5]
    assert METER.bar_lines(14.0).tolist() == [0.5, 2.0, 3.5, 5.0, 6.5, 9.5, 11.5, 13.5, 15.5]


def test_what_lies_after_the_end_lays_no_bars() -> None:
    late = Meter((TimeSignature(0, 1, 4), TimeSignature(86_000.0, 4, 4)), (Tempo(0, 0.1),))
    assert late.bar_lines(1.0).tolist() == pytest.approx([0.1 * n for n in range(11)])
    assert late.bar_line_after(0.95, 3) == pytest.approx(1.3)


def test_a_pickup_is_known_before_its_end() -> None:
    meter = Meter((TimeSignature(0, 1, 4), TimeSignature(0.5, 3, 4)), (Tempo(0, 0.5),))
    assert meter.bar_lines(0.0).tolist() == [0.5, 2.0] and lay_out_bars(meter, 0)[0].is_pickup


def test_bars_after_a_change_are_found_far_on() -> None:
    meter = Meter((TimeSignature(0, 64, 1), TimeSignature(2000.0, 1, 4)), (Tempo(0, 10.0), Tempo(2000.0, 0.1)))
    assert meter.bar_line_after(1.0, 500) == pytest.approx(2000.0 + 499 * 0.1, abs=0.2)


@pytest.mark.parametrize("second", [86_401.0, -86_401.0, float("nan"), float("inf")])
def test_a_description_has_no_mark_of_another_day(second: float) -> None:
    with pytest.raises(ValueError, match="within 86400 s of the beginning"):
        Meter.from_description({"signatures": [[second, 4, 4]], "tempos": [[0, 0.5]]})


def test_a_tempo_lies_under_every_beat_and_bars_begin_with_the_beat_that_is_said() -> None:
    beats = np.array([0.5, 1.0, 1.6, 2.0, 2.5])
    meter = lay_out_beats(beats, 4, TimeSignature(0.0, 3, 4))
    assert meter.signatures == (TimeSignature(0.5, 1, 4), TimeSignature(1.0, 3, 4))
    assert meter.seconds(np.arange(6)) == pytest.approx([*beats, 3.0])
    dotted = lay_out_beats(beats, 2, TimeSignature(0.0, 6, 8))
    assert dotted.signatures == (TimeSignature(0.5, 6, 8),) and dotted.quarters(beats) == pytest.approx(
        1.5 * np.arange(5)
    )


def test_a_metre_is_read_as_it_is_written() -> None:
    assert TimeSignature.read(" 6/8 ", 2.0) == TimeSignature(2.0, 6, 8)
    for wrong in ("0/4", "17/4", "3/5", "waltz", "3/4/4", "-3/4", None, 34):
        with pytest.raises(RequestError, match=r"a metre (is|has)"):
            TimeSignature.read(wrong)

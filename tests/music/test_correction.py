"""A corrected metre has other beats or bars, and every note its second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arietta.errors import RequestError
from arietta.music.correction import (
    change_signature,
    correct_meter,
    double_beats,
    halve_beats,
    move_bar_line,
    move_downbeat,
    read_taps,
    tap_beats,
)
from arietta.music.meter import Meter, Tempo, TimeSignature, lay_out_beats
from arietta.music.midi import midi_bytes, read_meter, read_midi
from arietta.music.notes import Notes

WALTZ = Meter((TimeSignature(0.0, 1, 4), TimeSignature(0.5, 3, 4)), (Tempo(0.0, 0.5), Tempo(5.0, 0.4)))

FAR = Meter((TimeSignature(0.0, 1, 32), TimeSignature(80_000.0, 64, 1)), (Tempo(0.0, 0.8), Tempo(80_000.0, 16.7)))
LATER_FAST = Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 6.0), Tempo(600.0, 0.12)))


def bars(meter: Meter) -> list[float]:
    return np.round(meter.bar_lines(6.0)[:4], 6).tolist()


def test_bars_move_by_beats_and_come_round() -> None:
    assert bars(WALTZ) == [0.5, 2.0, 3.5, 5.0]
    assert bars(move_downbeat(WALTZ, 1)) == [1.0, 2.5, 4.0, 5.4]
    assert bars(move_downbeat(WALTZ, 2))[0] == 0.0 and bars(move_downbeat(WALTZ, -1))[0] == 0.0
    assert bars(move_downbeat(WALTZ, 3)) == bars(WALTZ) == bars(move_downbeat(move_downbeat(WALTZ, 1), -1))
    assert move_downbeat(WALTZ, 2).signatures == (TimeSignature(0.0, 3, 4),)


def test_beats_are_doubled_and_halved_in_place() -> None:
    doubled, halved = double_beats(WALTZ), halve_beats(WALTZ)
    assert bars(doubled) == [0.5, 1.25, 2.0, 2.75] and doubled.signatures[0].quarters == 2
    assert bars(halved) == [0.5, 3.5, 6.2] and halved.signatures[0] == TimeSignature(0.0, 1, 8)
    assert bars(halve_beats(doubled)) == bars(WALTZ)
    assert doubled.quarters(6.0) == 2 * WALTZ.quarters(6.0) == 4 * halved.quarters(6.0)


@pytest.mark.parametrize("correct", [double_beats, halve_beats, lambda meter: move_downbeat(meter, 1)])
def test_a_corrected_metre_lies_under_the_same_seconds(correct: object) -> None:
    onset = np.arange(40) * 0.25
    notes = Notes.of(onset, np.full(40, 0.2), np.full(40, 60), np.full(40, 64))
    meter = correct(WALTZ)  # type: ignore[operator]
    data = midi_bytes(notes, grid=meter)
    assert np.abs(read_midi(data).onset - onset).max() <= 0.001
    kept = read_meter(data)
    assert kept is not None and kept.bar_lines(6.0)[:4] == pytest.approx(meter.bar_lines(6.0)[:4], abs=0.002)


def test_several_bars_that_are_shorter_than_those_after_them_are_no_pickup() -> None:
    meter = Meter((TimeSignature(0.0, 3, 4), TimeSignature(3.0, 4, 4)), (Tempo(0.0, 0.5),))
    moved = move_downbeat(meter, 1)
    assert bars(moved) == [0.5, 2.0, 3.0, 5.0] and moved.signatures[-1] == TimeSignature(3.0, 4, 4)


@pytest.mark.parametrize("metre", ["1/32", "3/32", "5/32", "7/32", "3/16", "6/8", "4/4"])
@pytest.mark.parametrize("downbeat", [1, 2, -1])
def test_bars_of_any_metre_begin_on_one_of_its_beats(metre: str, downbeat: int) -> None:
    signature = TimeSignature.read(metre)
    meter = Meter((signature,), (Tempo(0.0, 0.8),))
    moved = move_downbeat(meter, downbeat)
    bar, beat = 0.8 * signature.quarters, 0.8 * 4 / signature.unit
    assert moved.bar_lines(9.0)[:3] == pytest.approx(downbeat * beat % bar + bar * np.arange(3))
    assert moved.signatures[-1].beats == signature.beats
    assert Meter.from_description(moved.describe()) == moved
    assert move_downbeat(moved, -downbeat) == meter


def test_a_metre_that_changes_in_its_first_bar_is_not_moved() -> None:
    meter = Meter((TimeSignature(0.0, 4, 4), TimeSignature(0.5, 2, 4)), (Tempo(0.0, 0.5),))
    with pytest.raises(RequestError, match="changes in its first bar"):
        move_downbeat(meter, 2)


def march(period: float = 0.5, count: int = 24) -> Notes:
    onset = period * np.arange(count) + 0.02
    return Notes.of(onset, np.full(count, 0.4), np.full(count, 60), np.full(count, 64))


def test_tapped_beats_are_those_of_the_onsets_near_to_them() -> None:
    notes, rng = march(), np.random.default_rng(1)
    taps = notes.onset[4:20] + rng.uniform(-0.06, 0.06, 16)
    meter = tap_beats(notes, taps.tolist(), signature=TimeSignature(0.0, 3, 4))
    assert meter.seconds(meter.quarters(notes.onset[4])) == pytest.approx(notes.onset[4])
    assert np.diff(meter.quarters(notes.onset)) == pytest.approx(1.0)
    lines = meter.bar_lines(notes.seconds)
    assert notes.onset[4] in lines and np.diff(lines[:-1]) == pytest.approx(1.5)
    assert meter.tempos[0].seconds >= 0 and meter.signatures[-1].beats == 3
    away = tap_beats(notes, [0.2, 0.7, 1.2])  # beats that no note is near to are as they were tapped
    assert away.tempos[0].seconds == pytest.approx(0.2) and away.signatures[0].beats == 4


def test_beats_that_were_not_tapped_stay() -> None:
    notes = march()
    meter = Meter((TimeSignature(0.02, 3, 4),), (Tempo(0.02, 0.5), Tempo(6.02, 0.25)), is_exact=True)
    tapped = tap_beats(notes, [3.02, 3.6, 4.3, 5.02], meter)
    beats = [tempo.seconds for tempo in tapped.tempos]
    assert beats[:7] == pytest.approx(0.02 + 0.5 * np.arange(7)) and not tapped.is_exact
    assert beats[7:10] == pytest.approx([3.6, 4.3, 5.02])
    assert beats[10:13] == pytest.approx([5.52, 6.02, 6.27])
    assert 3.02 in np.round(tapped.bar_lines(6.0), 6)  # the first tap begins a bar


def test_beats_are_counted_in_bars_of_another_metre() -> None:
    in_two = change_signature(WALTZ, TimeSignature(0.0, 2, 4), 6.0)
    assert bars(in_two) == [0.5, 1.5, 2.5, 3.5] and in_two.signatures[0] == TimeSignature(0.0, 1, 4)
    dotted = change_signature(Meter((TimeSignature(0.0, 2, 4),), (Tempo(0.0, 0.6),)), TimeSignature(0.0, 6, 8), 6.0)
    assert bars(dotted) == [0.0, 1.2, 2.4, 3.6] and dotted.tempos[0].quarter == pytest.approx(0.4)


def test_a_bar_line_is_moved_between_its_neighbours_and_takes_what_is_around_it_along() -> None:
    moved = move_bar_line(WALTZ, 2, 2.3, 6.0)
    assert bars(moved) == [0.5, 2.3, 3.5, 5.0] and moved.quarters(5.4) == pytest.approx(WALTZ.quarters(5.4))
    assert moved.seconds(moved.quarters(0.5) + np.arange(7)) == pytest.approx([0.5, 1.1, 1.7, 2.3, 2.7, 3.1, 3.5])
    pickup = move_bar_line(WALTZ, 1, 0.8, 6.0)
    assert bars(pickup) == [0.8, 2.0, 3.5, 5.0] and pickup.signatures[1].seconds == pytest.approx(0.8)
    straight = Meter((TimeSignature(0.0, 4, 4),), (Tempo(0.0, 0.5),))
    later = move_bar_line(straight, 1, 0.4, 6.0)
    assert bars(later)[:3] == [0.4, 2.0, 4.0] and later.signatures[0].seconds == later.tempos[0].seconds == 0.4
    back = move_bar_line(move_bar_line(straight, 3, 4.5, 6.0), 3, 4.0, 6.0)
    assert bars(back) == bars(straight)
    across = move_bar_line(WALTZ, 4, 5.2, 6.0)  # the tempo changes on this line
    assert bars(across) == [0.5, 2.0, 3.5, 5.2] and float(across.bar_lines(7.0)[4]) == pytest.approx(6.2)


def test_a_bar_of_many_tempos_is_moved_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tempos = tuple(Tempo(0.002 * index, 0.5 + 0.001 * (index % 2)) for index in range(2000))
    meter = Meter((TimeSignature(0.0, 8, 4),), tempos)
    calls, layout = [], Meter._map
    monkeypatch.setattr(Meter, "_map", lambda meter: (calls.append(1), layout(meter))[1])
    moved = move_bar_line(meter, 2, 5.0, 6.0)
    assert len(calls) < 20 and len(moved.tempos) == 2002
    assert moved.bar_lines(6.0)[1] == pytest.approx(5.0)


def moved_or_none(meter: Meter, bar: int, second: float) -> Meter | None:
    """The metre with a bar line moved; None where a beat would be too short for one."""
    try:
        return move_bar_line(meter, bar, second, 60.0)
    except RequestError:
        return None


@given(
    gaps=st.lists(st.floats(0.3, 1.5), min_size=12, max_size=40),
    downbeat=st.integers(0, 3),
    size=st.integers(2, 4),
    bar=st.integers(1, 6),
    share=st.floats(0.05, 0.95),
)
def test_of_a_moved_bar_line_all_others_stay_and_so_does_every_position(
    gaps: list[float], downbeat: int, size: int, bar: int, share: float
) -> None:
    meter = lay_out_beats(np.cumsum([0.2, *gaps]), downbeat, TimeSignature(0.0, size, 4))
    lines = meter.bar_lines(60.0)
    before = meter.signatures[0].seconds if bar == 1 else lines[bar - 2]
    has_before = bar > 1 or len(meter.signatures) > 1
    least, most = before + 0.1 if has_before else 0.0, lines[bar] - 0.1
    second = least + share * (most - least)
    moved = moved_or_none(meter, bar, second)
    assume(moved is not None)
    assert moved is not None
    expected = np.where(np.arange(len(lines)) == bar - 1, second, lines)
    assert moved.bar_lines(60.0)[: len(lines) - 1] == pytest.approx(expected[:-1], abs=1e-6)
    if has_before:
        assert moved.quarters(expected) == pytest.approx(meter.quarters(lines), abs=1e-6)
    assert Meter.from_description(moved.describe()) == moved


def test_corrections_are_made_one_after_the_other(tmp_path: Path) -> None:
    notes = march()
    taps = notes.onset[::2].tolist()
    corrected = correct_meter(notes, None, taps=taps, metre="3/4", beats="double", downbeat=1, bar_line=(2, 2.1))
    one_by_one = tap_beats(notes, taps, None, TimeSignature(0.0, 3, 4))
    assert corrected == move_bar_line(move_downbeat(double_beats(one_by_one), 1), 2, 2.1, notes.seconds)
    found = correct_meter(notes)
    assert correct_meter(notes, found) == found and correct_meter(notes, WALTZ) == WALTZ
    assert correct_meter(notes, WALTZ, metre="2/4") == change_signature(WALTZ, TimeSignature(0.0, 2, 4), notes.seconds)


@pytest.mark.parametrize(
    ("correct", "sentence"),
    [
        (lambda: tap_beats(march(), [1.0]), "takes 2 to 20000 taps, not 1"),
        (lambda: tap_beats(march(), [1.0, 1.05]), "taps follow each other by 0.15 to 6 s: not at 1 and 1.05"),
        (lambda: tap_beats(march(), [1.0, 9.0]), "not at 1 and 9"),
        (lambda: tap_beats(march(), [1.0, float("nan")]), "not at 1 and nan"),
        (
            lambda: tap_beats(march(), [4e5, 4e5 + 0.2]),
            r"within 6 s of the music, which ends at 11\.92 s: not at 400000",
        ),
        (lambda: tap_beats(march(), [-6.5, -6.2]), "within 6 s of the music, .*: not at -6.5"),
        (lambda: tap_beats(march(), [1e12, 1e12 + 1], WALTZ), r"not at 1e\+12"),
        (lambda: tap_beats(march(200.0), [1.0, 1.2]), "beats 0.2 s apart are more than 20000 here"),
        (
            lambda: tap_beats(march(123.0), (0.16 * np.arange(3700)).tolist(), LATER_FAST),
            "the taps and the beats around them are more than 20000",
        ),
        (lambda: tap_beats(Notes.of(), [1.0, 2.0]), "there are no notes"),
        (lambda: correct_meter(march(), metre="0/4"), "a metre has 1 to 16 beats"),
        (lambda: correct_meter(march(), beats="thrice"), "double or half as many, not 'thrice'"),
        (lambda: move_bar_line(WALTZ, 0, 1.0, 6.0), "bars are numbered from 1"),
        (lambda: move_bar_line(WALTZ, 2, float("inf"), 6.0), "not bar 2 at inf"),
        (lambda: move_bar_line(WALTZ, 6, 7.0, 6.0), "the music has bar lines 1 to 5: there is no bar 6"),
        (lambda: move_bar_line(FAR, 3000, 299.9, 20.0), "the music has bar lines 1 to 201: there is no bar 3000"),
        (
            lambda: move_bar_line(WALTZ, 2, 3.6, 6.0),
            r"bar 2 can begin at 0\.60 to 3\.40 s, between its neighbours, not 3\.6",
        ),
        (
            lambda: change_signature(
                Meter((TimeSignature(0.0, 3, 4), TimeSignature(3.0, 4, 4)), (Tempo(0.0, 0.5),)),
                TimeSignature(0.0, 2, 4),
                9.0,
            ),
            "the metre changes within the piece",
        ),
        (
            lambda: change_signature(
                Meter((TimeSignature(0.0, 64, 4),), (Tempo(0.0, 0.002),)), TimeSignature(0.0, 2, 4), 90.0
            ),
            "more than 20000 beats",
        ),
    ],
)
def test_what_cannot_be_corrected_is_refused(correct: Callable[[], object], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        correct()


def test_a_correction_that_there_is_not_is_no_argument() -> None:
    with pytest.raises(TypeError, match="no correction 'swing'"):
        correct_meter(march(), swing=1)  # type: ignore[call-arg]


def test_taps_are_read_from_labels_of_audio_editors(tmp_path: Path) -> None:
    path = tmp_path / "beats.txt"
    path.write_text("0.5\t0.5\tdb\n1.0,b\n\n 1.52 beat\n")
    assert read_taps(path) == [0.5, 1.0, 1.52]
    for text, sentence in (
        ("0.5\nbeat 2\n", "line 2 begins with no second: 'beat 2'"),
        ("x" * (2**20 + 1), "larger than"),
        ("0.5\n2,5\n", "line 2 has a comma after whole seconds, '2,5': write 2.5"),
        ("0:75\n", "line 1 begins with no second"),
        (" \n\n", "has no taps"),
    ):
        path.write_text(text)
        with pytest.raises(RequestError, match=rf"beats\.txt: .*{sentence}"):
            read_taps(path)
    path.write_text("0:02.5\n1:00 beat\n")
    assert read_taps(path) == [2.5, 60.0]
    path.write_bytes(b"\xff\xfe")
    for wrong in (path, tmp_path / "none.txt", tmp_path):
        with pytest.raises(RequestError, match="cannot be read"):
            read_taps(wrong)


def test_a_bar_line_that_makes_beats_too_short_is_refused() -> None:
    meter = lay_out_beats(np.array([0.0, 1.9, 2.0, 3.0, 4.0, 5.0, 6.0]), 0, TimeSignature(0.0, 2, 4))
    with pytest.raises(RequestError, match="bar 2 cannot begin at 0"):
        move_bar_line(meter, 2, 0.3, 6.0)


def test_taps_are_read_as_programs_write_them(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "taps.txt", [-0.02, 0.5, 1.0])
    assert read_taps(tmp_path / "taps.txt") == pytest.approx([-0.02, 0.5, 1.0])

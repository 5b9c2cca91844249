from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.errors import RequestError
from arietta.music.meter import KeySignature, Meter, Tempo, TimeSignature
from arietta.music.notes import Notes
from arietta.render.score import score_musicxml, write_score
from arietta.render.score.spelling import LOWEST
from tests.support.musicxml import Score, Sounding, complaints, read_score
from tests.support.strategies import pieces

Q = Fraction
Written = list[tuple[Fraction, Fraction, int]]  # start and length in quarters, pitch
VALUES = [Q(4), Q(3), Q(2), Q(3, 2), Q(1), Q(3, 4), Q(1, 2), Q(1, 4), Q(2, 3), Q(1, 3)]


def meter_of(beats: int = 4, unit: int = 4, *, tempos: tuple[Tempo, ...] = (Tempo(0, 0.5),), sharps: int = 0) -> Meter:
    return Meter((TimeSignature(0, beats, unit),), tempos, (KeySignature(0, sharps),), is_exact=True)


def performed(written: Written, meter: Meter) -> Notes:
    """Play what is written, at the metre's tempo."""
    start = meter.seconds([float(start) for start, _, _ in written])
    end = meter.seconds([float(start + length) for start, length, _ in written])
    return Notes.of(start, end - start, [pitch for _, _, pitch in written], [64] * len(written))


def scored(written: Written, meter: Meter) -> Score:
    return read_score(score_musicxml(performed(written, meter), meter=meter))


def in_turn(lengths: list[Fraction], pitches: list[int]) -> Written:
    """Notes one after the other."""
    starts = np.cumsum([Q(0), *lengths[:-1]])
    return [
        (Q(start), length, pitches[n % len(pitches)])
        for n, (start, length) in enumerate(zip(starts, lengths, strict=True))
    ]


def soundings(written: Written) -> list[Sounding]:
    return sorted(Sounding(*note) for note in written)


def assert_bars_are_full(score: Score) -> None:
    for length, voices in zip(score.lengths, score.voices, strict=True):
        assert set(voices.values()) == {length}


@st.composite
def melodies(draw: st.DrawFn) -> Written:
    """A line above and a line below middle C, each of usual values from beat to beat."""
    lines: Written = []
    for pitches in (range(67, 80), range(40, 52)):
        place = Q(0)
        for _ in range(draw(st.integers(1, 12))):
            length = draw(st.sampled_from(VALUES))
            run = {Q(1, 3): [length] * 3, Q(2, 3): [length] * 3, Q(1, 4): [length] * 4, Q(1, 2): [length] * 2}
            run |= {Q(3, 4): [length, Q(1, 4)], Q(3, 2): [length, Q(1, 2)]}
            for value in run.get(length, [length]):
                lines.append((place, value, draw(st.sampled_from(pitches))))
                place += value
    return lines


@settings(max_examples=60)
@given(melodies(), st.sampled_from([(4, 4), (3, 4), (2, 4), (6, 8), (5, 4), (3, 8), (2, 2)]))
def test_two_written_lines_come_back_as_they_were(written: Written, signature: tuple[int, int]) -> None:
    score = scored(written, meter_of(*signature))
    assert sorted(score.notes) == soundings(written)
    assert_bars_are_full(score)
    assert score.lengths[0] == Q(4 * signature[0], signature[1])


@settings(max_examples=40)
@given(pieces())
def test_every_note_of_any_performance_is_written_once(notes: Notes) -> None:
    score = read_score(score_musicxml(notes))
    assert Counter(note.pitch for note in score.notes) == Counter(notes.pitch[notes.pitch >= LOWEST].tolist())
    assert_bars_are_full(score)


@settings(max_examples=40)
@given(pieces(), st.sampled_from([(4, 4), (6, 8), (3, 4), (7, 8), (1, 4)]), st.booleans())
def test_every_note_is_written_once_in_any_metre(notes: Notes, signature: tuple[int, int], is_exact: bool) -> None:
    meter = Meter((TimeSignature(0, *signature),), (Tempo(0, 0.43),), is_exact=is_exact)
    score = read_score(score_musicxml(notes, meter=meter))
    assert Counter(note.pitch for note in score.notes) == Counter(notes.pitch[notes.pitch >= LOWEST].tolist())
    assert_bars_are_full(score)


def test_a_scale_of_eighths_fills_its_bars() -> None:
    written = in_turn([Q(1, 2)] * 16, [67, 69, 71, 72, 74, 76, 78, 79, 79, 78, 76, 74, 72, 71, 69, 67])
    score = scored(written, meter_of())
    assert sorted(score.notes) == soundings(written) and score.lengths == [4, 4]
    assert {note.staff for note in score.notes} == {1}


def test_triplets_are_written_as_triplets() -> None:
    written = in_turn([Q(1, 3)] * 6 + [Q(2, 3), Q(1, 3), Q(1)], [72, 74, 76])
    text = score_musicxml(performed(written, meter_of()), meter=meter_of())
    assert sorted(read_score(text).notes) == soundings(written)
    assert text.count('<tuplet type="start"/>') == text.count('<tuplet type="stop"/>') == 3
    assert text.count("<actual-notes>3</actual-notes>") == 8


def test_dotted_values_have_dots_and_no_ties() -> None:
    text = score_musicxml(
        performed(in_turn([Q(3, 2), Q(1, 2), Q(3, 4), Q(1, 4), Q(1)], [72]), meter_of()), meter=meter_of()
    )
    assert text.count("<dot/>") == 2 and "<tie " not in text


def test_a_note_over_the_bar_line_is_tied() -> None:
    written = in_turn([Q(3), Q(2), Q(3)], [72, 74, 76])
    text = score_musicxml(performed(written, meter_of()), meter=meter_of())
    assert sorted(read_score(text).notes) == soundings(written)
    assert text.count('<tie type="start"/>') == 1


@pytest.mark.parametrize(("start", "ties"), [(Q(1, 2), 0), (Q(3, 2), 1), (Q(1), 0)])
def test_a_quarter_off_the_beat_is_whole_unless_it_hides_the_middle_of_the_bar(start: Fraction, ties: int) -> None:
    text = score_musicxml(performed([(start, Q(1), 72)], meter_of()), meter=meter_of())
    assert text.count('<tie type="start"/>') == ties


def test_a_chord_is_one_value_and_its_notes_share_it() -> None:
    text = score_musicxml(performed([(Q(0), Q(2), pitch) for pitch in (72, 76, 79)], meter_of()), meter=meter_of())
    assert text.count("<chord/>") == 2 and text.count("<duration>48</duration>") == 4  # with the rest after it


def test_a_held_note_and_a_line_over_it_are_two_voices() -> None:
    written = [(Q(0), Q(4), 72), *in_turn([Q(1)] * 4, [76, 77, 79, 81])]
    score = scored(written, meter_of())
    assert sorted(score.notes) == soundings(written)
    assert {voice for voices in score.voices for voice in voices} == {"1", "2", "5"}


def test_bars_follow_the_signatures_and_tempos_of_the_metre() -> None:
    meter = Meter((TimeSignature(0, 3, 4), TimeSignature(3.0, 6, 8)), (Tempo(0, 0.5), Tempo(3.0, 1.0)), is_exact=True)
    written = in_turn([Q(1)] * 6 + [Q(1, 2)] * 6, [72, 74])
    score = scored(written, meter)
    assert sorted(score.notes) == soundings(written) and score.lengths == [3, 3, 3]
    assert [bar.findtext("attributes/time/beats") for bar in score.bars] == ["3", None, "6"]


def test_a_short_first_bar_is_the_next_ones_pickup() -> None:
    meter = Meter((TimeSignature(0, 1, 4), TimeSignature(0.5, 3, 4)), (Tempo(0, 0.5),), is_exact=True)
    score = scored(in_turn([Q(1)] * 7, [72, 74]), meter)
    assert score.lengths == [1, 3, 3]
    assert [bar.get("implicit") for bar in score.bars] == ["yes", None, None]
    assert [bar.get("number") for bar in score.bars] == ["0", "1", "2"]
    assert score.bars[0].findtext("attributes/time/beats") == "3"


def test_key_signatures_stand_where_the_file_has_them() -> None:
    meter = Meter(
        (TimeSignature(0, 4, 4),), (Tempo(0, 0.5),), (KeySignature(0, 2), KeySignature(2.0, -3, True)), is_exact=True
    )
    score = scored(in_turn([Q(1)] * 8, [74, 78, 81, 86]), meter)
    assert [bar.findtext("attributes/key/fifths") for bar in score.bars] == ["2", "-3"]


def test_an_accidental_is_shown_once_a_bar() -> None:
    notes = performed(in_turn([Q(1)] * 8, [78, 78, 77, 78]), meter_of())
    bars = read_score(score_musicxml(notes, meter=meter_of())).bars
    shown = [
        [note.findtext("accidental") for note in bar.iter("note") if note.find("pitch") is not None] for bar in bars
    ]
    assert shown == [["sharp", None, "natural", "sharp"]] * 2


def test_eighths_of_a_beat_share_a_beam_and_rests_break_it() -> None:
    written = [
        (Q(0), Q(1, 2), 72),
        (Q(1, 2), Q(1, 2), 74),
        (Q(1), Q(1, 2), 76),
        (Q(2), Q(1, 4), 72),
        (Q(9, 4), Q(3, 4), 74),
    ]
    text = score_musicxml(performed(written, meter_of()), meter=meter_of())
    beams = [
        [beam.text for beam in note.findall("beam")]
        for note in ET.fromstring(text).iter("note")
        if note.find("pitch") is not None
    ]
    assert beams == [["begin"], ["end"], [], ["begin", "forward hook"], ["end"]]


def test_pedal_loudness_and_tempo_are_marked() -> None:
    notes = performed(in_turn([Q(1)] * 8, [60]), meter_of())
    loud = Notes.of(notes.onset, notes.duration, notes.pitch, [40] * 4 + [100] * 4, [(0.0, 2.0), (2.0, 3.0)])
    text = score_musicxml(loud, meter=meter_of())
    assert [text.count(f'<pedal type="{kind}"') for kind in ("start", "change", "stop")] == [1, 1, 1]
    bars = ET.fromstring(text).findall("./part/measure")
    assert [[mark.tag for mark in bar.findall(".//dynamics/*")] for bar in bars] == [["mp"], ["f"]]
    assert bars[0].findtext(".//per-minute") == "120"


def test_the_title_is_text_whatever_is_in_it() -> None:
    text = score_musicxml(performed([(Q(0), Q(1), 60)], meter_of()), title='<Für "Elise" & \x07co>')
    assert ET.fromstring(text).findtext("work/work-title") == '<Für "Elise" & co>'


def test_an_empty_piece_is_a_bar_of_rest() -> None:
    score = read_score(score_musicxml(Notes.of()))
    assert score.lengths == [4] and not score.notes


def test_the_same_notes_give_the_same_score(waltz: Notes) -> None:
    assert score_musicxml(waltz, title="a") == score_musicxml(waltz, title="a")


@settings(max_examples=15)
@given(pieces())
def test_verovio_engraves_performances_without_a_warning(notes: Notes) -> None:
    pytest.importorskip("verovio")
    assert complaints(score_musicxml(notes, title="made")) == ""


@settings(max_examples=15)
@given(melodies(), st.sampled_from([(4, 4), (6, 8)]))
def test_verovio_engraves_written_lines_without_a_warning(written: Written, signature: tuple[int, int]) -> None:
    pytest.importorskip("verovio")
    meter = meter_of(*signature, sharps=-4)
    assert complaints(score_musicxml(performed(written, meter), meter=meter)) == ""


def test_a_steady_performance_gets_the_bars_it_was_played_in() -> None:
    rng = np.random.default_rng(4)
    onset, pitch, velocity = [], [], []
    for beat in range(96):
        keys = ((45 + beat // 3 % 4 * 5, 90),) if beat % 3 == 0 else ((60, 55), (64, 55))
        for key, loudness in keys:
            onset.append(1 + 0.5 * beat + rng.normal(0, 0.01))
            pitch.append(key)
            velocity.append(loudness)
    notes = Notes.of(onset, [0.4] * len(onset), pitch, velocity)
    score = read_score(score_musicxml(notes))
    assert set(score.lengths[1:-1]) == {3}
    assert {note.start % 1 for note in score.notes} == {0}


@pytest.mark.parametrize(("over", "bars"), [(0.004, 2), (0.15, 2), (0.7, 3)])
def test_a_performance_that_ends_on_a_bar_line_opens_no_bar_after_it(over: float, bars: int) -> None:
    meter = replace(meter_of(3), is_exact=False)
    notes = Notes.of(np.arange(6) * 0.5, [0.5] * 5 + [0.5 + over], [60, 64, 67, 72, 67, 64], [64] * 6)
    assert len(read_score(score_musicxml(notes, meter=meter)).lengths) == bars
    assert len(read_score(score_musicxml(notes, meter=meter_of(3))).lengths) == (2 if over < 0.01 else 3)


@pytest.mark.parametrize("is_exact", [True, False])
@pytest.mark.parametrize("touch", [0.3, 0.45, 0.5])
def test_a_last_note_as_long_as_its_bar_opens_no_other(touch: float, is_exact: bool) -> None:
    onset = [0.5 * beat for beat in range(24)] + [12.0]
    notes = Notes.of(onset, [touch] * 24 + [1.5], [60 + beat % 5 for beat in range(25)], [64] * 25)
    meter = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),), is_exact=is_exact)
    score = score_musicxml(notes, title="waltz", meter=meter)
    assert score.count("<measure ") == 9 and "<tie " not in score
    held = Notes.of(onset, [touch] * 24 + [2.0], [60 + beat % 5 for beat in range(25)], [64] * 25)
    assert score_musicxml(held, title="waltz", meter=replace(meter, is_exact=True)).count("<measure ") == 10


@pytest.mark.parametrize("kind", ["pdf", "musicxml"])
def test_no_score_is_written_of_no_notes(tmp_path: Path, kind: str) -> None:
    with pytest.raises(RequestError, match=rf"a.{kind}: the music has no notes"):
        write_score(tmp_path / f"a.{kind}", Notes.of())
    assert not any(tmp_path.iterdir())

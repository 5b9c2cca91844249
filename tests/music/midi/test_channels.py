"""Pedal, keys and programs are states of a channel, whichever track, port or format carries them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.music.midi import read_midi
from arietta.music.midi.channels import SILENCES, find_programs, gather, is_played
from arietta.music.midi.smf import parse
from tests.support.midi_bytes import Event, controller, midi, off, on, port, program, sustain, text, track
from tests.support.reading import presses, rows

C4 = (0, on(60)), (960, off(60))  # one second
RESET, ALL_SOUND_OFF, ALL_NOTES_OFF = 121, 120, 123

Timed = list[tuple[int, bytes]]  # ticks from the start


def timed_track(events: Timed, end: int, *before: Event) -> bytes:
    """Make a track of events by their ticks that ends at `end`."""
    ticks = [0, *(tick for tick, _ in events)]
    deltas = [(after - tick, event) for tick, after, (_, event) in zip(ticks, ticks[1:], events, strict=False)]
    return track(*before, *deltas, (end - ticks[-1], text("end")))


# Pedal


def test_the_pedal_is_down_from_64_on() -> None:
    moves = [(96, sustain(value)) for value in (63, 64, 127, 70, 63, 0, 100, 63)]
    assert presses(midi(track(*moves))) == [[200, 500], [700, 800]]


def test_a_pedal_held_to_the_end_is_lifted_at_the_end_of_the_file() -> None:
    assert presses(midi(track((96, sustain(127)), *C4))) == [[100, 1100]]


def test_a_key_struck_again_under_the_pedal_gives_two_notes_and_one_press() -> None:
    data = midi(track((0, sustain(127)), (0, on(60)), (96, off(60)), (96, on(60)), (96, off(60)), (96, sustain(0))))
    assert rows(data) == [(0, 100, 60, 64), (200, 300, 60, 64)]
    assert presses(data) == [[0, 400]]


def test_a_pedal_changed_at_once_is_two_presses() -> None:
    assert presses(midi(track((0, sustain(127)), (96, sustain(0)), (0, sustain(127)), (96, sustain(0))))) == [
        [0, 100],
        [100, 200],
    ]


def test_a_pedal_pressed_and_lifted_at_once_holds_nothing() -> None:
    assert presses(midi(track((96, sustain(127)), (0, sustain(0)), *C4))) == []


def test_the_pedal_is_down_while_any_channel_holds_it() -> None:
    left = track((0, sustain(127)), (192, sustain(0)), (288, sustain(127)), (96, sustain(0)))
    right = track((0, sustain(0, 1)), (96, sustain(127, 1)), (192, sustain(0, 1)))
    assert presses(midi(left, right)) == [[0, 300], [500, 600]]


def test_a_pedal_that_one_channel_never_lifts_hides_no_earlier_press_of_another() -> None:
    left = track((192, sustain(127)), (96, text("end")))
    assert presses(midi(left, track((0, sustain(127)), (96, sustain(0))))) == [[0, 100], [200, 300]]


def test_other_controllers_are_not_the_pedal() -> None:
    assert presses(midi(track((0, b"\xb0\x42\x7f"), (0, b"\xb0\x07\x7f"), *C4))) == []


def test_a_pedal_pressed_on_one_track_is_lifted_on_another_of_its_channel() -> None:
    left = track((0, sustain(127)), *C4, (0, on(64)), (960, off(64)), (0, on(67)), (960, off(67)))
    right = track((960, sustain(0)), (480, sustain(127)), (480, sustain(0)))
    assert presses(midi(left, right)) == presses(midi(right, left)) == [[0, 1000], [1500, 2000]]


def test_a_pedal_is_not_lifted_on_another_channel_or_another_port() -> None:
    left = track((0, sustain(127)), *C4, (960, text("end")))
    assert presses(midi(left, track((480, sustain(0, 1)), (0, on(64, channel=1))))) == [[0, 2000]]
    assert presses(midi(left, track((0, port(1)), (480, sustain(0)), (0, on(64))))) == [[0, 2000]]
    assert presses(midi(left, track((0, port(0)), (480, sustain(0)), (0, on(64))))) == [[0, 500]]


def test_a_port_counts_from_where_its_track_names_it() -> None:
    one_track = track((0, sustain(127)), *C4, (0, port(1)), (0, sustain(0)), (0, on(64)), (960, off(64)))
    assert presses(midi(one_track, kind=0)) == [[0, 2000]]


def test_the_pedal_of_a_channel_without_notes_holds_nothing() -> None:
    assert presses(midi(track((0, sustain(127, 3)), *C4))) == []
    assert presses(midi(track((0, sustain(127, 3)), (0, on(64, 0, 3)), (0, off(64, 3)), *C4))) == []
    assert presses(midi(track((0, port(1)), (0, sustain(127)), (0, port(0)), *C4))) == []


@pytest.mark.parametrize("tracks", [None, [0]])
def test_the_pedal_of_drums_holds_nothing(tracks: list[int] | None) -> None:
    drums = (0, sustain(127, 9)), (0, on(36, channel=9)), (96, off(36, 9))
    assert presses(midi(track(*drums)), tracks=tracks) == []
    assert presses(midi(track((0, port(1)), *drums, *C4)), tracks=tracks) == []


def test_chosen_tracks_are_pedalled_by_all_tracks_of_their_channels() -> None:
    data = midi(track((96, sustain(127)), (96, sustain(0, 1)), (96, sustain(0))), track(*C4), track((0, on(64, 64, 1))))
    assert presses(data, tracks=[1]) == [[100, 300]]
    assert presses(data, tracks=[2]) == []


def test_the_tracks_of_format_2_have_each_its_own_pedal() -> None:
    assert presses(midi(track((0, sustain(127)), *C4), track((0, sustain(0)), *C4), kind=2)) == [[0, 1000]]


@pytest.mark.parametrize("value", [0, 127])
def test_a_reset_of_controllers_lifts_the_pedal_of_its_channel(value: int) -> None:
    data = midi(track((0, sustain(127)), *C4, (0, controller(RESET, value)), (960, text("end"))))
    assert presses(data) == [[0, 1000]]
    assert rows(data) == [(0, 1000, 60, 64)]
    other = midi(track((0, sustain(127)), *C4, (0, controller(RESET, value, 1)), (960, text("end"))))
    assert presses(other) == [[0, 2000]]


def test_a_reset_of_controllers_ends_no_note() -> None:
    assert rows(midi(track((0, on(60)), (96, controller(RESET)), (96, off(60))))) == [(0, 200, 60, 64)]


def test_a_pedal_pressed_again_after_a_reset_is_down() -> None:
    moves = (480, b"\xb0\x79\0"), (480, b"\x40\x7f"), (480, b"\x40\0")  # by running status
    assert presses(midi(track((0, sustain(127)), (0, on(60)), *moves))) == [[0, 500], [1000, 1500]]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 63, 64, 127, None])), max_size=30), st.data())
def test_the_pedal_is_down_while_any_channel_is(moves: list[tuple[int, int | None]], data: st.DataObject) -> None:
    events: Timed = []
    held, open_at, expected = set[int](), 0, list[list[float]]()
    for tick, (channel, value) in zip(itertools.count(96, 96), moves, strict=False):
        events.append((tick, controller(RESET, 0, channel) if value is None else sustain(value, channel)))
        was_held = bool(held)
        (held.add if (value or 0) >= 64 else held.discard)(channel)
        if held and not was_held:
            open_at = tick
        if was_held and not held:
            expected.append([open_at / 0.96, tick / 0.96])
    end = 96 * (len(moves) + 2)
    if held:
        expected.append([open_at / 0.96, end / 0.96])
    struck = track(*[(0, on(60 + channel, 64, channel)) for channel in range(3)])
    carried = [data.draw(st.integers(0, 2)) for _ in events]
    tracks = [timed_track([e for e, k in zip(events, carried, strict=True) if k == n], end) for n in range(3)]
    assert presses(midi(struck, *tracks)) == [pytest.approx(press) for press in expected]


# Keys


def test_a_key_struck_on_two_channels_is_down_until_both_let_go() -> None:
    other = track((96, on(60, 70, 1)), (96, off(60, 1)))
    for data in (midi(track(*C4), other), midi(other, track(*C4))):
        assert rows(data) == [(0, 100, 60, 64), (100, 1000, 60, 70)]


def test_a_key_struck_on_two_ports_is_down_until_both_let_go() -> None:
    assert rows(midi(track(*C4), track((0, port(3)), (96, on(60, 70)), (96, off(60))))) == [
        (0, 100, 60, 64),
        (100, 1000, 60, 70),
    ]


def test_a_key_struck_again_and_again_while_another_voice_holds_it_sounds_throughout() -> None:
    again = ((96, on(60)), (96, off(60)), (96, on(60)), (96, off(60)))
    for data in (
        midi(track(*C4), track(*again)),
        midi(track(*C4), track(*((ticks, bytes([event[0] | 1, *event[1:]])) for ticks, event in again))),
    ):
        assert rows(data) == [(0, 100, 60, 64), (100, 300, 60, 64), (300, 1000, 60, 64)]


def test_legato_on_one_key_with_late_note_offs_keeps_its_lengths() -> None:
    step = ((96, on(60)), (6, off(60)))
    assert rows(midi(track((0, on(60)), *step, *step, (90, off(60))))) == [
        (0, 100, 60, 64),
        (100, 206.25, 60, 64),
        (206.25, 306.25, 60, 64),
    ]


def test_a_note_stuck_on_one_channel_lengthens_no_note_of_another() -> None:
    again = ((96, on(60, 64, 1)), (96, off(60, 1)))
    assert rows(midi(track((0, on(60))), track(*again, *again, (960, text("end"))))) == [
        (0, 100, 60, 64),
        (100, 200, 60, 64),
        (300, 400, 60, 64),
    ]


def test_a_note_off_too_many_on_another_channel_shortens_no_note() -> None:
    other = track((96, on(64, 64, 1)), (96, off(64, 1)), (0, off(60, 1)), (0, off(60, 1)))
    assert rows(midi(track(*C4), other))[0] == (0, 1000, 60, 64)


def test_a_note_off_on_another_track_of_the_channel_ends_the_note() -> None:
    assert rows(midi(track((0, on(60))), track((96, off(60)), (96, text("end"))))) == [(0, 100, 60, 64)]


@pytest.mark.parametrize("number", SILENCES)
def test_all_notes_off_releases_the_keys_of_its_channel_and_moves_no_pedal(number: int) -> None:
    struck = track((0, sustain(127)), (0, on(60)), (0, on(64)), (0, on(67, 64, 1)), (1920, text("end")))
    for data in (midi(struck, track((480, controller(number)))), midi(track((480, controller(number))), struck)):
        assert rows(data) == [(0, 500, 60, 64), (0, 500, 64, 64), (0, 2000, 67, 64)]
        assert presses(data) == [[0, 2000]]
    elsewhere = track((0, port(1)), (480, controller(number)))
    assert rows(midi(struck, elsewhere)) == [(0, 2000, pitch, 64) for pitch in (60, 64, 67)]


def test_all_notes_off_on_another_track_releases_the_notes_of_chosen_tracks() -> None:
    data = midi(track((0, on(60)), (960, text("end"))), track((480, controller(ALL_NOTES_OFF))))
    assert rows(data, tracks=[0]) == [(0, 500, 60, 64)]
    drums = midi(track((0, on(36, 64, 9)), (960, text("end"))), track((480, controller(ALL_SOUND_OFF, 0, 9))))
    assert rows(drums, tracks=[0]) == [(0, 500, 36, 64)]


def test_all_notes_off_ends_no_note_struck_at_its_tick_or_later() -> None:
    silence = (480, controller(ALL_NOTES_OFF))
    data = midi(track((0, on(60)), silence, (0, on(60)), (480, off(60)), (480, on(60)), (480, off(60))))
    assert rows(data) == [(0, 500, 60, 64), (500, 1000, 60, 64), (1500, 2000, 60, 64)]
    assert rows(midi(track(silence), track((480, on(60)), (480, off(60))))) == [(500, 1000, 60, 64)]


def test_all_notes_off_releases_both_voices_of_a_channel_and_not_that_of_another() -> None:
    voices = track((0, on(60)), (96, on(60)), (96, controller(ALL_NOTES_OFF)), (960, text("end")))
    assert rows(midi(voices)) == [(0, 100, 60, 64), (100, 200, 60, 64)]
    assert rows(midi(voices, track((0, on(60, 64, 1)), (288, off(60, 1))))) == [(0, 100, 60, 64), (100, 300, 60, 64)]


# Laws

EVENTS = st.lists(
    st.one_of(
        st.builds(on, st.sampled_from([60, 61]), st.sampled_from([0, 50]), st.integers(0, 1)),
        st.builds(off, st.sampled_from([60, 61]), st.integers(0, 1)),
        st.builds(sustain, st.sampled_from([0, 127]), st.integers(0, 1)),
        st.builds(controller, st.sampled_from([RESET, ALL_NOTES_OFF, ALL_SOUND_OFF]), st.just(0), st.integers(0, 1)),
    ),
    max_size=40,
)


@given(EVENTS, st.data())
def test_the_same_messages_on_any_tracks_are_the_same_notes(events: list[bytes], data: st.DataObject) -> None:
    timed = [(96 * (index // 2), event) for index, event in enumerate(events)]
    end = 96 * (len(events) + 1)
    # Two messages of one tick stay in their order: on one track, or on a later one.
    firsts = [data.draw(st.integers(0, 2)) for _ in range(0, len(events), 2)]
    carried = [number for first in firsts for number in (first, data.draw(st.integers(first, 2)))]
    split = [timed_track([e for e, k in zip(timed, carried, strict=False) if k == n], end) for n in range(3)]
    together = timed_track(timed, end)
    assert read_midi(midi(*split)) == read_midi(midi(together)) == read_midi(midi(together, kind=0))


# Of no length is none: where it begins as another of its key ends, one channel cannot say which of the two is meant.
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20), st.sampled_from([60, 61]), st.integers(0, 3))))
def test_notes_on_any_channels_and_ports_are_the_notes_on_one(notes: list[tuple[int, int, int, int]]) -> None:
    def file(places: list[tuple[int, int]]) -> bytes:
        """Put each note on a track of its own, on the port and channel of its voice."""
        tracks = []
        for start, length, pitch, voice in notes:
            port_number, channel = places[voice]
            events = [(96 * start, on(pitch, 64, channel)), (96 * (start + length), off(pitch, channel))]
            tracks.append(timed_track(events, 5000, (0, port(port_number))))
        return midi(*tracks)

    alone = read_midi(file([(0, 0)] * 4))
    assert read_midi(file([(0, 0), (0, 1), (0, 2), (0, 15)])) == alone
    assert read_midi(file([(0, 0), (1, 0), (2, 3), (127, 15)])) == alone


# Programs


def programs(data: bytes) -> list[int]:
    messages = gather(parse(data).tracks)
    numbers: list[int] = find_programs(messages.pick(is_played(messages, None)), messages).tolist()
    return numbers


def test_a_program_counts_on_its_channel_from_its_tick_whichever_track_chooses_it() -> None:
    struck = track((0, on(60)), (96, on(61)), (0, on(62, 64, 1)), (96, on(63)))
    assert programs(midi(struck, track((96, program(40)), (96, program(41))))) == [0, 40, 0, 41]
    assert programs(midi(struck, track((0, program(7, 1))))) == [0, 0, 7, 0]
    assert programs(midi(struck, track((0, port(1)), (0, program(40))))) == [0, 0, 0, 0]
    assert programs(midi(track((0, on(36, 64, 9))))) == []

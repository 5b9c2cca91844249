"""What a piece tells is the piece: in order, without loss, whatever was in the prompt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.generation.batch import Batch
from arietta.generation.loop import Generation, generate
from arietta.generation.request import Request
from arietta.music.notes import Note, Notes, Pedal
from arietta.serve.jobs.event_log import EventLog, events_of, pack, to_notes, unpack
from tests.support.bundles import engine_of

times = st.floats(0, 1e6, allow_subnormal=False)
made = st.one_of(
    st.builds(Note, times, times, st.integers(0, 127), st.integers(1, 127)), st.builds(Pedal, times, times)
)


@given(st.lists(made, max_size=30))
def test_packing_loses_nothing(events: list[Note | Pedal]) -> None:
    again = unpack(pack(events))
    assert again == events
    assert [type(event) for event in again] == [type(event) for event in events]


@st.composite
def prompts(draw: st.DrawFn) -> Notes:
    """Prompts whose pedal is down or up at their end, moves within a grid's step, or is never touched."""
    steps = st.floats(0.001, 0.4)
    onset = np.cumsum(draw(st.lists(steps, min_size=1, max_size=8)))
    edges = np.cumsum(draw(st.lists(steps, max_size=12)))
    presses = edges[: len(edges) // 2 * 2].reshape(-1, 2)
    pitch = draw(st.lists(st.integers(21, 108), min_size=len(onset), max_size=len(onset)))
    return Notes.of(onset, [0.2] * len(onset), pitch, [60] * len(onset), presses)


@settings(max_examples=40)
@given(prompts(), st.integers(0, 3))
def test_what_is_told_step_by_step_is_the_take(tiny_bundle: Path, prompt: Notes, seed: int) -> None:
    engine = engine_of(tiny_bundle)
    request = Request(notes=12, seed=seed, prompt=prompt)
    piece, event_log, ensemble = Generation(request, engine.bundle), EventLog(prompt), Batch(engine)
    ensemble.add(piece)
    seen: list[Note | Pedal] = []
    while ensemble:
        for _, events in ensemble.step():
            event_log.add(events)
        assert event_log.events[: len(seen)] == seen  # what was told stays told
        seen = list(event_log.events)
    event_log.close()
    assert to_notes(event_log.events) == generate(request, engine).notes
    assert event_log.note_count == 12
    assert to_notes(unpack(pack(event_log.events))) == to_notes(event_log.events)


def test_a_press_that_the_prompt_holds_ends_where_the_next_begins_or_with_itself() -> None:
    prompt = Notes.of([0.0], [1.0], [60], [60], [(0.0, 5.0)])
    lifted, met, joined = EventLog(prompt), EventLog(prompt), EventLog(prompt)
    lifted.close()
    assert lifted.events[1:] == [Pedal(0.0, 5.0)]
    met.add([Pedal(2.0, 3.0)])
    met.close()
    assert met.events[1:] == [Pedal(0.0, 2.0), Pedal(2.0, 3.0)]
    joined.add([Pedal(0.0, 3.0)])
    joined.close()
    assert joined.events[1:] == [Pedal(0.0, 3.0)]


def test_gathering_lets_a_later_word_have_the_last() -> None:
    presses = [Pedal(0.0, 1.0), Pedal(2.0, 3.0), Pedal(3.5, 4.0), Pedal(2.5, 9.0)]
    assert to_notes(presses).pedal.tolist() == [[0.0, 1.0], [2.0, 2.5], [2.5, 9.0]]


def test_a_piece_is_its_events(waltz: Notes) -> None:
    assert Notes.from_events(events_of(waltz)) == waltz
    assert to_notes(events_of(waltz)) == waltz

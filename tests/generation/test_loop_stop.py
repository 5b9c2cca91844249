"""A piece that is stopped: finished with the notes it has, and the same again from what it says of itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arietta.errors import RequestError
from arietta.generation.loop import Generation, generate, start, step
from arietta.generation.request import Request, Take
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Notes, first
from tests.support.bundles import engine_of


def compose_until(request: Request, engine: OnnxEngine, steps: int) -> Take:
    """Compose so many steps, then stop, as a scheduler would."""
    generation = Generation(request, engine.bundle)
    cache, slots = start(generation, engine)
    while not generation.is_done:
        if len(generation.tokens) - len(generation.prompt_tokens) >= steps:
            generation.stop()
        step(slots, cache, engine)
    return generation.take(0.0)


@pytest.mark.parametrize("steps", [0, 1, 7, 40])
@pytest.mark.parametrize("asked", [{"notes": 300}, {"seconds": 60.0}, {"notes": 300, "style": "grieg"}])
def test_a_stopped_piece_is_the_same_again_from_its_own_request(
    tiny_engine: OnnxEngine, waltz: Notes, steps: int, asked: dict[str, Any]
) -> None:
    request = Request(**asked, seed=steps, prompt=first(waltz, 5)).resolve(tiny_engine.bundle)
    stopped = compose_until(request, tiny_engine, steps)
    assert stopped.request == replace(request, stopped_at=stopped.note_count)
    again = generate(Request.from_description(stopped.describe(), request.prompt), tiny_engine)
    assert (again.notes, again.nll, again.texts()) == (stopped.notes, stopped.nll, stopped.texts())


def test_it_begins_as_the_piece_that_is_not_stopped_and_ends_with_keys_and_pedal_up(tiny_engine: OnnxEngine) -> None:
    request = Request(notes=200, seed=3)
    full, stopped = generate(request, tiny_engine), generate(replace(request, stopped_at=90), tiny_engine)
    assert stopped.note_count == 90
    assert [stopped.notes[index] for index in range(90)] == [full.notes[index] for index in range(90)]
    assert (stopped.notes.pedal[:, 1] > stopped.notes.pedal[:, 0]).all()


def test_the_lstm_with_a_token_for_each_event_stops_too(tiny_lstm: Path) -> None:
    request, engine = Request(notes=200, seed=3), engine_of(tiny_lstm)
    stopped = compose_until(request, engine, 100)
    assert 1 <= stopped.note_count < 200
    assert generate(stopped.request, engine).notes == stopped.notes


def test_its_title_says_how_much_of_what_there_is() -> None:
    assert Request(notes=300, seed=7, stopped_at=12).title("tiny") == "tiny-any-0012-of-0300-notes-seed-7"
    assert Request(seconds=26 / 3).title("tiny") == "tiny-any-8.67-seconds-seed-0"  # so many bars may take
    assert Request(seconds=60, seed=7, stopped_at=12).title("tiny") == "tiny-any-0012-notes-of-60-seconds-seed-7"


@pytest.mark.parametrize("stopped_at", [0, 301, True, 2.5])
def test_an_impossible_stop_is_refused(stopped_at: int) -> None:
    with pytest.raises(RequestError, match=r"stopped_at must (lie in 1-300|be a whole number)"):
        Request(notes=300, stopped_at=stopped_at)

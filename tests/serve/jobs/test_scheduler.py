"""The stage by itself: who is stepped, in which order, and what becomes of them; with a network, without HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from arietta.generation.loop import Piece, Request, compose
from arietta.generation.original import Originality, Search
from arietta.model.engine import OnnxEngine
from arietta.model.sampling import Sampling
from arietta.music.notes import Notes, first
from arietta.serve.jobs.event_log import gather
from arietta.serve.jobs.history import DONE, WAITING
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.metrics import Metrics
from arietta.serve.jobs.notifier import Bell
from arietta.serve.jobs.scheduler import FullError, Stage, StoppingError, Turn
from tests.support.bundles import engine_of

PATIENCE = 60.0


@contextmanager
def staged(limits: Limits | None = None, is_stopping: Callable[[], bool] = lambda: False) -> Iterator[Stage]:
    """Run a stage, on which what ends is over at once."""

    def end(turn: Turn) -> None:
        turn.is_over = True

    stage = Stage(limits or Limits(), Bell(), Metrics(), ended=end, is_stopping=is_stopping)
    stage.open()
    yield stage
    stage.close()


def turn(engine: Any, client: str = "", **asked: Any) -> Turn:
    return Turn("", Piece(Request(**asked), engine.bundle), engine, client)


def wait(*turns: Turn) -> None:
    until(lambda: all(one.is_over for one in turns))


def until(claim: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_pieces_of_two_models_share_the_stage_and_are_what_they_are_alone(
    tiny_engine: OnnxEngine, tiny_lstm: Path, waltz: Notes
) -> None:
    lstm = engine_of(tiny_lstm)
    prompt = first(waltz, 6)
    turns = [turn(engine, notes=30, seed=seed, prompt=prompt) for seed in range(3) for engine in (tiny_engine, lstm)]
    turns.append(turn(tiny_engine, seconds=5.0, seed=9))
    with staged() as stage:
        stage.submit(turns)
        wait(*turns)
    for one in turns:
        assert one.take is not None and one.state == "done"
        alone = compose(one.piece.request, one.engine)
        assert one.take.notes == alone.notes == gather(one.transcript.events)
        assert one.take.nll == alone.nll


def test_times_are_told_in_their_order(tiny_engine: OnnxEngine) -> None:
    one = turn(tiny_engine, notes=20)
    assert one.timing() == dict.fromkeys(("waited", "first_note", "composing", "notes_per_second"))
    with staged() as stage:
        stage.submit([one])
        wait(one)
    assert one.seated is not None and one.first_note is not None and one.ended is not None
    assert one.came <= one.seated <= one.first_note <= one.ended
    assert one.progress == (20, 20)


def test_seats_are_given_in_the_order_of_coming(tiny_engine: OnnxEngine) -> None:
    turns = [turn(tiny_engine, notes=10, seed=seed) for seed in range(6)]
    with staged(Limits(seats=1)) as stage:
        stage.submit(turns)
        wait(*turns)
    seated = [one.seated for one in turns]
    assert seated == sorted(seated)
    assert all(before.ended <= after.seated for before, after in pairwise(turns))


def test_a_prompt_that_takes_long_to_hear_holds_nobody_up(
    tiny_engine: OnnxEngine, waltz: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, heard = tiny_engine.begin, threading.Event()

    def slowly(condition: tuple[int, int], prompt: Any) -> Any:
        if len(prompt):
            heard.wait(PATIENCE)
        return begin(condition, prompt)

    monkeypatch.setattr(tiny_engine, "begin", slowly)
    slow, quick = turn(tiny_engine, notes=5, prompt=waltz), turn(tiny_engine, notes=5)
    with staged() as stage:
        stage.submit([slow, quick])
        wait(quick)
        assert slow.seated is None and stage.counts == (1, 0)
        heard.set()
        wait(slow)
    assert slow.state == "done"


def test_a_prompt_in_a_style_is_heard_in_it_and_in_none_before_its_piece_is_seated(
    tiny_engine: OnnxEngine, waltz: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, hearers = tiny_engine.feed, list[str]()

    def told(events: Any, state: Any) -> Any:
        hearers.append(threading.current_thread().name)
        return feed(events, state)

    monkeypatch.setattr(tiny_engine, "feed", told)
    guided = turn(tiny_engine, notes=5, prompt=first(waltz, 7), style="grieg", sampling=Sampling(guidance=3.0))
    with staged() as stage:
        stage.submit([guided])
        wait(guided)
    assert guided.state == "done" and len(hearers) == 2
    assert not any(name.startswith("stage") for name in hearers)


def test_a_prompt_that_cannot_be_heard_fails_alone(
    tiny_engine: OnnxEngine, waltz: Notes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin = tiny_engine.begin

    def fail(condition: tuple[int, int], prompt: Any) -> Any:
        if len(prompt):
            raise RuntimeError("deaf")
        return begin(condition, prompt)

    monkeypatch.setattr(tiny_engine, "begin", fail)
    deaf, well = turn(tiny_engine, notes=5, prompt=waltz), turn(tiny_engine, notes=40)
    with staged() as stage:
        stage.submit([well, deaf])
        wait(deaf, well)
    assert (deaf.state, well.state) == ("failed", "done")
    assert "deaf" in caplog.text


def test_who_waits_is_cancelled_at_once_and_who_is_composed_within_a_step(tiny_engine: OnnxEngine) -> None:
    long, waiting = turn(tiny_engine, notes=10_000), turn(tiny_engine, notes=10_000)
    with staged(Limits(seats=1)) as stage:
        stage.submit([long, waiting])
        until(lambda: long.transcript.note_count > 5)
        stage.cancel(waiting)
        wait(waiting)
        assert stage.counts == (0, 1) and waiting.seated is None
        stage.cancel(long)
        wait(long)
        count = long.transcript.note_count
        assert stage.counts == (0, 0)
        assert (long.state, long.take) == ("cancelled", None)
        time.sleep(0.05)
        assert long.transcript.note_count == count
        stage.cancel(long)  # once more does nothing


def test_what_is_beyond_the_limits_is_refused_whole_and_what_is_resumed_is_not(tiny_engine: OnnxEngine) -> None:
    def long(client: str) -> Turn:
        return turn(tiny_engine, client, notes=10_000)

    with staged(Limits(seats=2, places=1, short_notes=10_000, most_per_client=2)) as stage:
        first_two = [long("a"), long("a")]
        stage.submit(first_two)
        until(lambda: stage.counts == (0, 2))
        with pytest.raises(FullError, match="you have 2 pieces under way"):
            stage.submit([long("a")])
        with pytest.raises(FullError, match="the server has 2 pieces to compose"):
            stage.submit([long("b"), long("b")])
        assert stage.counts == (0, 2)
        resumed = [long("") for _ in range(5)]
        stage.submit(resumed, is_resumed=True)
        assert stage.counts == (5, 2)
        for one in (*resumed, *first_two):
            stage.cancel(one)
        wait(*resumed, *first_two)


def test_a_piece_that_may_be_composed_again_tells_nothing_until_it_is_settled(tiny_engine: OnnxEngine) -> None:
    borrowed = Originality(61, 0.4, 99.0, 98.0, False, "X")
    request = Request(notes=20, seed=7)
    piece = Turn("", Piece(request, tiny_engine.bundle), tiny_engine, search=Search(request))
    with staged() as stage:
        stage.submit([piece])
        wait(piece)
        assert piece.state == DONE and piece.transcript.note_count == 20 and not piece.told
        assert not piece.judge(borrowed)
        assert piece.take is None and piece.state == WAITING and piece.progress == (0, 20) and not piece.told
        began, piece.is_over = piece.seated, False
        stage.submit([piece])
        wait(piece)
        assert piece.judge(replace(borrowed, is_inside=True))
    assert piece.take is not None and piece.take.request.seed == 107 and piece.seated == began
    assert gather(piece.told) == piece.take.notes == compose(replace(request, seed=107), tiny_engine).notes


def test_a_stage_that_stops_takes_nothing_more_and_leaves_what_is_unfinished_as_it_is(tiny_engine: OnnxEngine) -> None:
    stop = threading.Event()
    with staged(is_stopping=stop.is_set) as stage:
        long = turn(tiny_engine, notes=10_000)
        stage.submit([long])
        until(lambda: long.transcript.note_count > 5)
        assert stage.is_running
        stop.set()
        until(lambda: not stage._thread.is_alive())
        assert not stage.is_running
        with pytest.raises(StoppingError, match="the server is stopping"):
            stage.submit([turn(tiny_engine, notes=1)])
    assert long.state == "composing" and not long.is_over and long.take is None

"""Pieces composed together: byte for byte what each would be alone, whoever joins and leaves, and when."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.errors import RequestError
from arietta.generation.batch import Batch, generate_all
from arietta.generation.loop import Generation, generate
from arietta.generation.request import Request, Take
from arietta.model.engine import OnnxEngine
from arietta.model.sampling import Sampling
from arietta.music.midi import midi_bytes
from arietta.music.notes import Note, Notes, Pedal, first
from tests.support.bundles import engine_of
from tests.support.strategies import SEEDS

WINDOW = 64  # rows, of the tiny transformers: most pieces here slide it


@pytest.fixture(scope="module", params=["tiny_bundle", "tiny_bundle_32", "tiny_lstm"])
def engine(request: pytest.FixtureRequest) -> OnnxEngine:
    folder: Path = request.getfixturevalue(request.param)
    return engine_of(folder)


NUMBERS = np.arange(80)
THEME = Notes.of(NUMBERS * 0.21, np.full(80, 0.2), 48 + 7 * NUMBERS % 31, 40 + NUMBERS % 50)


@cache
def request_of(piece: int) -> Request:
    """Requests of every sort: short, and long enough to slide the window twice; prompts, shared and not; seconds."""
    length: dict[str, float] = {"seconds": 9.0} if piece % 5 == 4 else {"notes": (5, 70, 1, 130, 40)[piece % 5]}
    prompt = (None, THEME, None, first(THEME, 9), THEME)[piece % 7 % 5]
    sampling = (Sampling(), Sampling(0.8, 0.9, guidance=3.0), Sampling(1.1, 1.0, 0.05, 1.0))[piece // 2 % 3]
    return Request(**length, style=("any", "grieg")[piece % 2], seed=piece, prompt=prompt, sampling=sampling)


def alone(engine: OnnxEngine, piece: int, kept: dict[tuple[int, int], Take]) -> Take:
    """What `compose` makes of a request, made once an engine."""
    if (id(engine), piece) not in kept:
        kept[id(engine), piece] = generate(request_of(piece), engine)
    return kept[id(engine), piece]


KEPT: dict[tuple[int, int], Take] = {}


def assert_same(take: Take, expected: Take) -> None:
    assert np.array_equal(take.tokens, expected.tokens)
    assert take.nll == expected.nll
    assert midi_bytes(take.notes, title=take.title) == midi_bytes(expected.notes, title=expected.title)


def play(ensemble: Batch, steps: int) -> list[tuple[Generation, list[Note | Pedal]]]:
    return [made for _ in range(steps) for made in ensemble.step()]


@given(seed=SEEDS)
@settings(max_examples=6, deadline=None)
def test_each_piece_is_what_it_is_alone_whoever_joins_and_leaves(engine: OnnxEngine, seed: int) -> None:
    rng, ensemble, done = np.random.default_rng(seed), Batch(engine), []
    waiting = [(int(number), Generation(request_of(int(number)), engine.bundle)) for number in rng.permutation(12)]
    numbers = {id(piece): number for number, piece in waiting}
    heard: dict[int, list[Note | Pedal]] = {number: [] for number, _ in waiting}
    while waiting or ensemble:
        for _ in range(int(rng.integers(0, 3))):
            if waiting:
                ensemble.add(waiting.pop()[1])
        if len(ensemble) > 1 and rng.random() < 0.02:
            ensemble.remove(ensemble.generations[int(rng.integers(len(ensemble)))])
        for piece, made in play(ensemble, int(rng.integers(1, 30))):
            heard[numbers[id(piece)]] += made
            if piece.is_done:
                done.append(piece)
    assert done
    for piece in done:
        expected = alone(engine, numbers[id(piece)], KEPT)
        assert_same(piece.take(0.0), expected)
        assert heard[numbers[id(piece)]] == piece.events


def test_all_at_once_is_one_after_the_other(engine: OnnxEngine) -> None:
    ensemble = Batch(engine)
    pieces = [Generation(request_of(number), engine.bundle) for number in range(10)]
    for piece in pieces:
        ensemble.add(piece)
    while ensemble:
        ensemble.step()
    for number, piece in enumerate(pieces):
        assert_same(piece.take(0.0), alone(engine, number, KEPT))


def test_some_pieces_slide_the_window_more_than_once(engine: OnnxEngine) -> None:
    longest = max(len(alone(engine, number, KEPT).tokens) for number in range(10))
    assert longest > 2 * WINDOW


def test_a_step_gives_one_row_to_every_piece_in_their_order(tiny_engine: OnnxEngine) -> None:
    ensemble = Batch(tiny_engine)
    pieces = [Generation(Request(notes=20, seed=seed), tiny_engine.bundle) for seed in range(3)]
    for count, piece in enumerate(pieces, start=1):
        ensemble.add(piece)
        assert [stepped for stepped, _ in ensemble.step()] == pieces[:count] == list(ensemble.generations)
    assert [len(piece.tokens) for piece in pieces] == [3, 2, 1]


def test_a_finished_piece_is_told_once_and_has_left(tiny_engine: OnnxEngine) -> None:
    ensemble = Batch(tiny_engine)
    short, long = (Generation(Request(notes=notes), tiny_engine.bundle) for notes in (1, 30))
    ensemble.add(short)
    ensemble.add(long)
    told = play(ensemble, 12)
    assert short.is_done and ensemble.generations == (long,) and len(ensemble) == 1
    assert sum(piece is short for piece, _ in told) == len(short.tokens) < 12
    assert sum(isinstance(event, Note) for piece, made in told for event in made if piece is short) == 1


def test_a_dropped_piece_is_stepped_no_more(tiny_engine: OnnxEngine) -> None:
    ensemble = Batch(tiny_engine)
    pieces = [Generation(Request(notes=50, seed=seed), tiny_engine.bundle) for seed in range(3)]
    for piece in pieces:
        ensemble.add(piece)
    play(ensemble, 3)
    ensemble.remove(pieces[0])
    assert ensemble.generations == (pieces[2], pieces[1])
    play(ensemble, 4)
    assert [len(piece.tokens) for piece in pieces] == [3, 7, 7]
    with pytest.raises(ValueError, match="not being composed here"):
        ensemble.remove(pieces[0])


def test_a_guided_piece_has_two_places_and_is_one_piece(tiny_engine: OnnxEngine) -> None:
    ensemble = Batch(tiny_engine)
    requests = [Request(notes=20, style=style, sampling=Sampling(guidance=2.0)) for style in ("any", "grieg", "grieg")]
    pieces = [Generation(request, tiny_engine.bundle) for request in requests]
    for piece in pieces:
        ensemble.add(piece)
    assert ensemble.generations == tuple(pieces) and len(ensemble) == 3
    assert len(ensemble._slots) == 5
    ensemble.remove(pieces[1])
    assert len(ensemble._slots) == 3 and set(ensemble.generations) == {pieces[0], pieces[2]}
    assert {piece for piece, _ in ensemble.step()} == {pieces[0], pieces[2]}


def test_an_empty_ensemble_composes_nothing_and_can_be_used_again(tiny_engine: OnnxEngine) -> None:
    ensemble = Batch(tiny_engine)
    assert ensemble.step() == [] and not ensemble and ensemble.generations == ()
    for _ in range(2):
        piece = Generation(request_of(0), tiny_engine.bundle)
        ensemble.add(piece)
        while ensemble:
            ensemble.step()
        assert_same(piece.take(0.0), alone(tiny_engine, 0, KEPT))


@given(count=st.integers(1, 9))
@settings(max_examples=4)
def test_pieces_with_one_prompt_take_it_in_once(tiny_bundle: Path, count: int) -> None:
    engine, fed = engine_of(tiny_bundle), []
    prefill = engine.prefill
    engine.prefill = lambda events, *others: (fed.append(len(events)), prefill(events, *others))[1]  # type: ignore[method-assign]
    ensemble = Batch(engine)
    for seed in range(count):
        ensemble.add(Generation(Request(notes=3, seed=seed, prompt=THEME), engine.bundle))
    assert len(fed) == 1


@given(st.lists(st.one_of(st.none(), st.booleans()), min_size=1, max_size=12), SEEDS)
@settings(max_examples=25)
def test_partners_stay_partners_as_generations_join_and_leave(
    tiny_engine: OnnxEngine, changes: list[bool | None], seed: int
) -> None:
    """True adds a guided generation, False one that is not, None removes one."""
    batch, rng = Batch(tiny_engine), np.random.default_rng(seed)
    for is_guided in changes:
        if is_guided is not None:
            style = "grieg" if is_guided else "any"
            batch.add(Generation(Request(notes=5, style=style), tiny_engine.bundle))
        elif batch:
            batch.remove(batch.generations[int(rng.integers(len(batch)))])
        for index, slot in enumerate(batch._slots):
            partner = batch._slots[slot.partner]
            assert partner.generation is slot.generation and partner.partner == index
            assert slot.generation.is_guided == (slot.partner != index)
            assert not slot.generation.is_guided or partner.is_unconditional != slot.is_unconditional


# Many requests


def test_many_requests_give_the_takes_that_each_gives_alone(
    engine: OnnxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arietta.generation.batch.MAX_SLOTS", 3)
    requests = [request_of(number) for number in range(10) if number % 5 != 4]  # those of so many notes
    told: list[tuple[float, float]] = []
    takes = list(generate_all(requests, engine, progress=lambda done, whole: told.append((done, whole))))
    assert sorted(take.request.seed for take in takes) == [request.seed for request in requests]
    for take in takes:
        assert_same(take, alone(engine, take.request.seed, KEPT))
        assert take.seconds_taken > 0
    notes = sum(request.notes or 0 for request in requests)
    assert told == sorted(told) and told[-1] == (notes, notes)


def test_takes_come_as_they_are_done(tiny_engine: OnnxEngine) -> None:
    takes = generate_all([Request(notes=40, seed=1), Request(notes=3, seed=2)], tiny_engine)
    assert [take.request.seed for take in takes] == [2, 1]


def test_of_many_requests_one_that_cannot_be_met_stops_all_before_any_work(tiny_engine: OnnxEngine) -> None:
    told: list[tuple[float, float]] = []
    requests = [Request(notes=3), Request(notes=3, style="Nobody")]
    with pytest.raises(RequestError, match="Nobody"):
        next(generate_all(requests, tiny_engine, progress=lambda done, whole: told.append((done, whole))))
    assert not told

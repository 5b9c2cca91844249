"""The guard on the course of a take: silences end, notes keep to a speed that there is, and are not all cut short."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arietta.codecs.codec import Masks
from arietta.codecs.grid import KEY_COUNT, LONGEST_WAIT, REST, SHORT_WAITS, SYMBOL_COUNTS, TIME_COUNT
from arietta.generation.batch import generate_all
from arietta.generation.guard import (
    BARRED_NOTES,
    FASTEST,
    FEWEST_PITCHES,
    LONGEST_GAP,
    LONGEST_GAP_AFTER_PROMPT,
    MOST_LEAN,
    REMEMBERED,
    SHORTEST_MEDIAN,
    STRETCH,
    CourseGuard,
    DensityGuard,
    KeyGuard,
    LoudnessGuard,
)
from arietta.generation.loop import Generation, generate
from arietta.generation.passage import Edit
from arietta.generation.request import Request, Take
from arietta.generation.wishes import read_wishes
from arietta.model.bundle import load_bundle
from arietta.model.engine import OnnxEngine, shared_engine
from arietta.music.notes import LOWEST_PITCH, Note, Notes
from tests.support.bundles import engine_of
from tests.support.engines import Wilful, Wish, assert_closed

NOTES = 200


def rising(time: int, duration: int) -> Wish:
    """Strike keys in rising order, over and over, so that no loop and no held key is in the way."""
    struck = [0]

    def wish(field: int, row: list[int]) -> float:
        struck[0] += field == 2 and row[1] < KEY_COUNT
        return (time, struck[0] % 53, duration, 16)[field]

    return wish


def resting() -> Wish:
    """Strike as many keys as an opening needs, then rest as long as possible whenever that is possible."""
    struck = [0]

    def wish(field: int, row: list[int]) -> float:
        struck[0] += field == 2 and row[1] < KEY_COUNT
        is_rest = struck[0] > 20 and (not row or row[0] >= 100)
        return (LONGEST_WAIT if struck[0] > 20 else 20, REST if is_rest else struck[0] % 53, 40, 16)[field]

    return wish


def trembling(key_count: int) -> Wish:
    """Strike so few keys in an order that never comes again, so that there is no loop."""
    order = np.random.default_rng(1).integers(0, key_count, 10_000).tolist()
    struck = [0]

    def wish(field: int, row: list[int]) -> float:
        struck[0] += field == 2 and row[1] < KEY_COUNT
        return (12, 40 + order[struck[0]], 10, 16)[field]

    return wish


def take_of(tiny_bundle: Path, wish: Wish, *, is_guarded: bool = True, **asked: Any) -> Take:
    length = asked or {"notes": NOTES}
    return next(generate_all([Request(**length)], Wilful(load_bundle(tiny_bundle), wish), is_guarded=is_guarded))


def test_a_silence_ends(tiny_bundle: Path) -> None:
    take = take_of(tiny_bundle, resting())
    assert_closed(take)
    assert len(take.notes) == NOTES
    assert LONGEST_GAP - 1 < np.diff(take.notes.onset).max() <= LONGEST_GAP + 0.01
    assert take.interventions["silence"] == NOTES - 21
    assert np.diff(take_of(tiny_bundle, resting(), is_guarded=False).notes.onset).max() > 2 * LONGEST_GAP


@pytest.mark.parametrize(("key_count", "stretch"), [(4, 64), (8, 128)])
def test_few_keys_over_and_over_give_way_to_others(tiny_bundle: Path, key_count: int, stretch: int) -> None:
    take = take_of(tiny_bundle, trembling(key_count))
    assert_closed(take)
    trembled = set(take.notes.pitch[:stretch].tolist())
    assert len(trembled) < FEWEST_PITCHES[stretch]
    assert trembled.isdisjoint(take.notes.pitch[stretch : stretch + BARRED_NOTES].tolist())
    assert take.interventions["monotony"] >= 1
    unguarded = take_of(tiny_bundle, trembling(key_count), is_guarded=False)
    assert set(unguarded.notes.pitch.tolist()) == trembled
    assert unguarded.notes.pitch[:stretch].tolist() == take.notes.pitch[:stretch].tolist()


def test_barred_keys_leave_no_wait_after_which_nothing_may_be_struck() -> None:
    guard = CourseGuard(Counter())
    for index in range(STRETCH):
        guard.push([12, (84, 86, 87)[index % 3], 10, 16], 0.12 * index)
    allowed = np.zeros(TIME_COUNT + SYMBOL_COUNTS[2], dtype=np.bool_)
    allowed[: TIME_COUNT + KEY_COUNT] = True
    earliest = np.ones(SYMBOL_COUNTS[2], dtype=np.int64)
    earliest[86:KEY_COUNT] = 0  # key 85 was struck last: at the same moment only those above it
    narrowed = guard.narrow(Masks(allowed, earliest), 0.12 * STRETCH)
    struck = np.flatnonzero(narrowed.allowed[TIME_COUNT : TIME_COUNT + KEY_COUNT])
    assert np.isin([84, 86, 87], struck).sum() == 0
    assert np.flatnonzero(narrowed.allowed[:TIME_COUNT])[0] == earliest[struck].min() == 1
    assert allowed[0]  # the decoder's own masks stay as they are


def test_as_many_keys_as_music_has_are_left_alone(tiny_bundle: Path) -> None:
    take = take_of(tiny_bundle, trembling(10))
    assert "monotony" not in take.interventions


@pytest.mark.parametrize(("prompt_gap", "longest"), [(0.5, LONGEST_GAP_AFTER_PROMPT), (9.0, 9.0), (30.0, LONGEST_GAP)])
def test_what_goes_on_from_music_waits_little_longer_than_that(
    tiny_bundle: Path, prompt_gap: float, longest: float
) -> None:
    onset = np.array([0.0, prompt_gap])
    prompt = Notes.of(onset, np.full(2, 0.2), np.array([60, 62]), np.full(2, 64))
    gaps = np.diff(take_of(tiny_bundle, resting(), notes=30, prompt=prompt).notes.onset)[1:]
    assert longest - 1 < gaps.max() <= longest + 0.01


def test_notes_keep_to_a_speed_that_there_is(tiny_bundle: Path) -> None:
    take = take_of(tiny_bundle, rising(0, 10))
    assert_closed(take)
    spans = take.notes.onset[STRETCH:] - take.notes.onset[:-STRETCH]
    assert spans.min() >= STRETCH / FASTEST - 0.05
    assert set(take.interventions) == {"speed"}
    free = take_of(tiny_bundle, rising(0, 10), is_guarded=False).notes
    assert (free.onset[STRETCH:] - free.onset[:-STRETCH]).min() < 0.8 * STRETCH / FASTEST


def test_notes_are_not_all_cut_short(tiny_bundle: Path) -> None:
    take = take_of(tiny_bundle, rising(20, 0))
    assert_closed(take)
    medians = np.median(np.lib.stride_tricks.sliding_window_view(take.notes.duration, STRETCH), axis=1)
    assert medians[-20:].min() >= 0.02 - 1e-9  # it hovers about the limit
    assert set(take.interventions) == {"staccato"}
    assert np.median(take_of(tiny_bundle, rising(20, 0), is_guarded=False).notes.duration) < SHORTEST_MEDIAN


@pytest.mark.parametrize("asked", [{"notes": NOTES}, {"seconds": 60.0}])
def test_what_keeps_within_the_limits_is_left_alone(tiny_bundle: Path, asked: dict[str, Any]) -> None:
    guarded = take_of(tiny_bundle, rising(20, 10), **asked)
    free = take_of(tiny_bundle, rising(20, 10), is_guarded=False, **asked)
    assert guarded.notes == free.notes and not guarded.interventions


@pytest.mark.parametrize("wish", [resting(), rising(0, 0)])
def test_a_piece_of_so_many_seconds_ends_when_it_shall(tiny_bundle: Path, wish: Wish) -> None:
    take = take_of(tiny_bundle, wish, seconds=50.0)
    assert_closed(take)
    assert abs(take.notes.seconds - 50) <= 1


def test_models_of_earlier_formats_have_no_such_guard(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    assert Generation(Request(notes=5), bundle).course_guard is not None
    assert Generation(Request(notes=5), replace(bundle, format=3)).course_guard is None


def test_without_an_ending_no_coda_is_announced(tiny_bundle: Path) -> None:
    from arietta.codecs.grid import CODA

    engine: OnnxEngine = engine_of(tiny_bundle)
    closing, open_ended = (generate(Request(notes=80, seed=1, ending=ending), engine) for ending in (True, False))
    assert (closing.tokens[:, 1] == CODA).sum() == 1 and not (open_ended.tokens[:, 1] == CODA).any()
    assert len(open_ended.notes) == 80
    assert open_ended.describe()["ending"] is False and "ending" not in closing.describe()
    assert Request.from_description(open_ended.describe()) == open_ended.request


def test_a_passage_leans_to_the_density_of_what_it_replaces() -> None:
    guard = DensityGuard.replacing(np.arange(40) / 4)
    assert guard is not None
    assert not guard.lean(5.0, 21).any()  # as many notes as there were
    for count, sign in ((30, 1), (12, -1)):
        lean = guard.lean(5.0, count)
        assert lean[0] == 0 and (np.diff(lean)[:SHORT_WAITS] * sign > 0).all()  # the longer the wait, the more
        assert np.ptp(lean[SHORT_WAITS:]) == 0  # but a second is long
    assert np.allclose(guard.lean(5.0, 200), guard.lean(5.0, 400)) and guard.lean(5.0, 400).max() < 3 * MOST_LEAN
    assert DensityGuard.replacing(np.arange(5.0)) is None  # of so few nothing is known


def test_a_wished_density_is_counted_from_step_to_step() -> None:
    guard = DensityGuard.wished(((0.0, 2.0), (10.0, 6.0), (20.0, 1.0)), 5.0)
    for second, count in ((5.0, 0), (7.5, 5), (10.0, 10), (15.0, 40), (20.0, 70), (30.0, 80)):
        assert not guard.lean(second, count).any()
        assert guard.lean(second, count + 9).max() > 0


def test_what_replaces_a_passage_has_about_as_many_notes(filling_engine: OnnxEngine) -> None:
    onset = np.arange(160) * 0.2
    music = Notes.of(onset, np.full(160, 0.2), 40 + np.arange(160) * 7 % 40, np.full(160, 64))
    edit = Edit(music, 4.0, 28.0, music.pitch > 65)
    counts = [next(generate_all([Request(edit=edit, seed=seed)], filling_engine)).note_count for seed in range(4)]
    assert np.mean(counts) == pytest.approx(edit.is_replaced.sum(), rel=0.3)
    wished = [Request(edit=edit, seed=seed, wishes=read_wishes(density=8)) for seed in range(4)]
    counts = [next(generate_all([request], filling_engine)).note_count for request in wished]
    assert np.mean(counts) == pytest.approx(8 * 24, rel=0.3)


def test_loudness_leans_to_what_is_wished_for_at_that_second() -> None:
    guard = LoudnessGuard(((0.0, 40.0), (10.0, 90.0)))
    assert not guard.lean().any()
    for second, velocity, sign in ((1.0, 60, -1), (2.0, 10, 1), (12.0, 70, 1), (13.0, 127, -1)):
        for _ in range(2 * REMEMBERED):
            guard.push(Note(second, 0.1, 60, velocity))
        assert (np.diff(guard.lean()) * sign > 0).all()  # towards louder, or softer, the more the louder


@pytest.mark.parametrize(("wish", "low", "high"), [(40, 34, 47), (95, 87, 102)])
def test_a_take_is_as_loud_as_is_wished_for(wish: float, low: float, high: float) -> None:
    requests = [Request(notes=120, seed=seed, wishes=read_wishes(loudness=wish)) for seed in range(2)]
    means = [take.notes.velocity.mean() for take in generate_all(requests, shared_engine("piano"))]
    assert low < np.mean(means) < high


def test_notes_of_a_wished_key_are_likelier_from_its_second_on() -> None:
    guard = KeyGuard(((0.0, "C major"), (10.0, "F sharp minor")))
    for second, tonic in ((1.0, 60), (11.0, 66)):
        lean = guard.lean(second)
        assert lean[tonic - LOWEST_PITCH] == lean.max()
        assert lean[tonic - LOWEST_PITCH] == lean[tonic - 12 - LOWEST_PITCH] > lean[tonic + 1 - LOWEST_PITCH]

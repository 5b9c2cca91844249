"""What comes before the composed notes: kept untouched, heard by the model, and gone on from without a seam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from arietta.codecs.grid import PEDAL_DOWN
from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.model.bundle import load_bundle
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Notes, first, shift
from tests.support.bundles import TINY
from tests.support.engines import CODEC, Wilful, assert_closed, assert_untouched, hammering
from tests.support.strategies import SEEDS, pieces

LAWS = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# Prompts


def playable(notes: Notes) -> bool:
    return len(notes) > 0 and notes.pitch.min() >= 21 and notes.pitch.max() <= 108


@given(prompt=pieces(), notes=st.integers(1, 30), seed=SEEDS, later=st.sampled_from([0.0, 0.0033, 12.5]))
@settings(LAWS, max_examples=40)
def test_a_prompt_is_kept_untouched_and_n_notes_follow(
    tiny_engine: OnnxEngine, prompt: Notes, notes: int, seed: int, later: float
) -> None:
    assume(playable(prompt))
    prompt = shift(prompt, later)
    take = generate(Request(notes=notes, prompt=prompt, seed=seed), tiny_engine)
    assert len(take.notes) == len(prompt) + notes
    assert (take.prompt_notes, take.note_count) == (len(prompt), notes)
    assert_untouched(take, prompt)
    assert_closed(take)


@given(prompt=pieces(), seed=SEEDS)
@settings(LAWS, max_examples=40)
def test_presses_that_end_before_the_seam_are_kept_untouched_too(
    tiny_engine: OnnxEngine, prompt: Notes, seed: int
) -> None:
    assume(playable(prompt))
    take = generate(Request(notes=3, prompt=prompt, seed=seed), tiny_engine)
    done = prompt.pedal[prompt.pedal[:, 1] <= prompt.onset.max() - 0.01]
    assert np.array_equal(take.notes.pedal[: len(done)], done)


def test_of_two_presses_in_one_moment_the_one_that_lasts_is_held_over_the_seam(tiny_engine: OnnxEngine) -> None:
    prompt = Notes.of([0.25], [0.2], [60], [64], [(0.0, 0.004), (0.0045, 0.5)])
    take = generate(Request(notes=3, prompt=prompt, seed=0), tiny_engine)
    assert take.notes.pedal[0].tolist() == [0.0, 0.004] and take.notes.pedal[1, 0] == 0.0045


def test_what_follows_begins_at_the_prompts_own_last_onset_not_on_the_grid(tiny_bundle: Path) -> None:
    prompt = Notes.of([0.0, 1.0049], [0.2, 0.2], [60, 62], [64, 64])
    engine = Wilful(load_bundle(tiny_bundle), lambda field, row: (0, 70, 10, 16)[field])
    take = generate(Request(notes=1, prompt=prompt), engine)
    assert_untouched(take, prompt)
    assert take.notes[2].onset == 1.0049


def test_a_pedal_held_over_the_seam_keeps_its_beginning(tiny_bundle: Path) -> None:
    prompt = Notes.of([0.0, 1.0], [0.2, 0.2], [60, 62], [64, 64], [(0.1, 0.4), (0.5037, 3.0)])
    engine = Wilful(load_bundle(tiny_bundle), lambda field, row: (50, PEDAL_DOWN + 1, 10, 16)[field])
    take = generate(Request(notes=2, prompt=prompt), engine)
    assert take.notes.pedal[0].tolist() == [0.1, 0.4]
    assert take.notes.pedal[1].tolist() == [0.5037, 1.5]


def test_a_pedal_pressed_after_the_prompts_last_onset_is_left_to_the_composer(tiny_bundle: Path) -> None:
    prompt = Notes.of([0.0, 1.0], [0.2, 0.2], [60, 62], [64, 64], [(0.1, 0.4), (1.1, 3.0)])
    engine = Wilful(load_bundle(tiny_bundle), hammering(20, 50))
    take = generate(Request(notes=2, prompt=prompt), engine)
    assert take.notes.pedal.tolist() == [[0.1, 0.4]]


def test_a_pedal_lifted_within_a_step_of_the_seam_is_not_pressed_again(tiny_bundle: Path) -> None:
    prompt = Notes.of([0.0, 1.0001], [0.2, 0.2], [60, 62], [64, 64], [(0.1, 1.004)])
    engine = Wilful(load_bundle(tiny_bundle), lambda field, row: (40, PEDAL_DOWN, 10, 16)[field])
    take = generate(Request(notes=2, prompt=prompt), engine)
    assert take.notes.pedal[0].tolist() == [0.1, 1.004]
    assert take.notes.pedal[1, 0] == pytest.approx(1.4001)


def test_a_key_the_prompt_holds_is_not_struck_before_its_release(tiny_bundle: Path) -> None:
    prompt = Notes.of([0.0, 0.1], [0.8437, 0.2], [60, 62], [64, 64])
    for steps in range(70, 80):
        engine = Wilful(load_bundle(tiny_bundle), hammering(steps, 60 - 21))
        take = generate(Request(notes=2, prompt=prompt), engine)
        assert_untouched(take, prompt)
        assert (take.notes.pitch[2] == 60) == (steps >= 75)


def test_a_prompt_of_three_notes_works(tiny_engine: OnnxEngine, waltz: Notes) -> None:
    prompt = first(waltz, 3)
    take = generate(Request(notes=50, prompt=prompt), tiny_engine)
    assert len(take.notes) == 53
    assert_untouched(take, prompt)


def test_a_prompt_longer_than_the_window_works(tiny_engine: OnnxEngine) -> None:
    prompt = generate(Request(notes=200, seed=5), tiny_engine).notes
    take = generate(Request(notes=30, prompt=prompt), tiny_engine)
    assert len(take.notes) == 230 and take.prompt_token_count > 3 * TINY.context
    assert_untouched(take, prompt)


def test_notes_outside_the_88_keys_are_kept_though_the_model_cannot_hear_them(tiny_engine: OnnxEngine) -> None:
    prompt = Notes.of([0, 0.5, 1.0, 3.0], [0.3] * 4, [5, 60, 62, 120], [64] * 4)
    take = generate(Request(notes=10, prompt=prompt), tiny_engine)
    assert len(take.notes) == 14 and (take.notes.onset[4:] >= 3.0).all()
    silent = Notes.of([0.5], [0.3], [5], [64])
    assert len(generate(Request(notes=10, prompt=silent), tiny_engine).notes) == 11


@pytest.mark.parametrize("seconds", [1.0, 3.3, 30.0])
def test_seconds_count_from_the_prompts_last_onset(tiny_engine: OnnxEngine, waltz: Notes, seconds: float) -> None:
    prompt = shift(waltz, 2.0)
    for seed in range(5):
        take = generate(Request(seconds=seconds, prompt=prompt, seed=seed), tiny_engine)
        assert_untouched(take, prompt)
        assert take.prompt_seconds == prompt.onset.max()
        composed = max(take.notes.release[len(prompt) :].max(initial=0.0), take.notes.pedal.max(initial=0.0))
        assert abs(composed - take.prompt_seconds - seconds) <= 0.02 * seconds + 1e-9


def test_the_prompt_is_what_the_model_hears(tiny_engine: OnnxEngine, waltz: Notes) -> None:
    take = generate(Request(notes=20, prompt=waltz), tiny_engine)
    assert np.array_equal(take.tokens[: take.prompt_token_count], CODEC.encode(waltz, is_complete=False))
    other = generate(Request(notes=20, prompt=shift(waltz, 5.0)), tiny_engine)
    assert np.array_equal(take.tokens, other.tokens)

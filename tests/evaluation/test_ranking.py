"""The best of several takes: what spoils a score, what a figure near real music counts, and who is chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.errors import RequestError
from arietta.evaluation import ranking
from arietta.evaluation.ranking import (
    PARTS,
    PENALTY,
    STEADINESS,
    STRUCTURE,
    closeness,
    parts_of,
    rank_takes,
    score_of,
    typical_nats,
)
from arietta.evaluation.reference import Reference, Sample, nearest_window, references, sample_windows
from arietta.evaluation.report import report_on
from arietta.model.bundle import list_bundles, load_bundle
from arietta.music.notes import Notes
from tests.music.test_loops import pattern
from tests.support.tunes import play_all, tune

BAND = (2.0, 6.0, 8.0, 10.0, 12.0)
FIGURES = {"scale_consistency": (0.6, 0.7, 0.8, 0.9, 1.0), "coming_back_2": (0.3, 0.5, 0.6, 0.7, 0.8)}
RECITAL = Reference("recital", 300, 50, 0.0, FIGURES)
values = st.floats(-50, 50)


@dataclass(frozen=True)
class Made:
    """A take, as far as it is judged."""

    notes: Notes
    nll: float = 8.0
    prompt_notes: int = 0


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> list[Reference]:
    """What is known of real music: one corpus."""
    known = [RECITAL]
    monkeypatch.setattr(ranking, "references", lambda note_count: known)
    return known


# Nearness


@pytest.mark.parametrize(
    ("value", "found"), [(6, 1), (8, 1), (10, 1), (2, 0.5), (-2, 0.25), (12, 0.5), (14, 0.25), (11, 2**-0.5)]
)
def test_a_figure_counts_half_at_the_edge_of_real_music_and_halves_from_there(value: float, found: float) -> None:
    assert closeness(value, BAND) == pytest.approx(found)


@given(values, values)
def test_what_lies_farther_out_counts_no_more(value: float, other: float) -> None:
    near, far = sorted((value, other), key=lambda one: abs(one - 8))
    assert 0 < closeness(far, (4, 6, 8, 10, 12)) <= closeness(near, (4, 6, 8, 10, 12)) <= 1


def test_too_much_of_what_may_be_more_is_no_fault() -> None:
    assert closeness(40, BAND, is_more_fine=True) == 1
    assert closeness(2, BAND, is_more_fine=True) == 0.5


def test_a_figure_that_all_real_windows_share_is_no_division_by_nought() -> None:
    flat = (1.0,) * 5
    assert closeness(1, flat) == 1 and closeness(0.5, flat) == 0 == closeness(2, flat)


@given(st.dictionaries(st.sampled_from(sorted(PARTS)), st.floats(0, 1), min_size=1))
def test_a_score_lies_among_its_parts_and_one_at_nought_spoils_it(parts: dict[str, float]) -> None:
    assert min(parts.values()) - 1e-4 <= score_of(parts) <= max(parts.values()) + 1e-4
    assert score_of(parts | {"loops": 0.0}) < 0.05


# The parts of a take


def test_every_part_of_an_ordinary_take_is_told_in_order(real: list[Reference]) -> None:
    parts = parts_of(Made(tune(1, 200)), typical_nats=8.0, is_original=True)
    assert list(parts) == list(PARTS)
    assert all(0 <= value <= 1 for value in parts.values())
    assert (parts["loops"], parts["likelihood"], parts["originality"]) == (1, 1, 1)


def test_a_loop_spoils_its_part_alone(real: list[Reference]) -> None:
    whole = tune(1, 200)
    looping = play_all(whole, pattern([60, 64], 12), tune(2, 200))
    assert parts_of(Made(whole))["loops"] == 1
    assert parts_of(Made(looping))["loops"] == PENALTY


def test_too_likely_is_as_bad_as_too_unlikely(real: list[Reference]) -> None:
    told = [parts_of(Made(tune(1, 200), nll), typical_nats=10.0)["likelihood"] for nll in (7.6, 8.4, 9.5, 12.0, 13.1)]
    assert told == [0.25, 0.5, 1.0, 0.5, 0.25]


def test_pitches_of_all_keys_are_less_steady_than_those_of_one(real: list[Reference]) -> None:
    wandering = tune(1, 300)
    steps = np.array([0, 2, 4, 5, 7, 9, 11])
    steady = replace(wandering, pitch=(48 + steps[wandering.pitch % 7]).astype(np.uint8))
    assert parts_of(Made(wandering))["steadiness"] < parts_of(Made(steady))["steadiness"] == 1.0


def test_the_nearer_of_two_kinds_of_real_music_counts(real: list[Reference]) -> None:
    take = Made(tune(1, 200))
    real[:] = [replace(RECITAL, figures=FIGURES | {"coming_back_2": (0.0, 0.1, 0.2, 0.3, 0.4)})]
    far = parts_of(take)["structure"]
    real.insert(0, RECITAL)
    near = parts_of(take)["structure"]
    real.pop()
    assert far < near == parts_of(take)["structure"]


def test_a_prompt_is_not_judged(real: list[Reference]) -> None:
    prompt, composed = pattern([60, 64], 12), tune(2, 200)
    whole = play_all(prompt, composed)
    assert parts_of(Made(whole, prompt_notes=len(prompt))) == parts_of(Made(composed))
    assert parts_of(Made(whole))["loops"] == PENALTY


@pytest.mark.parametrize("note_count", [99, 120, 700, 2000])  # too short, one window, several of 300 and of 1,000
def test_figures_worked_out_for_a_choice_are_those_of_the_report(note_count: int) -> None:
    notes = tune(1, note_count)
    windows, whole = sample_windows(notes), report_on(notes).sample
    if not windows or whole is None:
        assert not windows and whole is None
    else:
        asked = Sample.of(nearest_window(note_count), [ranking._figures(window.notes) for window in windows])
        told = {name: value for name, value in whole.figures.items() if name in {*STEADINESS, *STRUCTURE}}
        assert asked == replace(whole, figures=told) and len(told) > 2


def test_what_cannot_be_told_is_left_out(real: list[Reference]) -> None:
    assert list(parts_of(Made(tune(1, 20)))) == ["loops"]  # too short for any figure
    assert parts_of(Made(Notes.of(), nll=0.0)) == {"loops": 1.0}
    real.clear()
    assert list(parts_of(Made(tune(1, 200)))) == ["loops"]


def test_a_models_card_says_what_is_usual(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    assert typical_nats(bundle) is typical_nats(replace(bundle, card={"training": {"validation": None}})) is None
    assert typical_nats(replace(bundle, card={"training": {"validation": {"nats_per_note": 10}}})) == 10.0
    for name in list_bundles():
        assert 3 < (typical_nats(load_bundle(name)) or 0) < 20


# The choice


def test_the_best_come_first_and_so_many_are_chosen(real: list[Reference]) -> None:
    takes = [Made(tune(1, 200), nll) for nll in (13.0, 8.0, 30.0, 11.0)]
    judged = rank_takes(takes, 2, typical_nats=9.0)
    assert [takes.index(one.take) for one in judged] == [1, 3, 0, 2]
    assert [one.is_chosen for one in judged] == [True, True, False, False]
    assert [one.score for one in judged] == sorted((one.score for one in judged), reverse=True)
    assert all(one.score == score_of(one.parts) for one in judged)


def test_of_equal_takes_the_earlier_lead(real: list[Reference]) -> None:
    takes = [Made(tune(1, 200), nll) for nll in (3.0, 1.0, 2.0)]  # which nobody asks for here
    assert [one.take for one in rank_takes(takes, 3)] == takes


def test_a_copy_loses_to_any_take_that_is_none(real: list[Reference]) -> None:
    copy, other = Made(tune(1, 200), 8.0), Made(tune(1, 200), 9.6)
    assert [one.take for one in rank_takes([copy, other], 1, typical_nats=8.0)] == [copy, other]
    judged = rank_takes([copy, other], 1, typical_nats=8.0, is_original=lambda take: take is other)
    assert [one.take for one in judged] == [other, copy]


@pytest.mark.parametrize("best", [0, -1, 4])
def test_more_than_there_are_or_none_cannot_be_chosen(best: int) -> None:
    with pytest.raises(RequestError, match=f"of 3 takes 1 to 3 can be the best, not {best}"):
        rank_takes([Made(tune(seed, 20)) for seed in range(3)], best)


def test_the_figures_that_are_asked_for_are_in_the_reference_that_ships() -> None:
    for note_count in (300, 1000):
        for known in references(note_count):
            assert {*ranking.STEADINESS, "coming_back_2"} <= set(known.figures)

"""What clients get, as the schemas make it of records, jobs and bundles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from arietta.model.bundle import load_bundle
from arietta.serve.jobs.history.records import JobOutcome, Record
from arietta.serve.jobs.job import State
from arietta.serve.jobs.problem import problem_json
from arietta.serve.routes.schemas import PieceRequest, PieceRequestForm, PieceView, ProgressView
from arietta.serve.routes.system import ModelView

ASKED = {"model": "tiny", "bundle": "0" * 16, "style": "any", "seed": 7, "temperature": 1, "top_p": 1, "min_p": 0}


def record(state: State, **asked: float) -> Record:
    return Record("0" * 16, "Evening", state, 1.5e9, ASKED | asked, "title", [])


@pytest.mark.parametrize("state", State)
def test_a_record_is_shown_with_its_state_in_one_word_and_its_time_in_utc(state: State) -> None:
    view = PieceView.of(record(state, notes=30)).model_dump(mode="json", by_alias=True)
    assert (view["state"], view["created"]) == (state.value, "2017-07-14T02:40:00.000Z")
    assert view["links"]["json"] == "/v1/pieces/0000000000000000.json"
    assert view["request"]["guidance"] == 1.0  # which requests of the first version do not have


def test_what_is_not_known_is_left_out_of_a_request_and_of_figures() -> None:
    figures = {"notes": 30, "seconds": 9.5, "nll_per_note": 8.25}
    shown = replace(record(State.DONE, notes=30), outcome=JobOutcome(figures=figures))
    view = PieceView.of(shown).model_dump(mode="json", by_alias=True)
    assert view["figures"] == figures
    assert not {"seconds", "prompt_notes", "continues", "original"} & set(view["request"])


def test_a_stored_problem_is_shown_as_it_is_stored() -> None:
    problem = problem_json(409, "its weights have changed")
    shown = replace(record(State.INTERRUPTED, seconds=8), outcome=JobOutcome(problem=problem))
    assert PieceView.of(shown).model_dump(mode="json")["problem"] == problem


def test_progress_of_what_is_over_is_whole_where_it_is_done_and_as_stored_elsewhere() -> None:
    cancelled = replace(record(State.CANCELLED, seconds=8), outcome=JobOutcome(done=2.5))
    assert ProgressView.at_rest(cancelled) == ProgressView(done=2.5, whole=8, unit="seconds")
    assert ProgressView.at_rest(record(State.DONE, notes=30)) == ProgressView(done=30, whole=30, unit="notes")


def test_a_form_has_the_fields_of_the_json_and_nothing_else() -> None:
    assert set(PieceRequestForm.model_fields) == set(PieceRequest.model_fields)
    assert PieceRequestForm.model_validate({"notes": "5", "original": "true"}).original is True


def test_a_model_tells_the_nats_per_note_of_its_validation(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    validated = replace(bundle, card={"training": {"validation": {"nats_per_note": 10.5}}})
    views = [ModelView.of(shown, is_default=True) for shown in (bundle, validated)]
    assert [view.nats_per_note for view in views] == [None, 10.5]

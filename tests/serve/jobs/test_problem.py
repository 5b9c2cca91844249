"""Problem documents: the same JSON is stored and sent."""

from __future__ import annotations

import json

import pytest

from arietta.serve.jobs.problem import problem_json
from arietta.serve.routes.problems import Problem, problem_response


def test_a_problem_names_its_status_in_words_and_keeps_the_sentence() -> None:
    assert json.dumps(problem_json(404, "there is no piece")) == (
        '{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no piece"}'
    )


@pytest.mark.parametrize("status", [401, 409, 422, 429, 500, 503])
def test_what_is_stored_is_what_is_sent_and_described(status: int) -> None:
    problem = problem_json(status, "a sentence")
    assert json.loads(problem_response(status, "a sentence").body) == problem
    assert Problem(**problem).model_dump() == problem

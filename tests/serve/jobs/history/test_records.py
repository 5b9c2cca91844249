"""Rows as values: what a later version tells more is passed over, and what cannot be read is left out."""

from __future__ import annotations

import json

from arietta.serve.jobs.history.records import JobOutcome, read_records
from arietta.serve.jobs.job import State


def row(outcome: object, state: str = "done") -> tuple[object, ...]:
    return (1, "a", "name", state, 1.5, 1, '{"notes": 3}', "title", '["text"]', json.dumps(outcome))


def test_a_row_is_read_and_one_that_cannot_be_is_left_out() -> None:
    (record,) = read_records([row({"done": 3.0, "of a later version": 1}), row([]), row({}, state="sleeping")])
    assert (record.id, record.state, record.is_favourite, record.outcome) == ("a", State.DONE, True, JobOutcome(done=3))
    assert (record.asked, record.texts) == ({"notes": 3}, ["text"])

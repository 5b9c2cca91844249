"""The two ways of composing have what the scheduler asks of one."""

from __future__ import annotations

import inspect

import pytest

from arietta.serve.jobs.composing.batches import Batches
from arietta.serve.jobs.composing.composer import JobComposer
from arietta.serve.jobs.composing.workers import Workers


@pytest.mark.parametrize("kind", [Batches, Workers])
def test_a_composer_takes_what_the_scheduler_gives(kind: type) -> None:
    asked = dict(inspect.getmembers(JobComposer, inspect.isfunction))
    names = [name for name in asked if not name.startswith("_")]
    assert sorted(names) == ["add", "close", "prefill", "prepare", "remove", "step", "stop"]
    for name in names:
        assert list(inspect.signature(getattr(kind, name)).parameters) == list(
            inspect.signature(asked[name]).parameters
        )

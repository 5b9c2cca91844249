"""The steps of a newcomer are commands that there are, and the first program is one that runs."""

from __future__ import annotations

import ast

import pytest

from arietta.cli import VERBS, make_parser
from benchmarks.speed.first_minutes import PROGRAM, STEPS, TAUGHT

CALLS = [step.split()[1:] for step in (STEPS | TAUGHT).values() if step.startswith("{bin}/arietta")]


@pytest.mark.parametrize("words", CALLS, ids=lambda words: words[0])
def test_a_step_is_a_command_that_there_is(words: list[str]) -> None:
    assert words[0] in VERBS
    assert make_parser(words).parse_args(words).verb == words[0]


def test_the_first_program_is_python() -> None:
    assert "arietta.compose" in ast.unparse(ast.parse(PROGRAM))

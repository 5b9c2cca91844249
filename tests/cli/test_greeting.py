"""`arietta` by itself: three things to do, which are done when they are typed."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import pytest

from arietta.cli import VERBS, main
from arietta.cli.greeting import CHOICES, greet


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def converse(monkeypatch: pytest.MonkeyPatch, *typed: str, code: int = 0) -> tuple[int, list[list[str]], str]:
    """Greet somebody at a terminal who types these lines: (exit code, the commands that were run, what was printed)."""
    commands: list[list[str]] = []

    def run(words: Sequence[str]) -> int:
        commands.append(list(words))
        return code

    screen = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in typed)))
    monkeypatch.setattr(sys, "stdout", screen)
    return greet(run), commands, screen.getvalue()


def test_the_bare_command_greets_and_lists_three_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "Three things to do" in out and "compose" in out and "play" in out and "serve" in out and "doctor" in out


def test_what_is_typed_is_done_until_nothing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    code, commands, shown = converse(monkeypatch, "1", "what?", "2", "")
    assert code == 0
    assert commands == [list(CHOICES[0][0]), list(CHOICES[1][0])]
    assert shown.count("1, 2 or 3, or Enter to leave") == 4


def test_the_end_of_the_input_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    assert converse(monkeypatch)[:2] == (0, [])


def test_a_command_that_fails_ends_it_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert converse(monkeypatch, "1", "2", code=2)[:2] == (2, [list(CHOICES[0][0])])


def test_every_choice_is_a_verb() -> None:
    assert all(words[0] in VERBS for words, _ in CHOICES)


def test_what_the_studio_still_needs_is_said_before_it_is_chosen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([]) == 0
    assert "not installed" not in capsys.readouterr().out
    monkeypatch.setattr("arietta.cli.serve.find_spec", lambda name: None)
    assert main([]) == 0
    assert "3 needs packages that are not installed yet: " in capsys.readouterr().out

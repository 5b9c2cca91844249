"""The progress bar: drawn for people at a terminal, silent elsewhere."""

from __future__ import annotations

import sys
import time

import pytest

from arietta.cli.progress import progress_bar


def test_nothing_is_drawn_where_errors_do_not_go_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("composing", "note") as progress:
        progress(1, 2)
        progress(2, 2)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_is_shown_the_task_how_much_is_done_and_of_how_much(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar("composing", "note") as progress:
        time.sleep(0.6)  # the bar waits half a second, so that short tasks draw none
        progress(150, 300)
    shown = capsys.readouterr()
    assert shown.out == "" and "composing" in shown.err and "150/300" in shown.err


def test_a_short_task_at_a_terminal_loads_no_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "tqdm", None)  # importing it would fail
    with progress_bar() as progress:
        progress(1, 2)
    assert capsys.readouterr() == ("", "")


def test_seconds_are_told_in_whole_ones(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("arietta.cli.progress.DELAY", 0.0)
    with progress_bar("composing", "s") as progress:
        progress(0.1, 374.00000000000006)
        time.sleep(0.2)  # so that the bar is drawn anew
        progress(265.66999999999996, 374.00000000000006)
    assert "266/374 [" in capsys.readouterr().err


def test_a_task_may_be_named_anew_while_it_is_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("arietta.cli.progress.DELAY", 0.0)
    names = iter(["2 takes", "2 takes", "2 takes, 1 done"])
    with progress_bar(lambda: next(names)) as progress:
        progress(1, 20)
        time.sleep(0.2)  # so that the bar is drawn anew
        progress(11, 20)
    assert "2 takes, 1 done:  55%" in capsys.readouterr().err

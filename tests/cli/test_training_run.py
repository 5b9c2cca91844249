"""What the verbs that train share: settings from flags, a line of progress, and how a run ended."""

from __future__ import annotations

import argparse
import logging
import math
import sys
from pathlib import Path

import pytest

from arietta.cli.training_run import add_run_arguments, print_outcome, progress_line, read_overrides, show_log
from arietta.errors import ConfigError
from arietta.train.loop import TrainingOutcome, TrainingProgress


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    return parser.parse_args(["--out", "run", *words])


def test_flags_override_settings_by_their_dotted_names() -> None:
    overrides = read_overrides(parsed("--steps", "7", "--set", "train.rate=0.5", "--set", "model.kind=lstm"))
    assert overrides == {"train.steps": 7, "train.minutes": 0.0, "train.rate": 0.5, "model.kind": "lstm"}
    assert read_overrides(parsed()) == {}


def test_minutes_end_a_run_instead_of_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_overrides(parsed("--minutes", "9")) == {"train.minutes": 9.0}
    with pytest.raises(SystemExit):
        parsed("--minutes", "9", "--steps", "7")
    assert "not allowed with argument" in capsys.readouterr().err
    draw = progress_line()
    draw(TrainingProgress(12, 0, 5.0, math.nan, 100.0, 65.0))
    assert capsys.readouterr().err == "step 12  loss 5.0000  100 tokens/s  1:05 left\n"


@pytest.mark.parametrize("threads", ["-1", "99999999999999999999"])
def test_an_impossible_number_of_threads_is_refused(threads: str) -> None:
    with pytest.raises(ConfigError, match=f"--threads must lie in 0-1024, not {threads}"):
        read_overrides(parsed("--threads", threads))


def test_progress_in_a_file_is_a_line_now_and_then_and_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    draw = progress_line()
    for step in range(1, 11):
        draw(TrainingProgress(step, 10, 5.0, math.nan if step < 5 else 4.5, 6543.2, 10.0 * (10 - step)))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "step 1/10  loss 5.0000  6,543 tokens/s  1:30 left",
        "step 10/10  loss 5.0000  validation 4.5000  6,543 tokens/s  0:00 left",
    ]


def test_progress_on_a_terminal_is_one_line_drawn_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    draw = progress_line()
    for step in (1, 2):
        draw(TrainingProgress(step, 2, 5.0, 4.5, 100.0, 0.0))
    drawn = capsys.readouterr().err
    assert drawn.count("\r\x1b[K") == 2 and "\n" not in drawn


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (
            "no longer improving",
            "runs/a: no longer improving at step 900, 1:02:05 of training, best 5.2500 nats per token at step 600 "
            "(surprise of held-out music, fewer are better; runs/a/curve.png draws it); next: arietta export runs/a",
        ),
        ("interrupted", "runs/a: interrupted at step 900, 1:02:05 of training; the same command goes on from here"),
    ],
)
def test_the_last_sentence_says_how_it_ended_and_what_is_next(
    capsys: pytest.CaptureFixture[str], reason: str, sentence: str
) -> None:
    outcome = TrainingOutcome(reason, 900, 5.25, 600, 10**6, 3725.0)
    print_outcome(Path("runs/a"), outcome, next_command="arietta export runs/a")
    assert capsys.readouterr().out == f"{sentence}\n"


@pytest.mark.parametrize(("seconds", "clock"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00")])
def test_clocks_show_hours_only_where_there_are_any(
    capsys: pytest.CaptureFixture[str], seconds: float, clock: str
) -> None:
    print_outcome(Path("a"), TrainingOutcome("finished", 1, math.nan, 0, 1, seconds), next_command="b")
    assert capsys.readouterr().out == f"a: finished at step 1, {clock} of training; next: b\n"


def test_names_in_the_log_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (None, "arietta"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.getLogger(name).level)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    show_log()
    logging.getLogger("arietta.corpus").warning("%s: left out", "a\x1b[31m.mid")
    assert capsys.readouterr().err == "a\\x1b[31m.mid: left out\n"

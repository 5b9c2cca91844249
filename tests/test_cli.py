from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import arietta
from arietta.cli import VERBS, main
from arietta.cli.progress import progress_bar
from arietta.errors import AriettaError, MidiError

ASK, FREE = "ask for permission, or choose another folder", "free some room, or choose another folder"


def command(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "arietta", *words]
    return subprocess.run(call, capture_output=True, text=True, check=False, **options)


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    """Run `arietta inspect` where the verb raises `error`."""

    def run(arguments: object) -> None:
        raise error

    monkeypatch.setattr(importlib.import_module("arietta.cli.inspect"), "run", run)
    return main(["inspect", "piece.mid"])


def test_help_lists_every_verb_with_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(f"{verb} {summary}" in text for verb, summary in VERBS.items())


def test_the_bare_command_greets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Three things to do" in capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_begins_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([verb, "--help"])
    assert left.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "" and lines[2] in ("example:", "examples:")
    assert lines[3].startswith(f"  arietta {verb}")
    assert any(line.startswith(f"usage: arietta {verb}") for line in lines)
    assert max(len(line) for line in lines) <= 120


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"arietta {arietta.__version__}\n"


def test_an_unknown_verb_is_answered_with_the_verbs_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["compoze"])
    assert left.value.code == 2
    message = capsys.readouterr().err
    assert "compoze" in message
    assert "compose" in message


def test_an_unknown_flag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["inspect", "x", "--loud"])
    assert left.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage == "usage: arietta inspect --help"  # the verb's own help tells of its flags
    assert error == "arietta inspect: error: unrecognized arguments: --loud"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MidiError("x.mid: is empty"), "arietta: x.mid: is empty\n"),
        (AriettaError("no"), "arietta: no\n"),
        (
            PermissionError(13, "Permission denied", "/a/b.mid"),
            f"arietta: /a/b.mid: refused (Permission denied); {ASK}\n",
        ),
        (OSError(28, "No space left on device"), f"arietta: system: refused (No space left on device); {FREE}\n"),
    ],
)
def test_errors_are_one_sentence_and_exit_code_two(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(monkeypatch, error) == 2
    written = capsys.readouterr()
    assert (written.out, written.err) == ("", sentence)


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        raising(monkeypatch, ZeroDivisionError())


def test_an_interruption_exits_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(monkeypatch, KeyboardInterrupt()) == 130
    assert "interrupted" in capsys.readouterr().err


def test_python_m_arietta_is_the_command() -> None:
    done = command("inspect", "nowhere.mid")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("arietta: nowhere.mid: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.posix
def test_a_reader_that_leaves_early_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        call = [sys.executable, "-m", "arietta", "compose", "--help"]
        done = subprocess.run(call, stdout=closed, stderr=subprocess.PIPE, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_a_terminal_that_knows_only_ascii_is_no_error(tmp_path: Path, waltz: arietta.Notes) -> None:
    arietta.write_midi(tmp_path / "étude.mid", waltz)
    done = command("inspect", str(tmp_path / "étude.mid"), env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "12" in done.stdout


def test_the_bar_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("composing", "note") as progress:
        for done in range(1, 4):
            progress(done, 3)
    assert capsys.readouterr().err == ""

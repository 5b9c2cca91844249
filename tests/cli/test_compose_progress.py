"""`arietta compose` of several takes says how many of them are done, composed here or by a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from arietta.cli import main
from arietta.cli.progress import Progress


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the bar is called, each time that it is another name."""
    names: list[str] = []

    @contextmanager
    def record(task: Callable[[], str], unit: str) -> Iterator[Progress]:
        def progress(done: float, total: float) -> None:
            if names[-1:] != [task()]:
                names.append(task())

        yield progress

    monkeypatch.setattr("arietta.cli.progress.progress_bar", record)
    return names


TAKES = ["--count", "3", "--notes", "20", "--seed", "1"]
FITTED = ["--notes", "20", "--bpm", "90", "--metre", "3/4", "--seed", "1"]


def test_one_take_is_not_counted(tiny_bundle: Path, tmp_path: Path, names: list[str]) -> None:
    assert main(["compose", "--notes", "20", "--model", str(tiny_bundle), "-o", str(tmp_path / "a.mid")]) == 0
    assert names == ["composing"]


@pytest.mark.parametrize(("asked", "count"), [(TAKES, 3), (FITTED, 8), ([*TAKES, "--best", "1"], 3)])
def test_takes_that_are_done_are_counted(
    tiny_bundle: Path, tmp_path: Path, names: list[str], asked: list[str], count: int
) -> None:
    assert main(["compose", *asked, "--model", str(tiny_bundle), "-o", str(tmp_path)]) == 0
    assert names[0] == f"composing {count} takes"
    assert f"composing {count} takes, {count - 1} done" in names


def test_takes_that_a_server_composes_are_counted_too(server: httpx.Client, tmp_path: Path, names: list[str]) -> None:
    assert main(["compose", *TAKES, "--server", str(server.base_url), "-o", str(tmp_path)]) == 0
    assert names[-1] == "composing 3 takes, 3 done" and len(names) > 1
    names.clear()
    assert main(["compose", *FITTED, "--server", str(server.base_url), "-o", str(tmp_path)]) == 0
    assert names[-1] == "composing 8 takes, 8 done" and len(names) > 1

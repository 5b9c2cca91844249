"""Calls that a cluster's machines make: in order, again where a machine is lost, and the figures of one machine."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from arietta.cli import compare, judge, main
from arietta.cluster import tasks
from arietta.cluster.tasks import cluster_map
from arietta.errors import AriettaError, RequestError
from tests.support.indexes import indexed
from tests.support.tunes import tune, write


def square(number: int) -> int:
    time.sleep(0.2)
    return number**2


def refuse(number: int) -> int:
    if number == 3:
        raise RequestError("three is refused")
    return number


def crash(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def fail(number: int) -> int:
    return number // 0


def test_results_come_in_order_though_a_machine_is_lost(cluster: Any) -> None:
    second, results = cluster.add_node(num_cpus=2), list[int]()
    with cluster_map(cluster.address) as map_calls:
        for result in map_calls(square, range(20)):
            results.append(result)
            if len(results) == 4:
                cluster.remove_node(second, allow_graceful=False)
    assert results == [number**2 for number in range(20)]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (refuse, "three is refused"),
        (fail, "cannot do its part .ZeroDivisionError.*install the same Arietta on all"),
        (crash, "lost a part of the work 1 times"),
    ],
)
def test_what_goes_wrong_in_a_call_is_a_sentence(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, call: Any, sentence: str
) -> None:
    monkeypatch.setattr(tasks, "RETRIES", 1)
    with cluster_map(cluster.address) as map_calls, pytest.raises(AriettaError, match=sentence):
        list(map_calls(call, range(5)))


def test_a_machine_with_another_version_is_refused(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "__version__", "0.0.1")
    with cluster_map(cluster.address) as map_calls, pytest.raises(AriettaError, match=r"this one 0\.0\.1 with"):
        list(map_calls(refuse, range(2)))


@pytest.fixture
def takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for seed in range(9):
        write(tmp_path / "takes" / f"{seed}.mid", tune(seed, 60))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(judge, "FILES_PER_TASK", 4)
    monkeypatch.setattr(compare, "WINDOWS_PER_TASK", 4)
    return Path("takes")


def test_takes_are_judged_as_on_one_machine(
    cluster: Any, takes: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    indexed(Path("index"), [tune(seed, 80) for seed in range(4)])
    words = ["judge", str(takes), "--model", str(tiny_bundle), "--index", "index", "--json"]
    assert main(words) == 0
    expected = capsys.readouterr().out
    assert main([*words, "--cluster", cluster.address]) == 0
    assert capsys.readouterr().out == expected
    assert expected.count("\n") == 9 and '"file": "takes/0.mid"' in expected


def test_sets_are_compared_as_on_one_machine(cluster: Any, takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", str(takes), str(takes), "--notes", "50"]
    assert main(words) == 0
    expected = capsys.readouterr().out
    assert main([*words, "--cluster", cluster.address]) == 0
    assert capsys.readouterr().out == expected

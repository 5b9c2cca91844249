"""What is measured of a server under attack: the other client is answered, and every figure is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.reliability.hostile import SCENARIOS, cost_of_listeners, measure


@pytest.mark.parametrize("name", ["idle", "silent connections", "wrong bodies", "load"])
def test_another_client_is_answered_while_one_does_its_worst(tiny_lstm: Path, name: str) -> None:
    line = measure(name, SCENARIOS[name], str(tiny_lstm), 0.3)
    assert line["name"] == f"hostile/{name}" and line["failed"] == 0
    assert all(float(str(line[f"{path} longest"])) < 10 for path in ("/midi/20", "/healthz"))
    assert 50 < float(str(line["MB"])) < 2_000


def test_the_speed_of_a_piece_is_measured_alone_and_with_listeners(tiny_lstm: Path) -> None:
    line = cost_of_listeners(str(tiny_lstm), 1.0, count=8)
    assert line["name"] == "hostile/cost of listeners" and line["tried"] == 24
    assert float(str(line["alone"])) > 0 and float(str(line["listened_to"])) > 0

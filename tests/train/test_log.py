"""A run's log: read back as written, cut where a run goes on, drawn as a curve."""

from __future__ import annotations

from pathlib import Path

import pytest

from arietta.train.log import append_metrics, cut_metrics, draw_curve, read_metrics


def test_metrics_are_read_back_without_a_line_that_was_cut(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        append_metrics(tmp_path, {"kind": "training", "step": step})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "trai')
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3]
    cut_metrics(tmp_path, 2)
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2]
    assert (tmp_path / "metrics.jsonl").read_text().endswith("}\n")


@pytest.mark.parametrize(
    "damage", [b"", b"garbage", b"\xff\xfe", b'{"kind": "x"}', b'{"step": "1", "kind": "x"}', b"[" * 100_000, b"5"]
)
def test_a_damaged_line_costs_that_line(tmp_path: Path, damage: bytes) -> None:
    append_metrics(tmp_path, {"kind": "training", "step": 1})
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(damage + b"\n")
    append_metrics(tmp_path, {"kind": "training", "step": 2})
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2]


def test_a_folder_without_metrics_has_none(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == []


@pytest.mark.parametrize("has_validation", [False, True])
def test_the_curve_is_a_picture_with_or_without_validation(*, has_validation: bool) -> None:
    lines: list[dict[str, object]] = [{"kind": "training", "step": k, "loss": 10.0 - k} for k in range(3)]
    if has_validation:
        lines.append({"kind": "validation", "step": 2, "nats_per_row": 8.0, "accuracy": 0.3})
    lines.append({"kind": "planned", "step": 2, "length": "5 steps", "before": "2 steps"})
    assert draw_curve(lines).startswith(b"\x89PNG\r\n")


def test_the_same_log_gives_the_same_picture() -> None:
    lines = [{"kind": "training", "step": step, "loss": 10.0 - step} for step in range(3)]
    assert draw_curve(lines) == draw_curve(lines) != draw_curve(lines[:2])

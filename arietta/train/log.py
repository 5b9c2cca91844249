"""A run's log: metrics.jsonl, a line per report and per validation, and the learning curve drawn from it.

Lines have `kind` ("training", "validation" or "planned"), `step` and the figures of their kind. A run that goes on
from a checkpoint first cuts what was logged after it, so the log of a killed run reads like that of one left alone.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files import write_file

METRICS, CURVE = "metrics.jsonl", "curve.png"


def append_metrics(folder: Path, line: Mapping[str, Any]) -> None:
    """Write one more line to the log in a run's folder."""
    with (folder / METRICS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Read the log, oldest first; a line that a kill cut short, or that was damaged, is left out."""
    path = folder / METRICS
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [figures for line in lines if (figures := _read_line(line))]


def _read_line(line: bytes) -> dict[str, Any]:
    """Return the figures of a line, none where it cannot be read."""
    try:
        figures = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    is_whole = isinstance(figures, dict) and isinstance(figures.get("step"), int) and "kind" in figures
    return figures if is_whole else {}


def cut_metrics(folder: Path, step: int) -> None:
    """Remove what was logged after `step`: the run will log it again."""
    lines = [line for line in read_metrics(folder) if line["step"] <= step]
    write_file(folder / METRICS, "".join(json.dumps(line) + "\n" for line in lines).encode())


def draw_curve(lines: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw training and validation loss (nats per token) and accuracy of the next symbol over steps, as a PNG."""
    from matplotlib.figure import Figure  # slow to import, and needed at validations only

    training = [line for line in lines if line["kind"] == "training"]
    validation = [line for line in lines if line["kind"] == "validation"]
    # A Figure of its own instead of pyplot, which would hold every figure in a global list.
    figure = Figure(figsize=(8, 4.5), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.plot(*_points(training, "loss"), color="0.7", linewidth=0.8, label="training")
    axes.set(xlabel="step", ylabel="nats per token")
    if validation:
        axes.plot(*_points(validation, "nats_per_row"), color="tab:blue", marker=".", label="validation")
        accuracy_axes = axes.twinx()
        accuracy_axes.plot(*_points(validation, "accuracy"), color="tab:orange", marker=".", label="accuracy")
        accuracy_axes.set_ylabel("accuracy of the next symbol")
        axes.plot([], [], color="tab:orange", marker=".", label="accuracy")  # for the one legend of both axes
    axes.legend(loc="upper right")
    buffer = io.BytesIO()
    # Without the usual metadata, which names the version of matplotlib: the same log gives the same bytes.
    figure.savefig(buffer, format="png", metadata={"Software": "arietta"})
    return buffer.getvalue()


def _points(lines: Sequence[Mapping[str, Any]], name: str) -> tuple[list[int], list[float]]:
    return [line["step"] for line in lines], [line[name] for line in lines]

"""The learning curve of a run as a picture, drawn from its log."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any


def draw_curve(lines: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw training and validation loss (nats a row) and next-what accuracy over steps, as a PNG."""
    from matplotlib.figure import Figure

    training = [line for line in lines if line["kind"] == "training"]
    validation = [line for line in lines if line["kind"] == "validation"]
    figure = Figure(figsize=(8, 4.5), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.plot(*_points(training, "loss"), color="0.7", linewidth=0.8, label="training")
    axes.set(xlabel="step", ylabel="nats a row")
    if validation:
        axes.plot(*_points(validation, "nats_per_row"), color="tab:blue", marker=".", label="validation")
        beside = axes.twinx()
        beside.plot(*_points(validation, "accuracy"), color="tab:orange", marker=".", label="accuracy")
        beside.set_ylabel("next key or pedal named right")
        axes.plot([], [], color="tab:orange", marker=".", label="accuracy")
    axes.legend(loc="upper right")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "arietta"})
    return buffer.getvalue()


def _points(lines: Sequence[Mapping[str, Any]], name: str) -> tuple[list[int], list[float]]:
    return [line["step"] for line in lines], [line[name] for line in lines]

"""The request of a piece as it is shown: what to ask for to get the same piece again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from ....generation.scores.pulse import Pulse
from .figures import is_none


class RequestView(BaseModel):
    """What to ask for to get the same piece again; either `notes`, `seconds` or `bars` is there.

    A file that was uploaded has `verb` and `notes` alone.
    """

    verb: str | None = Field(None, description="What is done to given music, or `upload`.", exclude_if=is_none)
    given: str | None = Field(None, description="The piece that a verb worked on.", exclude_if=is_none)
    order: str | None = Field(
        None, description="The first of the takes that were asked for together.", exclude_if=is_none
    )
    passage: dict[str, Any] | None = Field(None, description="Which passage is written.", exclude_if=is_none)
    score: dict[str, Any] | None = Field(None, description="How long the score is that is played.", exclude_if=is_none)
    model: str | None = Field(None, exclude_if=is_none)
    bundle: str | None = Field(None, description="Fingerprint of exactly these weights.", exclude_if=is_none)
    notes: int | None = Field(None, exclude_if=is_none)
    seconds: float | None = Field(None, exclude_if=is_none)
    bars: int | None = Field(None, exclude_if=is_none)
    bpm: float | None = Field(None, exclude_if=is_none)
    metre: str | None = Field(None, exclude_if=is_none)
    takes: int | None = Field(
        None,
        description="Of how many the best is kept, where it was stopped before all were composed.",
        exclude_if=is_none,
    )
    style: str | None = Field(None, exclude_if=is_none)
    seed: int | None = Field(None, exclude_if=is_none)
    temperature: float | dict[str, float] | None = Field(None, exclude_if=is_none)
    top_p: float | dict[str, float] | None = Field(None, exclude_if=is_none)
    min_p: float | dict[str, float] | None = Field(None, exclude_if=is_none)
    guidance: float | None = Field(None, exclude_if=is_none)
    density: Any = Field(None, description="What was wished for, as it is asked for.", exclude_if=is_none)
    loudness: Any = Field(None, exclude_if=is_none)
    key: Any = Field(None, exclude_if=is_none)
    transposed: int | None = Field(
        None, description="By how many semitones the given music was moved.", exclude_if=is_none
    )
    prompt_notes: int | None = Field(None, exclude_if=is_none)
    remarks: list[str] | None = Field(None, description="What of a file was merged or left out.", exclude_if=is_none)
    continues: str | None = Field(None, exclude_if=is_none)
    stopped_at: int | None = Field(None, description="Notes after which it was stopped.", exclude_if=is_none)
    ending: bool | None = Field(None, exclude_if=is_none)
    original: bool | None = Field(None, description="There while the piece may be composed again.", exclude_if=is_none)


def asked_length(asked: Mapping[str, Any]) -> float:
    """Return how long a piece was to be, by its request: in notes or seconds, those too of a passage, score or bars."""
    passage = asked.get("passage") or asked.get("score")
    seconds = asked.get("seconds") or (passage["to"] - passage["from"] if passage else 0)
    if "bars" in asked:
        pulse = Pulse.read(asked["bpm"], asked["metre"], asked["bars"])
        seconds = pulse and pulse.seconds
    return float(asked.get("notes") or seconds or 0)

"""The figures of a finished piece: how long, how likely, how original, how near to real music."""

from __future__ import annotations

from pydantic import BaseModel, Field


def is_none(field: object) -> bool:
    """Whether a field has no value, and is left out of an answer."""
    return field is None


class RejectedView(BaseModel):
    """An earlier attempt, which shared too much."""

    seed: int = Field(examples=[7])
    longest: int = Field(examples=[61])
    work: str | None = Field(examples=["Frédéric Chopin: Étude Op. 10 No. 3"])


class OriginalityView(BaseModel):
    """What the composed part shares with the model's training music, as far as the model's index knows that.

    Percentiles say how many works of people share less with each other.
    """

    longest: int = Field(description="Notes of the longest passage shared.", examples=[0])
    share: float = Field(description="Share of the notes in shared passages, 0 to 1.", examples=[0.0])
    longest_percentile: float | None = Field(examples=[0.0])
    share_percentile: float | None = Field(examples=[0.0])
    is_inside: bool = Field(description="Whether it shares no more than nearly all works of people (97.5 %) do.")
    work: str | None = Field(description="The work that has the longest passage.", examples=[None])
    rejected: list[RejectedView] = Field(
        default=[],
        description="The attempts before it, where it was to be original, and itself if all shared too much.",
    )


class ChoiceView(BaseModel):
    """How near a piece lies to real music, and whether it is one of the best of those asked for with it."""

    is_chosen: bool
    score: float = Field(description="The geometric mean of the parts, 0 to 1.", examples=[0.93])
    parts: dict[str, float] = Field(
        description="Of loops, steadiness, structure, likelihood and originality those that are known, each 0 to 1.",
        examples=[{"loops": 1.0, "steadiness": 1.0, "structure": 0.82, "likelihood": 0.91}],
    )


class NatsView(BaseModel):
    """How likely music is under the model in plain order: mean nats per token, fewer are likelier."""

    passage: float = Field(examples=[1.61])
    after: float = Field(description="Of the 64 tokens that follow it.", examples=[1.58])
    both: float = Field(description="Of both, by which takes of a passage are ranked.", examples=[1.6])


class FitView(BaseModel):
    """How well a piece fits the tempo and the metre that were asked for."""

    sureness: float = Field(description="Of its bars, 0 to 1.", examples=[0.72])
    factor: float = Field(description="What all of it was stretched by.", examples=[1.08])
    bars: int | None = Field(description="How many of the bars asked for it has, where they are known.", examples=[16])
    has_bars: bool = Field(description="Whether they are sure enough for the piece to have a metre.")


class Figures(BaseModel):
    """Figures of a finished piece: notes composed, seconds with its prompt, and its likelihood.

    The likelihood is in nats per note under the model, of which fewer are likelier; a file that was uploaded has none.
    """

    notes: int
    seconds: float
    nll_per_note: float | None = Field(None, exclude_if=is_none)
    nats_per_token: NatsView | None = Field(None, description="Of a passage.", exclude_if=is_none)
    interventions: dict[str, int] | None = Field(None, description="Of the guards.", exclude_if=is_none)
    fit: FitView | None = Field(None, description="Of a piece in a tempo and a metre.", exclude_if=is_none)
    originality: OriginalityView | None = Field(None, exclude_if=is_none)
    machines: list[str] | None = Field(
        None,
        description="Where a server was lost and one of another kind composed the piece anew: both. The notes may then "
        "be others than those that listeners heard first.",
        exclude_if=is_none,
    )
    choice: ChoiceView | None = Field(
        None, description="There when all pieces that were asked for with it are over.", exclude_if=is_none
    )

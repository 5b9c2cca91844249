"""What clients send and get, as the types by which values are checked and the OpenAPI document is written.

Ranges stand here for the document only (`WithJsonSchema`, `json_schema_extra`): `Request`, `Sampling` and `Limits`
refuse what lies outside, in their own words and everywhere alike.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, Field, StrictBool, WithJsonSchema

from ...generation.scores.in_time import takes_done
from ...generation.scores.pulse import FASTEST, SLOWEST, TAKES, Pulse
from ...generation.wishes import read_wishes
from ...model.bundle import DEFAULT_MODEL
from ...model.config import ANY
from ...model.sampling import HIGHEST_GUIDANCE, HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE, Sampling
from ..jobs.editing.revisions import Revision
from ..jobs.history.records import Record
from ..jobs.job import Job, State
from ..jobs.peers.followed import FollowedJob
from .problems import Problem
from .views.figures import Figures, is_none
from .views.music import ID, Given, MeasuredMusic, Sent
from .views.request import RequestView, asked_length

FILES = ("mid", "wav", "ogg", "musicxml", "pdf", "svg", "json", "html")
LONGEST_NAME = 200
SEED = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "examples": [7]}
MODEL = {"type": "string", "examples": [DEFAULT_MODEL]}
NOTES = {"type": "integer", "minimum": 1, "examples": [300]}
SECONDS = {"type": "number", "minimum": 1, "examples": [60]}
BARS = {"type": "integer", "minimum": 1, "examples": [16]}
BPM = {"type": "number", "minimum": SLOWEST, "maximum": FASTEST, "examples": [90]}
METRE = {"type": "string", "pattern": "^[0-9]{1,3}/[0-9]{1,3}$", "examples": ["3/4"]}
TAKES_KEPT_OF = {"type": "integer", "minimum": 1, "maximum": TAKES, "examples": [TAKES]}
MOMENT = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}], "examples": [4, "0:04", "bar 9"]}
Moment = Annotated[float | Annotated[str, Field(max_length=LONGEST_NAME)] | None, WithJsonSchema(MOMENT)]
BEST = {"type": "integer", "minimum": 1, "maximum": 8, "examples": [1]}
TEMPERATURE, TOP_P, MIN_P = (
    {"anyOf": [number, {"type": "object", "additionalProperties": number}], "examples": [example]}
    for number, example in (
        ({"type": "number", "minimum": LOWEST_TEMPERATURE, "maximum": HIGHEST_TEMPERATURE}, 0.95),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, 0.98),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, 0.02),
    )
)  # of every field, or by the names of a token's fields
GUIDANCE = {"type": "number", "minimum": 1, "maximum": HIGHEST_GUIDANCE, "examples": [3]}
NUMBER_OR_TEXT = {"anyOf": [{"type": "number"}, {"type": "string"}]}
WISH = {
    "anyOf": [{"type": kind} for kind in ("number", "string")]
    + [{"type": "array", "items": {"type": "array", "items": NUMBER_OR_TEXT, "minItems": 2, "maxItems": 2}}],
    "examples": [6, [[0, 4], [30, 9]]],
}
FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
NAME = {"type": "string", "maxLength": LONGEST_NAME, "examples": ["Evening"]}
Bpm = Annotated[
    float | None,
    Field(
        description="In this tempo, for music composed from the beginning: with `metre`, the best fitting of eight "
        "takes, stretched to it. `fit` among the figures says how well it fits, and the piece has bars where they are "
        "sure. They count as eight pieces. Its events come when it is settled."
    ),
    WithJsonSchema(BPM),
]
Metre = Annotated[str | None, Field(max_length=LONGEST_NAME, description="And in this metre."), WithJsonSchema(METRE)]
Unit = Literal["notes", "seconds"]
PieceId = Annotated[str, Path(alias="id", description="The piece's id.", examples=["0123456789abcdef"])]


class SamplingFields(Sent):
    """How to compose: the model, the seed and the sampling."""

    seed: Annotated[int | None, WithJsonSchema(SEED)] = Field(
        None, description="The same seed gives the same file; without one, a seed is drawn."
    )
    model: Annotated[str | None, Field(max_length=LONGEST_NAME), WithJsonSchema(MODEL)] = Field(
        None, description="One of the models that `/` lists; without it, the first."
    )
    style: str = Field(
        ANY,
        max_length=LONGEST_NAME,
        description="A composer whom the model knows, by surname or full name; `any` lets the seed draw one where the "
        "model has shares of composers, `none` follows nobody.",
        examples=["chopin"],
    )
    temperature: Annotated[Any, WithJsonSchema(TEMPERATURE)] = Field(
        None, description="Below 1 tamer, above 1 bolder; of every field of a token, or by field. Default: the model's."
    )
    top_p: Annotated[Any, WithJsonSchema(TOP_P)] = Field(
        None, description="Draw from the likeliest values, up to this share; of all fields but time, or by field."
    )
    min_p: Annotated[Any, WithJsonSchema(MIN_P)] = Field(
        None,
        description="Drop values less likely than this share of the likeliest; of all fields but time, or by field.",
    )
    guidance: Annotated[float | None, WithJsonSchema(GUIDANCE)] = Field(
        None, description="How strongly the style is followed: 1 as the model itself does, more brings it out."
    )

    @property
    def sampling(self) -> Sampling:
        """Raises RequestError where a value is impossible."""
        return Sampling.read(self.temperature, self.top_p, self.min_p, self.guidance)


class PieceRequest(SamplingFields):
    """Pieces to compose, of 300 notes each unless `notes`, `seconds` or `bars` says otherwise."""

    notes: Annotated[int | None, WithJsonSchema(NOTES)] = Field(None, description="How many notes, exactly.")
    seconds: Annotated[float | None, WithJsonSchema(SECONDS)] = Field(
        None, description="Or how many seconds of music, within 2 %."
    )
    bars: Annotated[int | None, WithJsonSchema(BARS)] = Field(
        None,
        description="Or how many bars of `metre`, or of the metre that the music to go on from has, to a bar line.",
    )
    bpm: Bpm = None
    metre: Metre = None
    takes: Annotated[int | None, WithJsonSchema(TAKES_KEPT_OF)] = Field(
        None,
        description="Of how many takes the best in that tempo is kept, as a piece that was stopped says of itself.",
    )
    count: int = Field(
        1,
        description="How many pieces, with seeds counted up.",
        examples=[1],
        json_schema_extra={"minimum": 1, "maximum": 8},
    )
    best: Annotated[int | None, WithJsonSchema(BEST)] = Field(
        None,
        description="Mark so many of these as the nearest to real music, when all of them are done: see `choice` among "
        "the figures of each. None is deleted.",
    )
    ending: bool = Field(True, description="Close the piece; if false, it stops as if it went on.")
    original: bool = Field(
        False,
        description="Compose a piece again, up to eight times and with a later seed, while it shares more with the "
        "model's training music than works of people share with each other. Its events come when it is settled.",
        examples=[True],
    )
    name: Annotated[str | None, Field(max_length=LONGEST_NAME), WithJsonSchema(NAME)] = Field(
        None, description="What to call it; without one, it is named after its request."
    )
    prompt: MeasuredMusic | None = Field(None, description="Notes to go on from; they begin the piece, untouched.")
    prompt_notes: Annotated[int | None, WithJsonSchema(NOTES)] = Field(
        None, description="Take only the first so many notes of what to go on from."
    )
    continues: Annotated[str | None, Field(max_length=LONGEST_NAME), WithJsonSchema(ID)] = Field(
        None, description="The id of a kept piece to go on from."
    )
    verb: Literal["regenerate", "extend", "connect", "lead_in", "accompany", "vary", "perform"] | None = Field(
        None, description="What to do with `given` music, in place of composing a piece."
    )
    given: Given | None = Field(None, description="The music that a verb works on.")
    second: Given | None = Field(None, description="The music that `connect` leads to, `seconds` after what is given.")
    at: Moment = Field(None, description="Where `extend` cuts the music and goes on; the end without.")
    begin: Moment = Field(
        None,
        alias="from",
        description="Where the passage begins: seconds, a text such as 0:04, or `bar 9` where the music has a metre.",
    )
    end: Moment = Field(None, alias="to", description="Before where it ends; the end without one.", examples=["bar 13"])
    keep: str | Annotated[list[int], Field(max_length=20_000)] | None = Field(
        None,
        description="Notes of the passage that stay: left, right, top, bottom, all, pitches as 48-60, or a list of "
        "indices of notes.",
        examples=["left"],
    )
    keep_pedal: bool = Field(False, description="Whether the pedal stays too.")
    strength: float | None = Field(
        None, description="How much `vary` changes: 0 nothing, 1 all phrases and their top line.", examples=[0.4]
    )
    density: Annotated[Any, WithJsonSchema(WISH)] = Field(
        None, description="Notes per second wished for; or pairs of a second of the piece and what holds from then on."
    )
    loudness: Annotated[Any, WithJsonSchema(WISH | {"examples": [70, "mf", [[0, "pp"], [30, "f"]]]})] = Field(
        None, description="Mean velocity wished for, or a mark from pppp to ffff; or pairs, as of density."
    )
    key: Annotated[Any, WithJsonSchema(WISH | {"examples": ["C minor"]})] = Field(
        None, description="A key wished for; or pairs, as of density."
    )
    transpose: bool = Field(
        False,
        description="First move the given music into `key`, by the smallest interval on the 88 keys; `transposed` of "
        "the piece's request says by how many semitones.",
    )
    stopped_at: Annotated[int | None, WithJsonSchema(NOTES)] = Field(
        None, description="Stop after so many notes, as a piece that was stopped says of itself: it is then the same."
    )

    @property
    def pulse(self) -> Pulse | None:
        """Raises RequestError where tempo or metre is impossible."""
        return Pulse.read(self.bpm, self.metre, self.bars, self.takes)

    @property
    def wishes(self) -> dict[str, Any]:
        """Raises RequestError where a wish is impossible."""
        return read_wishes(density=self.density, loudness=self.loudness, key=self.key)


class PieceRequestForm(PieceRequest):
    """The same fields in a form, where `prompt` or `given` is a file, MIDI or MusicXML."""

    prompt: Annotated[Any, WithJsonSchema(FILE)] = Field(
        None, description="A MIDI file or a score in MusicXML to go on from; its notes begin the piece, untouched."
    )
    given: Annotated[Given | None, WithJsonSchema(FILE)] = Field(
        None, description="The file of the music that a verb works on, or its piece's id."
    )


class Change(Sent):
    """Changes to a piece; what is left out stays as it is."""

    name: Annotated[str | None, Field(min_length=1, max_length=LONGEST_NAME), WithJsonSchema(NAME)] = None
    is_favourite: StrictBool | None = Field(None, description="Favourites are never dropped to make room.")


def iso_time(seconds: float) -> str:
    """Write seconds since 1970 as ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ProgressView(BaseModel):
    """How much of the piece is composed, and of how much."""

    done: float = Field(examples=[120])
    whole: float = Field(examples=[300])
    unit: Unit
    take: int | None = Field(None, description="Which take is being composed, of several.", exclude_if=is_none)
    takes: int | None = Field(None, description="Of how many takes the best is kept.", exclude_if=is_none)

    @classmethod
    def of(cls, job: Job | FollowedJob) -> ProgressView:
        """Return how far a piece under way is."""
        done, whole = job.progress
        several = {}
        if job.take_count > 1 and whole:  # they come one after the other
            take = min(takes_done(done, whole, job.take_count) + 1, job.take_count)
            several = {"take": take, "takes": job.take_count}
        return cls.model_validate({"done": round(done, 3), "whole": whole, "unit": job.unit, **several})

    @classmethod
    def at_rest(cls, record: Record) -> ProgressView:
        """Return how far a piece is that is not being composed."""
        unit: Unit = "notes" if "notes" in record.asked else "seconds"
        total = asked_length(record.asked)
        is_all = record.state is State.DONE and record.asked.get("stopped_at") is None
        done = total if is_all else record.outcome.done
        return cls(done=done, whole=total, unit=unit, take=None, takes=None)


class Timing(BaseModel):
    """Seconds that a piece waited for a slot, until its first note, and was being composed."""

    waited: float | None = None
    first_note: float | None = None
    composing: float | None = None
    notes_per_second: float | None = None


class Links(BaseModel):
    """Addresses of the piece, its page, its events and its files."""

    self: str
    wait: str = Field(description="Answers when the piece is over, or after a minute.")
    page: str
    events: str
    mid: str
    wav: str
    ogg: str
    musicxml: str
    pdf: str
    svg: str
    json_: str = Field(alias="json")
    html: str
    report: str

    @classmethod
    def of(cls, key: str) -> Links:
        """Return the links of the piece of that id."""
        base = f"/v1/pieces/{key}"
        files = {name: f"{base}.{name}" for name in FILES}
        return cls.model_validate(
            {
                "self": base,
                "wait": f"{base}?wait=60",
                "page": f"/p/{key}",
                "events": f"{base}/events",
                "report": f"{base}/report",
                **files,
            }
        )


class RevisionView(BaseModel):
    """What is known of a revision of a piece without its notes; 0 is the piece as it was composed or uploaded."""

    number: int = Field(examples=[3])
    parent: int | None = Field(description="What it was made from; null for 0.", examples=[2])
    name: str = Field(examples=["brighter ending"])
    cause: str = Field(description="What made it.", examples=["transpose"])
    source: str | None = Field(None, description="The id of the piece that its new notes come from.")
    created: str = Field(description="ISO 8601, UTC.", examples=["2026-01-31T18:30:00.000Z"])
    visited: int = Field(description="Grows with each time that one comes to the head.", examples=[7])
    note_count: int = Field(examples=[312])
    seconds: float = Field(examples=[75.2])

    @classmethod
    def of(cls, revision: Revision) -> RevisionView:
        """Show a revision."""
        return cls(**{**vars(revision), "created": iso_time(revision.created)})


class PieceView(BaseModel):
    """A piece that waits, is being composed, or is over."""

    id: str
    name: str
    state: Annotated[str, WithJsonSchema({"type": "string", "enum": list(State)})]
    progress: ProgressView
    created: str = Field(description="ISO 8601, UTC.", examples=["2026-01-31T18:30:00.000Z"])
    timing: Timing
    request: RequestView
    figures: Figures | None
    is_favourite: bool
    problem: Problem | None
    revision: RevisionView | None = Field(description="The revision that its files are of, where it was changed.")
    links: Links

    @classmethod
    def of(cls, record: Record, job: Job | FollowedJob | None = None, revision: Revision | None = None) -> PieceView:
        """Show a record, how far its job is while it is under way, and the revision at its head."""
        outcome, asked = record.outcome, record.asked
        if "style" in asked:
            asked = {"guidance": 1.0, **asked}  # pieces of versions without guidance have none stored
        is_done = record.state is State.DONE
        return cls(
            id=record.id,
            name=record.name,
            state=record.state.value,
            progress=ProgressView.at_rest(record) if job is None or is_done else ProgressView.of(job),
            created=iso_time(record.created),
            timing=Timing(**(outcome.timing or {})),
            request=RequestView(**asked),
            figures=None if outcome.figures is None else Figures(**outcome.figures),
            is_favourite=record.is_favourite,
            problem=None if outcome.problem is None else Problem(**outcome.problem),
            revision=None if revision is None else RevisionView.of(revision),
            links=Links.of(record.id),
        )


class Pieces(BaseModel):
    """Pieces in the order of their seeds; takes of a verb that are all over have the likeliest first."""

    pieces: list[PieceView]


class PiecePage(BaseModel):
    """Pieces, the newest first; `next`, given as `before`, leads to older ones."""

    pieces: list[PieceView]
    next: str | None

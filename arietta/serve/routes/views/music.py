"""Music as clients send and get it: notes, pedal and metre; and what all objects that they send are checked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, FailFast, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from ....errors import RequestError
from ....music.meter import Meter
from ....music.notes import Notes
from ....music.reading import ReadPiece

LONE_SURROGATES = re.compile("[\ud800-\udfff]")
MOST_PARAMETERS = 40  # of an object that a client sends; a request for pieces has some 20
ID = {"type": "string", "pattern": "^[0-9a-f]{16}$", "examples": ["0123456789abcdef"]}
NoteRow = Annotated[
    tuple[float, float, int, int], Field(description="Onset and duration in seconds, pitch, velocity, as in MIDI.")
]
PressRow = Annotated[tuple[float, float], Field(description="When the sustain pedal went down and up, in seconds.")]


class Sent(BaseModel):
    """An object that a client sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def check_object(cls, content: Any) -> Any:
        """Refuse very many parameters, before an error is made of each that is unknown, and texts that are none.

        What is null is as what is left out, as programs send it whose objects have a place for each field.
        """
        if not isinstance(content, dict):
            return content
        if len(content) > MOST_PARAMETERS:
            raise PydanticCustomError("size", "an object has at most {most} parameters", {"most": MOST_PARAMETERS})
        if any(isinstance(text, str) and LONE_SURROGATES.search(text) for text in content.values()):
            raise PydanticCustomError("text", "a text may not hold lone surrogates")  # which no encoding can write
        return {name: value for name, value in content.items() if value is not None}


class MeterFields(Sent):
    """A metre: where bars, tempos and keys begin, each row with its second of the piece, in rising order."""

    signatures: Annotated[list[tuple[float, int, int]], FailFast()] = Field(
        description="Seconds, beats and unit of a time signature; a bar begins there.", examples=[[[0.0, 3, 4]]]
    )
    tempos: Annotated[list[tuple[float, float]], FailFast()] = Field(
        description="Seconds, and the length of a quarter note from there on, in seconds.", examples=[[[0.0, 0.5]]]
    )
    keys: Annotated[list[tuple[float, int, bool]], FailFast()] = Field(
        default=[], description="Seconds, sharps (flats when negative), and whether it is minor.", examples=[[]]
    )
    is_exact: bool = Field(False, description="Whether the notes lie where they are written, as in a sequenced file.")

    @property
    def meter(self) -> Meter:
        """Raises RequestError where it is none that a piece can have."""
        try:
            return Meter.from_description(self.model_dump())
        except ValueError as error:
            raise RequestError(f"meter: {error}") from error


class Music(Sent):
    """Notes and pedal, in seconds from the beginning."""

    # The first wrong row ends the reading: an error for each of 700,000 would take 10 s and 3 GB.
    notes: Annotated[list[NoteRow], FailFast()] = Field(examples=[[[0.0, 0.5, 60, 70], [0.5, 0.5, 64, 60]]])
    pedal: Annotated[list[PressRow], FailFast()] = Field(default=[], examples=[[[0.0, 0.9]]])


class MeasuredMusic(Music):
    """Notes and pedal, and the bars that they have."""

    meter: MeterFields | None = Field(None, description="Its metre, if any: in its bars music may be asked for.")


class Given(Sent):
    """Music that a verb works on: a stored piece by its id, or notes and pedal with their metre, if any."""

    piece: Annotated[str | None, WithJsonSchema(ID)] = None
    notes: Annotated[list[NoteRow], FailFast()] = Field(default=[])
    pedal: Annotated[list[PressRow], FailFast()] = Field(default=[])
    meter: MeterFields | None = None


def piece_of(sent: Music | Given, name: str) -> ReadPiece:
    """Return notes and metre that were sent; raises RequestError, with their name, where they are none."""
    fields = getattr(sent, "meter", None)
    return ReadPiece(notes_of(sent.notes, sent.pedal, name), None if fields is None else fields.meter, ())


def notes_of(rows: Sequence[Any], pedal: Sequence[Any], name: str) -> Notes:
    """Read rows of notes; raises RequestError where they are none."""
    onset, duration, pitch, velocity = zip(*rows, strict=True) if rows else ((), (), (), ())
    try:
        return Notes.of(onset, duration, pitch, velocity, pedal)
    except (ValueError, OverflowError) as error:
        raise RequestError(f"{name}: {error}") from error

"""The HTTP service: `GET /midi/300?style=chopin&seed=7` answers with a piece of 300 notes, as a MIDI file.

    app = create_app(Models(), Jobs(), most_notes=10_000)

The endpoints are written for their readers at /docs: what each parameter does, with examples, and every answer.
"""

# No `from __future__ import annotations` here: FastAPI reads the endpoints' types, and one depends on an argument.
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Path, Query
from fastapi import Request as HttpRequest
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from .. import __version__
from ..bundle import DEFAULT_MODEL
from ..composing import ANY, Piece, Request, Take, draw_seed
from ..errors import RequestError
from ..sampling import COOLEST, HOTTEST, USUAL, Sampling
from .jobs import Jobs
from .models import Models
from .problems import add_problems, responses

RETRY_SECONDS = 5  # a piece of 1,000 notes takes about as long
SEED = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "examples": [7]}
MODEL = {"type": "string", "examples": [DEFAULT_MODEL]}
HEADERS = {
    "Content-Disposition": "The file's name.",
    "X-Arietta-Seed": "What to give as `seed` for the same piece again.",
    "X-Arietta-Model": "The model's name, percent-encoded.",
    "X-Arietta-Bundle": "Fingerprint of exactly these weights.",
    "X-Arietta-Notes": "How many notes were composed.",
}


class MidiFile(Response):
    """A MIDI file to be saved, under a title."""

    media_type = "audio/midi"


class Alive(BaseModel):
    """That the server is there, and what it can compose with."""

    Message: str = Field(examples=["Alive"])
    version: str = Field(examples=[__version__])
    models: list[str] = Field(description="The default first.", examples=[[DEFAULT_MODEL, "grieg-lstm"]])


class Health(BaseModel):
    """That the server answers, and how busy it is."""

    status: str = Field(examples=["ok"])
    pieces: int = Field(description="Being composed, or waiting for their turn.", examples=[0])


class Choices(BaseModel):
    """How to compose. Ranges stand here for the document only: `Request` and `Sampling` are who refuse."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Annotated[int | None, WithJsonSchema(SEED)] = Field(
        None, description="The same seed gives the same file; without one, a seed is drawn."
    )
    model: Annotated[str | None, WithJsonSchema(MODEL)] = Field(
        None, description="One of the models that `/` lists; without it, the first."
    )
    style: str = Field(
        ANY, description="A composer whom the model knows, by surname or full name.", examples=["chopin"]
    )
    temperature: float = Field(
        USUAL.temperature,
        description="Below 1 tamer, above 1 bolder.",
        examples=[0.95],
        json_schema_extra={"minimum": COOLEST, "maximum": HOTTEST},
    )
    top_p: float = Field(
        USUAL.top_p,
        description="Draw from the likeliest values, up to this share of all chance.",
        examples=[0.98],
        json_schema_extra={"exclusiveMinimum": 0, "maximum": 1},
    )
    min_p: float = Field(
        USUAL.min_p,
        description="Drop values less likely than this share of the likeliest.",
        examples=[0.02],
        json_schema_extra={"minimum": 0, "exclusiveMaximum": 1},
    )

    def request(self, notes: int) -> Request:
        """Make the request for so many notes; raises RequestError where a value is impossible."""
        sampling = Sampling(self.temperature, self.top_p, self.min_p)
        seed = draw_seed() if self.seed is None else self.seed
        return Request(notes=notes, style=self.style, seed=seed, sampling=sampling)


def create_app(models: Models, jobs: Jobs, *, most_notes: int) -> FastAPI:
    """Make the service of `models`; a request may ask for `most_notes` at most."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        jobs.close()

    app = FastAPI(
        title="Arietta",
        version=__version__,
        summary="Composes expressive piano music as MIDI.",
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    add_problems(app)
    _add_state(app, models, jobs)
    _add_midi(app, models, jobs, most_notes)
    return app


def _add_state(app: FastAPI, models: Models, jobs: Jobs) -> None:
    @app.get("/", summary="Ask whether the server is there, and which models it has")
    async def ask_alive() -> Alive:
        return Alive(Message="Alive", version=__version__, models=models.names)

    @app.get("/healthz", summary="Ask whether the server answers, and how busy it is")
    async def ask_health() -> Health:
        return Health(status="ok", pieces=jobs.piece_count)


def _add_midi(app: FastAPI, models: Models, jobs: Jobs, most_notes: int) -> None:
    count = Path(
        description="How many notes, exactly.",
        examples=[300],
        json_schema_extra={"minimum": 1, "maximum": most_notes},
    )

    @app.get("/midi/{notes}/", include_in_schema=False)
    @app.get(
        "/midi/{notes}",
        summary="Compose a piece of exactly so many notes and download it",
        description=_description(models),
        response_class=MidiFile,
        responses=_midi_responses(most_notes),
    )
    async def compose(
        http: HttpRequest, notes: Annotated[int, count], choices: Annotated[Choices, Query()]
    ) -> MidiFile:
        if not 1 <= notes <= most_notes:
            raise RequestError(f"notes must lie in 1-{most_notes}, not {notes}")
        bundle, request = models.bundle(choices.model), choices.request(notes)
        Piece(request, bundle)  # refuses at once what this model cannot do
        if jobs.is_full:
            sentence = f"the server has {jobs.piece_count} pieces to compose; try again in a few seconds"
            raise HTTPException(429, sentence, {"Retry-After": str(RETRY_SECONDS)})
        composed = await jobs.compose(request, partial(models.engine, bundle.name), partial(_left, http))
        if composed is None:
            raise HTTPException(503, "the piece was given up: the client left, or the server is stopping")
        take, file = composed
        return MidiFile(file, headers=_headers(take))


async def _left(http: HttpRequest) -> None:
    """Return when the client has left."""
    while (await http.receive())["type"] != "http.disconnect":
        pass


def _headers(take: Take) -> dict[str, str]:
    values = (_disposition(f"{take.title}.mid"), take.request.seed, quote(take.model), take.bundle, take.note_count)
    return dict(zip(HEADERS, map(str, values), strict=True)) | {"Cache-Control": "no-store"}


def _disposition(name: str) -> str:
    """Offer a file to be saved under `name`, and in letters that every client reads (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", name)
    exact = "" if plain == name else f"; filename*=UTF-8''{quote(name.replace('/', '-'))}"
    return f'attachment; filename="{plain}"{exact}'


def _description(models: Models) -> str:
    known = [f"- `{name}`: {_composers(models, name)}" for name in models.names]
    return "\n".join(["The models here, and the styles they know:", "", *known])


def _composers(models: Models, name: str) -> str:
    return ", ".join(models.bundle(name).model.composers) or f"none, leave it at `{ANY}`"


def _midi_responses(most_notes: int) -> dict[int | str, dict[str, Any]]:
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS.items()}
    content = {MidiFile.media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {
        200: {"description": "The piece, a format 1 MIDI file.", "content": content, "headers": headers},
        **responses(
            _422=f"A value is impossible (notes lie in 1-{most_notes}), or the model does not know the style.",
            _429="Too many pieces are waiting; `Retry-After` says for how many seconds to wait.",
            _503="The server is stopping.",
        ),
    }

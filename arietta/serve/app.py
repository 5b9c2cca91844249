"""The HTTP service: `GET /midi/300?style=chopin&seed=7` answers with a piece of 300 notes, as a MIDI file.

    app = create_app(Models(), Jobs())

The endpoints are written for OpenAPI first: the page at /docs is what a client's author reads.
"""

# No `from __future__ import annotations` here: FastAPI reads the endpoints' types, and some name local values.
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Path, Query
from fastapi import Request as HttpRequest
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from .. import __version__
from ..composing import ANY, Piece, Request, Take, draw_seed
from ..errors import RequestError
from ..sampling import COOLEST, HOTTEST, Sampling
from .jobs import Jobs
from .models import Models
from .problems import add_problems, responses

MOST_NOTES = 10_000  # by default; MAESTRO's longest piece has 18,000 or so
RETRY_SECONDS = 5
LOCAL = Literal["ok"]

HEADERS = {
    "Content-Disposition": "the file's name",
    "X-Arietta-Seed": "what to give as `seed` for the same piece again",
    "X-Arietta-Model": "the model's name, percent-encoded",
    "X-Arietta-Bundle": "fingerprint of exactly these weights",
    "X-Arietta-Notes": "how many notes were composed",
}

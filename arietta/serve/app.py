"""The HTTP service, put together: the endpoints, the gate before them and the document about them.

    service = Service(Models(), History(folder), Limits())
    app = create_app(service, Access(key="..."))

The endpoints are written for their readers at /docs: what each parameter does, with examples, and every answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.middleware.cors import CORSMiddleware

from .. import __version__
from .jobs.service import Service
from .routes.docs import add_manual
from .routes.events import add_events
from .routes.files import FileQueue, add_files
from .routes.middleware import AccessMiddleware, RequestLogMiddleware
from .routes.midi import add_downloads
from .routes.pieces import add_pieces
from .routes.problems import Problem, add_problems, responses
from .routes.reports import add_reports
from .routes.schemas import MusicView, PieceRequest, PieceRequestForm
from .routes.studio import add_pages
from .routes.system import add_state

EXPOSED = ("Content-Disposition", "Location", "Retry-After", "X-Request-ID")


@dataclass(frozen=True)
class Access:
    """Who may come in: with `key` only those who have it; pages of `origins`, beside the server's own."""

    key: str | None = None
    origins: tuple[str, ...] = ()


def create_app(service: Service, access: Access | None = None) -> FastAPI:
    """Make the app; it opens and closes the service."""
    access, file_queue = access or Access(), FileQueue()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.notifier.bind()
        service.open()
        yield
        file_queue.close()
        service.close()

    app = FastAPI(
        title="Arietta",
        version=__version__,
        summary="Composes expressive piano music as MIDI.",
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
        docs_url=None,
        redoc_url=None,
    )
    add_problems(app)
    add_state(app, service)
    add_files(app, service, file_queue)
    add_reports(app, service, file_queue)
    add_events(app, service)
    add_pieces(app, service)
    add_downloads(app, service)
    add_manual(app)
    add_pages(app)
    _describe(app, service)
    app.add_middleware(AccessMiddleware, limits=service.limits, key=access.key, origins=access.origins)
    if access.origins:
        methods = ["GET", "POST", "PATCH", "DELETE"]
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(access.origins),
            allow_methods=methods,
            allow_headers=["*"],
            expose_headers=list(EXPOSED),
        )
    app.add_middleware(RequestLogMiddleware, metrics=service.metrics)
    return app


def _describe(app: FastAPI, service: Service) -> None:
    """Let the document know what FastAPI cannot read from types: forms of the body, and this server's limits."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            template = "#/components/schemas/{model}"
            sent, answered = (PieceRequest, PieceRequestForm), (Problem, MusicView)
            kinds: list[Any] = [(kind, "validation") for kind in sent] + [(kind, "serialization") for kind in answered]
            _, bodies = models_json_schema(kinds, ref_template=template)
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(bodies["$defs"])
            _limit(made, service)
            _replace_validation_errors(made)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way of changing it


def _limit(document: dict[str, Any], service: Service) -> None:
    limits, schemas = service.limits, document["components"]["schemas"]
    for name in (PieceRequest.__name__, PieceRequestForm.__name__):
        schemas[name]["properties"]["notes"]["maximum"] = limits.most_notes
        schemas[name]["properties"]["seconds"]["maximum"] = limits.most_seconds
        for wish in ("count", "best"):
            schemas[name]["properties"][wish]["maximum"] = limits.most_count
    count = next(each for each in document["paths"]["/midi/{notes}"]["get"]["parameters"] if each["name"] == "notes")
    count["schema"] |= {"minimum": 1, "maximum": limits.most_notes}
    wait = next(each for each in document["paths"]["/v1/pieces"]["post"]["parameters"] if each["name"] == "wait")
    wait["schema"]["maximum"] = limits.most_wait


def _replace_validation_errors(document: dict[str, Any]) -> None:
    """Say of every refusal that it is a problem: FastAPI writes its own form wherever there is a parameter."""
    refusal = responses(_422="A parameter is impossible.")[422]
    for item in document["paths"].values():
        for operation in item.values():
            found = operation["responses"].get("422", {})
            if "application/json" in found.get("content", {}):
                operation["responses"]["422"] = refusal
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)

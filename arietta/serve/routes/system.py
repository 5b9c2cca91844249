"""The server about itself: alive, how busy, ready, its models, its counters."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ... import __version__
from ...model.bundle import DEFAULT_MODEL
from ..jobs.metrics import CONTENT_TYPE
from ..jobs.scheduler import StoppingError
from ..jobs.service import Service
from .problems import responses
from .schemas import ModelView, ModelViews
from .studio import studio_page


class Alive(BaseModel):
    """That the server is there, and what it can compose with."""

    Message: str = Field(examples=["Alive"])
    version: str = Field(examples=[__version__])
    models: list[str] = Field(description="The default first.", examples=[[DEFAULT_MODEL, "grieg-lstm"]])


class Health(BaseModel):
    """That the server answers, and how busy it is."""

    status: str = Field(examples=["ok"])
    pieces: int = Field(description="Being composed, or waiting for their turn.", examples=[0])


class Ready(BaseModel):
    """That pieces asked for now will be composed and kept."""

    status: str = Field(examples=["ready"])


def add_state(app: FastAPI, service: Service) -> None:
    """Add the endpoints."""
    _add_alive(app, service)

    @app.get("/healthz", summary="Ask whether the server answers, and how busy it is", tags=["server"], name="health")
    async def ask_health() -> Health:
        return Health(status="ok", pieces=sum(service.scheduler.counts))

    @app.get(
        "/readyz",
        summary="Ask whether pieces asked for now will be composed and kept",
        responses=responses(_503="They will not: it is stopping, or something in it is broken."),
        tags=["server"],
        name="ready",
    )
    async def ask_ready() -> Ready:
        if not service.scheduler.is_running:
            raise StoppingError("the server is stopping")
        await run_in_threadpool(service.page, 1)  # the history answers
        return Ready(status="ready")

    @app.get(
        "/metrics",
        summary="Read the server's counters, for Prometheus",
        response_class=Response,
        responses={200: {"description": "Counters.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
        tags=["server"],
        name="metrics",
    )
    async def read_metrics() -> Response:
        return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    @app.get("/v1/models", summary="List the models", tags=["server"], name="models")
    async def list_models() -> ModelViews:
        models = service.models
        return ModelViews(
            models=[ModelView.of(models.bundle(name), is_default=name == models.default) for name in models.names]
        )


def _add_alive(app: FastAPI, service: Service) -> None:
    @app.get(
        "/",
        summary="Ask whether the server is there, and which models it has; browsers get the studio",
        responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
        response_model=Alive,
        tags=["server"],
        name="alive",
    )
    async def ask_alive(http: HttpRequest, answer: Response) -> Alive | Response:
        answer.headers["Vary"] = "Accept"
        if "text/html" in http.headers.get("accept", ""):
            return studio_page()
        return Alive(Message="Alive", version=__version__, models=service.models.names)

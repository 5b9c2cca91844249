"""The endpoints about the server itself: is it alive, how busy, ready, which models, and its counters."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ... import __version__
from ...evaluation.ranking import typical_nats
from ...model.bundle import DEFAULT_MODEL, Bundle
from ...model.composers import offered_composers
from ..jobs.metrics import CONTENT_TYPE
from .problems import problem_responses
from .requests import AppService
from .studio import studio_page

router = APIRouter(tags=["server"])


class Alive(BaseModel):
    """The server is there, and these are its models."""

    Message: str = Field(examples=["Alive"])  # capital: the clients of the first version expect it
    version: str = Field(examples=[__version__])
    models: list[str] = Field(description="The default first.", examples=[[DEFAULT_MODEL, "grieg-lstm"]])


class Health(BaseModel):
    """Whether the server answers, and how busy it is."""

    status: str = Field(examples=["ok"])
    pieces: int = Field(description="Being composed, or waiting for their turn.", examples=[0])


class Ready(BaseModel):
    """Whether pieces asked for now will be composed and stored."""

    status: str = Field(examples=["ready"])


class ModelView(BaseModel):
    """A model, with what its licence allows and what it can do."""

    name: str
    title: str
    summary: str
    licence: str
    licence_url: str
    allows: str
    styles: list[str] = Field(description="Composers to offer: those who are known to be dead.")
    all_styles: list[str] = Field(description="All composers whom it knows, those too who may be living.")
    sources: list[str]
    is_default: bool
    can_continue: bool = Field(description="Whether it takes prompts, and a length in seconds.")
    parameters: int | None = None
    nats_per_note: float | None = Field(None, description="Of held-out music, when it was trained.")

    @classmethod
    def of(cls, bundle: Bundle, *, is_default: bool) -> ModelView:
        """Show a model by its card and its configuration."""
        card = bundle.card
        texts = {name: str(card.get(name, "")) for name in ("title", "summary", "licence", "licence_url", "allows")}
        return cls(
            name=bundle.name,
            styles=offered_composers(bundle.model.composers),
            all_styles=list(bundle.model.composers),
            sources=list(bundle.model.sources),
            is_default=is_default,
            can_continue=bundle.codec.can_continue,
            parameters=card.get("parameters"),
            nats_per_note=typical_nats(bundle),
            **texts,
        )


class ModelViews(BaseModel):
    """The models that the server offers, the default first."""

    models: list[ModelView]


@router.get(
    "/",
    summary="Ask whether the server is there, and which models it has; browsers get the studio",
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
    response_model=Alive,
    name="alive",
)
async def get_root(http: HttpRequest, answer: Response, service: AppService) -> Alive | Response:
    """Answer browsers with the studio, and programs with JSON."""
    if "text/html" in http.headers.get("accept", ""):
        return studio_page()
    answer.headers["Vary"] = "Accept"
    return Alive(Message="Alive", version=__version__, models=service.models.names)


@router.get("/healthz", summary="Ask whether the server answers, and how busy it is", name="health")
async def get_health(service: AppService) -> Health:
    """Count the pieces under way."""
    return Health(status="ok", pieces=sum(service.scheduler.counts))


@router.get(
    "/readyz",
    summary="Ask whether pieces asked for now will be composed and kept",
    responses=problem_responses(_503="They will not: it is stopping, or something in it is broken."),
    name="ready",
)
async def get_readiness(service: AppService) -> Ready:
    """Check that something composes, and that the history can be read and written."""
    service.scheduler.check_ready()
    await run_in_threadpool(service.page, 1)
    await run_in_threadpool(service.history.check_writable)
    return Ready(status="ready")


@router.get(
    "/metrics",
    summary="Read the server's counters, for Prometheus",
    response_class=Response,
    responses={200: {"description": "Counters.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
    name="metrics",
)
async def get_metrics(service: AppService) -> Response:
    """Write the counters."""
    return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


@router.get("/v1/models", summary="List the models", name="models")
async def list_models(service: AppService) -> ModelViews:
    """Describe every model."""
    models = service.models
    return ModelViews(
        models=[ModelView.of(models.bundle(name), is_default=name == models.default) for name in models.names]
    )

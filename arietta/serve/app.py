"""The HTTP service, put together: the endpoints, what stands before them, and the OpenAPI document about them.

    service = Service(Models(), open_history(folder), Limits())
    app = create_app(service, Access(key="..."))

The endpoints are described for their users at /docs: what each parameter does, with examples, and every answer.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute

from .. import __version__
from .access import Access
from .jobs.service import Service
from .routes import docs, events, files, midi, pieces, problems, reports, schemas, studio, system
from .routes.editing import meters, revisions, uploads
from .routes.middleware import AccessMiddleware, RequestLogMiddleware
from .routes.views import music, score
from .work_queue import WorkQueues
from .workshop import Workshop

SWITCH_SECONDS = 0.001  # Python's own is five times as long; see `listeners` of benchmarks.reliability.hostile
# Headers that scripts of other sites may read, beside the few that browsers always let them.
EXPOSED_HEADERS = ("ETag", "Location", "Retry-After", "X-Request-ID", *midi.HEADERS)
# What any endpoint may answer, beside what it describes.
OTHERWISE = "A refusal, such as 401 for a key that is missing or wrong, or 403 for a page of another site."
# How the key of a server is sent, in OpenAPI's words.
KEYS = {
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def share_interpreter() -> None:
    """Let threads take turns often: composing takes Python's lock back several times a step, and waits for each."""
    sys.setswitchinterval(SWITCH_SECONDS)


def create_app(service: Service, access: Access | None = None) -> FastAPI:
    """Return the app; it opens and closes the service."""
    access = access or Access()
    queues = WorkQueues.of(service.limits, lambda: service.scheduler.is_stopping)
    workshop = Workshop(service.limits.file_seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.notifier.bind()
        with ExitStack() as closing:  # each is closed whatever becomes of the others, the last first
            closing.callback(service.close)
            closing.callback(workshop.close)
            closing.callback(queues.close)
            service.open()
            yield

    app = FastAPI(
        title="Arietta",
        version=__version__,
        summary="Composes expressive piano music as MIDI.",
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
        exception_handlers=problems.ERROR_HANDLERS,
        dependencies=[Depends(problems.check_query)],
        docs_url=None,  # FastAPI's own page loads its scripts from elsewhere
        redoc_url=None,
    )
    app.state.service, app.state.queues, app.state.workshop = service, queues, workshop
    # The order matters: /v1/pieces/{id}.mid would match /v1/pieces/{id} too, and the first that matches answers.
    routers = (system.router, files.files_router(), reports.router, events.router, pieces.router, midi.router)
    app.state.routes = list[BaseRoute]()
    for router in (*routers, meters.router, score.router, revisions.router, uploads.router, docs.router, studio.router):
        _answer_head(router)
        app.include_router(router)
        app.state.routes += router.routes
    studio.mount_studio(app)
    app.openapi = lambda: openapi_document(app, service, has_key=access.key is not None)  # type: ignore[method-assign]  # FastAPI's own way

    # The last to be added is the first that a request meets: what is refused is logged too.
    def server_count() -> int:
        return service.peers.server_count

    app.add_middleware(AccessMiddleware, limits=service.limits, access=access, server_count=server_count)
    if access.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(access.origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["*"],
            expose_headers=list(EXPOSED_HEADERS),
        )
    app.add_middleware(RequestLogMiddleware, metrics=service.metrics)
    return app


def _answer_head(router: APIRouter) -> None:
    """Let every endpoint for GET answer HEAD too; those that work for long have one that does not."""
    routes = [(route, route.methods or set()) for route in router.routes if isinstance(route, APIRoute)]
    answered = {route.path for route, methods in routes if "HEAD" in methods}
    for route, methods in routes:
        if "GET" in methods and route.path not in answered:
            about: dict[str, Any] = {"response_model": route.response_model, "include_in_schema": False}
            router.add_api_route(route.path, route.endpoint, methods=["HEAD"], **about)


def openapi_document(app: FastAPI, service: Service, *, has_key: bool = False) -> dict[str, Any]:
    """Return the OpenAPI document, with what FastAPI cannot read from types; it is made at the first call."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        template = "#/components/schemas/{model}"
        # Bodies that endpoints read by themselves, and answers that they write by themselves.
        requests = (
            *(schemas.PieceRequest, schemas.PieceRequestForm, schemas.Change),
            *(revisions.RevisionRequest, revisions.HeadRequest, revisions.NameRequest),
            *(meters.MeterCorrection, music.MeterFields),
        )
        answers = (problems.Problem, files.MusicView)
        models: list[Any] = [(model, "validation") for model in requests]
        models += [(model, "serialization") for model in answers]
        _, definitions = models_json_schema(models, ref_template=template)
        document.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
        _describe_server(document, service)
        if has_key:
            document["components"]["securitySchemes"] = KEYS
            document["security"] = [{name: []} for name in KEYS]
        # FastAPI describes errors of its own wherever there is a parameter; here every refusal is a problem.
        refusal = problems.problem_responses(_422="A parameter is impossible.")[422]
        for operation in (operation for item in document["paths"].values() for operation in item.values()):
            operation["responses"]["default"] = refusal | {"description": OTHERWISE}
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                operation["responses"]["422"] = refusal
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)
        app.openapi_schema = without_null_defaults(document)
    return app.openapi_schema


def without_null_defaults(schema: Any) -> Any:
    """Leave out what pydantic writes of fields that need not be sent, for null is no value of their types."""
    if isinstance(schema, dict):
        return {name: without_null_defaults(part) for name, part in schema.items() if (name, part) != ("default", None)}
    return [without_null_defaults(part) for part in schema] if isinstance(schema, list) else schema


def _describe_server(document: dict[str, Any], service: Service) -> None:
    """Write the limits and the models of this server into the document."""
    limits, paths = service.limits, document["paths"]
    for model in (schemas.PieceRequest, schemas.PieceRequestForm):
        fields = document["components"]["schemas"][model.__name__]["properties"]
        fields["notes"]["maximum"] = limits.most_notes
        fields["seconds"]["maximum"] = limits.most_seconds
        fields["count"]["maximum"] = fields["best"]["maximum"] = limits.most_count
    download, ask = paths["/midi/{notes}"]["get"], paths["/v1/pieces"]["post"]
    download["description"] = midi.describe_models(service.models)
    _parameter(download, "notes")["schema"] |= {"minimum": 1, "maximum": limits.most_notes}
    for operation in (ask, paths["/v1/pieces/{id}"]["get"]):
        _parameter(operation, "wait")["schema"]["maximum"] = limits.most_wait


def _parameter(operation: dict[str, Any], name: str) -> dict[str, Any]:
    return next(parameter for parameter in operation["parameters"] if parameter["name"] == name)

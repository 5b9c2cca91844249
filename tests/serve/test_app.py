"""The app put together: its OpenAPI document is enough for a generator of clients, and true of every answer."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from arietta.serve.app import create_app, share_interpreter
from arietta.serve.jobs.history.pieces import open_history
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.service import Service
from arietta.serve.workshop import Workshop
from tests.support.servers import PATIENCE, composed, serving

CALM = list(HealthCheck)  # the machine may be slow, and requests are made, not found


FILES = ("mid", "wav", "ogg", "musicxml", "pdf", "svg", "json", "html")


PATHS = {
    "/v1/pieces/{id}/stop",
    "/v1/pieces/{id}/meter",
    "/v1/pieces/{id}/revisions",
    "/v1/pieces/{id}/score",
    "/v1/pieces/{id}/revisions/{number}",
    "/v1/prompts",
    "/v1/uploads",
    *("/", "/healthz", "/readyz", "/metrics", "/midi/{notes}", "/v1/models", "/v1/pieces", "/v1/pieces/{id}"),
    *("/v1/pieces/{id}/events", "/v1/pieces/{id}/report", "/v1/pieces/{id}/stop"),
    *(f"/v1/pieces/{{id}}.{kind}" for kind in FILES),
}


@pytest.fixture(scope="module")
def document(server: httpx.Client) -> dict[str, Any]:
    document: dict[str, Any] = server.get("/openapi.json").json()
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_it_has_every_path_and_no_page(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == PATHS


def test_every_operation_has_a_name_of_its_own_that_a_program_can_have(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_every_answer_has_its_schema(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation["summary"], path
        for status, answer in operation["responses"].items():
            assert answer["description"], (path, status)
            if status != "204":
                assert answer["content"], (path, status)
                assert all(content.get("schema") for content in answer["content"].values()), (method, path, status)
            if status == "default" or int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"]


def parts_of(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts_of(inner)


def test_defaults_are_of_their_types_and_lists_say_what_they_hold(document: dict[str, Any]) -> None:
    # Validators refuse the document where they are not, and generators of clients leave out the request for pieces.
    for schema in parts_of(document):
        assert schema.get("default", 0) is not None or "null" in str(schema), schema
        assert schema.get("type") != "array" or "items" in schema or "prefixItems" in schema, schema


def test_nothing_points_nowhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert re.fullmatch(r"#/components/schemas/\w+", reference), reference
        assert reference.rpartition("/")[2] in schemas


def test_requests_may_be_json_or_a_form_with_a_file_and_the_limits_are_told(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/pieces"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}
    asked = document["components"]["schemas"]["PieceRequest"]
    assert asked["properties"]["notes"]["maximum"] == 10_000
    assert asked["properties"]["count"]["maximum"] == asked["properties"]["best"]["maximum"] == 8
    assert asked["additionalProperties"] is False
    form = document["components"]["schemas"]["PieceRequestForm"]["properties"]
    assert form["prompt"]["contentMediaType"] == form["given"]["contentMediaType"] == "application/octet-stream"
    assert set(form) == set(asked["properties"])


def test_a_piece_has_everything_that_is_told_about_it(server: httpx.Client, document: dict[str, Any]) -> None:
    piece = composed(server, notes=3)
    described = document["components"]["schemas"]["PieceView"]
    assert set(piece) == set(described["properties"]) == set(described["required"])


def test_no_request_that_the_document_allows_breaks_the_server_or_gets_what_it_does_not_describe(
    models: Models, tmp_path: Path
) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    limits = Limits(most_notes=20, most_seconds=5, seats=4, places=4)
    with serving(models, tmp_path, limits) as client:
        key = composed(client, notes=2)["id"]
        client.service.limits = replace(limits, most_wait=0.05)
        schema = schemathesis.openapi.from_url(str(client.base_url.join("/openapi.json")))
        for operation in schema.get_all_operations():
            ask_for(operation.ok(), key)
        assert client.get("/readyz").status_code == 200


def ask_for(operation: Any, key: str) -> None:
    """Send some requests of one kind, half of them about a piece that there is."""
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

    wanted = [not_a_server_error, content_type_conformance]
    if operation.path != "/v1/pieces/{id}.json":  # schemathesis 4.32 misreads tuples in answers
        wanted.append(response_schema_conformance)

    @settings(max_examples=6, derandomize=True, deadline=None, phases=[Phase.generate], suppress_health_check=CALM)
    @given(case=operation.as_strategy(), is_there=st.booleans())
    def ask(case: Any, is_there: bool) -> None:
        if "id" in case.path_parameters and is_there:
            case.path_parameters["id"] = key
        case.call_and_validate(checks=wanted, timeout=PATIENCE)

    ask()


def test_head_is_answered_as_get_wherever_get_is_without_a_body(server: httpx.Client) -> None:
    piece = composed(server, notes=3)
    paths = [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/models",
        "/v1/pieces",
        "/docs",
        "/docs/style.css",
        "/midi/3?seed=1",
    ]
    paths += ["/openapi.json", f"/p/{piece['id']}", "/static/index.html", *piece["links"].values()]
    paths += [
        "/midi/0",
        "/midi/3?style=chopn",
        "/v1/pieces?limit=0",
        "/v1/pieces/absent",
        "/v1/pieces/absent.mid",
        "/nowhere",
    ]
    for path in paths:
        got, head = server.get(path), server.head(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers.get("content-type") == got.headers.get("content-type"), path


def test_the_service_is_closed_whatever_becomes_of_the_rest(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("broken")

    service = Service(models, open_history(tmp_path), Limits())
    app = create_app(service)
    monkeypatch.setattr(Workshop, "close", fail)

    async def scene() -> None:
        async with app.router.lifespan_context(app):
            assert service.scheduler.is_running

    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(scene())
    assert not service.scheduler.is_running
    open_history(tmp_path).close()  # nobody holds it any more


def test_threads_take_turns_more_often_than_python_has_them_by_itself() -> None:
    before = sys.getswitchinterval()
    try:
        share_interpreter()
        assert sys.getswitchinterval() == pytest.approx(0.001)
    finally:
        sys.setswitchinterval(before)

"""The page at /docs, made from the OpenAPI document; it has no script and loads nothing from elsewhere."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import HTMLResponse, Response

STYLE = """
:root { color-scheme: light dark; --ink: #26222b; --soft: #5f5a66; --page: #fff; --panel: #f4f3f0; --mark: #2b5f91 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eceaf0; --soft: #aaa5b3; --page: #17151b; --panel: #232029; --mark: #8fbce8 }
}
body { color: var(--ink); background: var(--page); font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem;
  max-width: 60rem; overflow-wrap: anywhere }
a { color: var(--mark) }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; background: var(--panel); border-radius: .25rem }
code { padding: .1em .3em } pre { padding: .75rem; overflow-x: auto }
section { border-top: 1px solid var(--soft); margin-top: 2rem }
h3 { color: var(--soft); font-size: 1rem; margin-bottom: .25rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--panel) }
th { font-weight: 600; white-space: nowrap }
"""
Schema = Mapping[str, Any]
SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def read_docs(http: HttpRequest) -> HTMLResponse:
    """Answer with the page."""
    return HTMLResponse(docs_page(http.app.openapi()))


@router.get("/docs/style.css", include_in_schema=False)
async def read_style() -> Response:
    """Answer with the style sheet, a file of its own because the policy of the server's pages allows no other."""
    return Response(STYLE, media_type="text/css")


def docs_page(document: Mapping[str, Any]) -> str:
    """Write the page for an OpenAPI document."""
    info, schemas = document["info"], document["components"]["schemas"]
    operations = [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    contents = "".join(
        f'<li><a href="#{operation["operationId"]}"><code>{method} {_text(path)}</code></a> '
        f"{_text(operation['summary'])}</li>"
        for method, path, operation in operations
    )
    sections = "".join(_section(method, path, operation, schemas) for method, path, operation in operations)
    shapes = "".join(_shape(name, schema) for name, schema in sorted(schemas.items()))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_text(info["title"])}: the manual</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="/docs/style.css"></head><body><main>'
        f"<h1>{_text(info['title'])} {_text(info['version'])}</h1><p>{_text(info['summary'])} "
        '<a href="/openapi.json">The same for machines</a>, <a href="/">the studio</a>.</p>'
        f'<nav aria-label="Endpoints"><ul>{contents}</ul></nav>{sections}'
        f'<section id="shapes"><h2>What is sent and answered</h2>{shapes}</section></main></body></html>'
    )


def _section(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Schema]) -> str:
    parameters = [
        (parameter["name"], parameter["in"], parameter["schema"], parameter.get("description", ""))
        for parameter in operation.get("parameters", ())
    ]
    rows = "".join(
        f"<tr><th scope=row><code>{_text(name)}</code></th><td>{_text(location)}, {_kind(schema)}</td>"
        f"<td>{_marked(text)}</td></tr>"
        for name, location, schema, text in parameters
    )
    body = operation.get("requestBody", {}).get("content", {})
    answers = "".join(
        f"<tr><th scope=row>{_text(status)}</th><td>{_marked(answer.get('description', ''))}"
        + "".join(f"<br>{_text(kind)}: {_content(sent)}" for kind, sent in answer.get("content", {}).items())
        + "</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f'<section id="{operation["operationId"]}"><h2><code>{method} {_text(path)}</code></h2>'
        f"<p>{_text(operation['summary'])}.</p>{_paragraphs(operation.get('description', ''))}"
        + (f"<h3>Parameters</h3><table>{rows}</table>" if rows else "")
        + "".join(f"<h3>Send, as {_text(kind)}</h3>{_content(sent)}" for kind, sent in body.items())
        + f"<h3>Answers</h3><table>{answers}</table></section>"
    )


def _content(content: Mapping[str, Any]) -> str:
    example = content.get("example")
    text = example if isinstance(example, str) else json.dumps(example)
    return _kind(content.get("schema", {})) + ("" if example is None else f"<pre>{_text(text)}</pre>")


def _shape(name: str, schema: Schema) -> str:
    rows = "".join(
        f"<tr><th scope=row><code>{_text(field)}</code></th><td>{_kind(about)}</td>"
        f"<td>{_marked(about.get('description', ''))}</td></tr>"
        for field, about in schema.get("properties", {}).items()
    )
    return (
        f'<h3 id="{_text(name)}">{_text(name)}</h3><p>{_marked(schema.get("description", ""))}</p><table>{rows}</table>'
    )


def _kind(schema: Schema) -> str:
    """Say in words what values a schema takes."""
    if "$ref" in schema:
        name = _text(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if schema.get("type") == "array":
        inner = schema.get("items") or {}
        return f"list of {_kind(inner)}" if inner else "list of " + ", ".join(map(_kind, schema.get("prefixItems", ())))
    words = [str(schema.get("type", "value"))]
    words += [f"{sign} {schema[name]}" for name, sign in SIGNS.items() if name in schema]
    words += [" | ".join(map(str, schema["enum"]))] if "enum" in schema else []
    words += [f"(default {schema['default']})"] if schema.get("default") is not None else []
    return _text(" ".join(words))


def _paragraphs(text: str) -> str:
    """Write a description as paragraphs, and as lists where lines begin with a dash."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return "".join(
        "<ul>" + "".join(f"<li>{_marked(line[2:])}</li>" for line in block.splitlines()) + "</ul>"
        if block.startswith("- ")
        else f"<p>{_marked(block)}</p>"
        for block in blocks
    )


def _marked(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))


def _text(value: object) -> str:
    return html.escape(str(value))

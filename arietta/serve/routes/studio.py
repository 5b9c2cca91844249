"""The studio's page and what it is made of: files of the package, served as they are."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parents[1] / "studio"
SOUNDS = Path(__file__).parents[2] / "render" / "sounds"
NO_STUDIO = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Arietta</title></head>
<body><main><h1>Arietta</h1><p>This server composes piano music. It has no studio; <a href="/docs">the manual</a> tells
how to ask it, and <a href="/midi/300">here is a piece of 300 notes</a>.</p></main></body></html>
"""


def add_pages(app: FastAPI) -> None:
    """Add the page of a kept piece, and the files that the studio loads."""

    @app.get("/p/{id}", include_in_schema=False)
    async def open_studio(id: str) -> Response:  # noqa: A002 - the page itself reads it from the address
        return studio_page()

    app.mount("/static/sounds", StaticFiles(directory=SOUNDS, check_dir=False), name="sounds")
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")


def studio_page() -> Response:
    """Answer with the studio, or with a plain page where it is not there."""
    page = STATIC / "index.html"
    headers = {"Vary": "Accept", "Cache-Control": "no-cache"}
    return FileResponse(page, headers=headers) if page.is_file() else HTMLResponse(NO_STUDIO, headers=headers)

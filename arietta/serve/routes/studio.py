"""The studio: its page, and the files of the package that it loads, served as they are."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parents[1] / "studio"
SOUNDS = Path(__file__).parents[2] / "render" / "sounds"
router = APIRouter()


@router.get("/p/{id}", include_in_schema=False)
async def open_studio(id: str) -> FileResponse:  # noqa: A002 - the page itself reads it from the address
    """Answer with the studio at a stored piece."""
    return studio_page()


def studio_page() -> FileResponse:
    """Answer with the studio's page."""
    # "/" answers programs with JSON, so caches must not give one to those who want the other.
    return FileResponse(STATIC / "index.html", headers={"Vary": "Accept", "Cache-Control": "no-cache"})


def mount_studio(app: FastAPI) -> None:
    """Serve the studio's scripts, styles and sounds."""
    app.mount("/static/sounds", StaticFiles(directory=SOUNDS, check_dir=False), name="sounds")
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")

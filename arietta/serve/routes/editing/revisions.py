"""The endpoints of a piece's revisions: list them, read one, store one, undo and redo, name them.

Each change brings the tree's version, its ETag, as `If-Match`, so that two windows never overwrite each other's work.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi import Request as HttpRequest
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ....errors import RequestError
from ...jobs.composing.order import UPLOAD
from ...jobs.editing.revisions import Draft, Tree
from ...jobs.history.records import Record
from ...jobs.service import Service
from ..files import MusicView
from ..problems import problem_responses
from ..requests import AppService, body_of, read_json
from ..schemas import LONGEST_NAME, PieceId, RevisionView, iso_time
from ..views.music import Music, Sent, notes_of

IF_MATCH = Header(alias="If-Match", description="The ETag of the revisions that the change was made from.")
ETAG = {"ETag": {"description": "The version of the tree of revisions.", "schema": {"type": "string"}}}
REFUSALS = problem_responses(
    _404="There is no such piece, or no such revision of it.",
    _409="The piece is not done, or was changed elsewhere.",
    _422="A value is impossible, or a revision that the body names does not exist.",
    _507="The server has no room for more.",
)
ROOT = 0  # the number of the piece as it was
router = APIRouter(tags=["revisions"])


class RevisionRequest(Music):
    """A version of a piece, with what made it."""

    parent: int = Field(description="The revision that it was made from, 0 for the piece as it was.", examples=[0])
    cause: str = Field(description="What made it, in a word or two.", max_length=LONGEST_NAME, examples=["transpose"])
    name: str = Field("", max_length=LONGEST_NAME, examples=["brighter ending"])
    source: str | None = Field(None, max_length=LONGEST_NAME, description="The piece that its new notes come from.")
    locks: list[int] = Field(default=[], description="Indices of the notes that no verb may change.", examples=[[0]])
    composed: list[int] = Field(default=[], description="Indices of the notes that a model wrote.", examples=[[1]])


class HeadRequest(Sent):
    """Which revision the piece shall be: its parent to undo, a child to redo, or any other."""

    head: int = Field(examples=[0])


class NameRequest(Sent):
    """A name for a revision; an empty one takes it away."""

    name: str = Field(max_length=LONGEST_NAME, examples=["brighter ending"])


class TreeView(BaseModel):
    """The revisions of a piece, in the order in which they were made, and the number of the one at the head.

    `version`, also the ETag, counts the changes of the tree.
    """

    version: int = Field(examples=[7])
    head: int = Field(examples=[3])
    revisions: list[RevisionView]

    @classmethod
    def of(cls, record: Record, tree: Tree) -> TreeView:
        """Show a tree, which begins with the piece as it was."""
        figures = record.outcome.figures or {}
        root = RevisionView(
            number=ROOT,
            parent=None,
            name=record.name,
            cause=record.asked.get("verb", "compose"),
            source=None,
            created=iso_time(record.created),
            visited=0,
            note_count=figures["notes"] + _given_count(record.asked),
            seconds=figures["seconds"],
        )
        return cls(
            version=tree.version,
            head=tree.head,
            revisions=[root, *(RevisionView.of(revision) for revision in tree.revisions)],
        )


def _given_count(asked: Mapping[str, Any]) -> int:
    """How many notes a piece has that were given, beside those that its figures count."""
    if "passage" in asked:
        return int(asked["passage"]["given_notes"])
    return 0 if asked.get("verb") == UPLOAD else int(asked.get("prompt_notes", 0))


@router.get(
    "/v1/pieces/{id}/revisions",
    summary="List the revisions of a finished piece",
    responses={200: {"description": "The revisions.", "headers": ETAG}, **REFUSALS},
    name="revisions",
)
async def list_revisions(key: PieceId, service: AppService, answer: Response) -> TreeView:
    """Return the tree of revisions."""
    return await run_in_threadpool(_show, service, key, answer, service.revisions.tree)


@router.get(
    "/v1/pieces/{id}/revisions/{number}",
    summary="Read the notes of a revision",
    responses=REFUSALS,
    name="revision",
)
async def read_revision(key: PieceId, number: int, service: AppService) -> MusicView:
    """Return the music of a revision."""
    return MusicView.of(await run_in_threadpool(service.music, key, number))


@router.post(
    "/v1/pieces/{id}/revisions",
    status_code=201,
    summary="Store a changed version of a finished piece, which its files are of from then on",
    openapi_extra=body_of(RevisionRequest),
    responses={201: {"description": "The revisions.", "headers": ETAG}, **REFUSALS},
    name="revise",
)
async def add_revision(
    http: HttpRequest, key: PieceId, service: AppService, answer: Response, tag: Annotated[str | None, IF_MATCH] = None
) -> TreeView:
    """Store a revision and bring it to the head."""
    asked, version = await read_json(http, RevisionRequest), _version(tag)

    def add(piece: str) -> Tree:
        return service.revisions.add(piece, _draft(asked, service), version)

    return await run_in_threadpool(_show, service, key, answer, add)


@router.patch(
    "/v1/pieces/{id}/revisions",
    summary="Undo, redo, or return to another revision",
    openapi_extra=body_of(HeadRequest),
    responses={200: {"description": "The revisions.", "headers": ETAG}, **REFUSALS},
    name="choose_revision",
)
async def move_head(
    http: HttpRequest, key: PieceId, service: AppService, answer: Response, tag: Annotated[str | None, IF_MATCH] = None
) -> TreeView:
    """Bring a revision to the head."""
    asked = await read_json(http, HeadRequest)
    move = partial(service.revisions.move_head, number=asked.head, version=_version(tag))
    return await run_in_threadpool(_show, service, key, answer, move)


@router.patch(
    "/v1/pieces/{id}/revisions/{number}",
    summary="Name a revision",
    openapi_extra=body_of(NameRequest),
    responses={200: {"description": "The revisions.", "headers": ETAG}, **REFUSALS},
    name="name_revision",
)
async def name_revision(
    http: HttpRequest, key: PieceId, number: int, service: AppService, answer: Response
) -> TreeView:
    """Name a revision."""
    rename = partial(service.revisions.rename, number=number, name=(await read_json(http, NameRequest)).name)
    return await run_in_threadpool(_show, service, key, answer, rename)


def _show(service: Service, key: str, answer: Response, change: Any) -> TreeView:
    """Change the revisions of a finished piece, and show them with their version."""
    record = service.finished(key)
    tree: Tree = change(key)
    answer.headers["ETag"] = f'"{tree.version}"'
    return TreeView.of(record, tree)


def _version(tag: str | None) -> int:
    """Read If-Match: the version that a change was made from."""
    number = (tag or "").strip().removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise RequestError('say with If-Match which version was changed: the ETag of the revisions, as "3"')
    return int(number)


def _draft(asked: RevisionRequest, service: Service) -> Draft:
    """Check the notes of a revision; raises RequestError where they are impossible or too many."""
    limits = service.limits
    most = limits.most_notes + limits.most_prompt_notes
    if len(asked.notes) > most:
        raise RequestError(f"a revision has at most {most} notes, not {len(asked.notes)}")
    notes = notes_of(asked.notes, asked.pedal, "notes")
    most_seconds = limits.most_seconds + limits.most_prompt_seconds
    if notes.seconds > most_seconds:
        raise RequestError(f"a revision lasts at most {most_seconds:g} s, not {notes.seconds:.7g}")
    return Draft(notes, asked.parent, asked.cause, asked.name, asked.source, tuple(asked.locks), tuple(asked.composed))

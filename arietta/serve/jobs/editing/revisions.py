"""Revisions of stored pieces: what a musician made of a piece, a tree of versions with one of them at its head.

    revisions = Revisions(history, limits)
    tree = revisions.tree(key)
    tree = revisions.add(key, Draft(notes, parent=tree.head, cause="transpose"), tree.version)
    tree = revisions.move_head(key, 0, tree.version)        # undo: back to the piece as it was composed

Revision 0 is the piece as it was composed or uploaded; it is not stored again. Undo moves the head to a parent, redo to
the child that was at the head last. Each change names the version of the tree that it was made from, and is refused
where somebody else has changed the tree since. Pieces with revisions are never trimmed away.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ....errors import AriettaError, RequestError
from ....music.meter import Meter
from ....music.notes import Notes
from ..event_log import events_of, pack, to_notes, unpack
from ..history.database import Changes
from ..history.pieces import History
from ..job import UnknownPieceError
from ..limits import Limits

LONGEST_TEXT = 200
_COLUMNS = "number, parent, name, cause, source, created, visited, note_count, seconds"
_ADD = f"INSERT INTO revisions ({_COLUMNS}, piece, marks, music, size) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
_SET_HEAD = """
INSERT INTO heads (piece, head, version) VALUES (?, ?, 1)
ON CONFLICT (piece) DO UPDATE SET head = excluded.head, version = heads.version + 1
"""


class ConflictError(AriettaError):
    """Somebody else has changed the piece since it was looked at."""


class StorageFullError(AriettaError):
    """What musicians have made of pieces fills the room that there is."""


@dataclass(frozen=True)
class Draft:
    """Notes to be stored as a revision of `parent`.

    `cause` says what made it in a word or two, `source` the piece that it was taken from. `locks` and `composed` are
    indices of notes: those that a model may not change, and those that one wrote.
    """

    notes: Notes
    parent: int
    cause: str
    name: str = ""
    source: str | None = None
    locks: tuple[int, ...] = ()
    composed: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for field in ("cause", "name"):
            if len(getattr(self, field)) > LONGEST_TEXT:
                raise RequestError(f"{field} must be a text of at most {LONGEST_TEXT} characters")
        for field in ("locks", "composed"):
            indices: tuple[int, ...] = getattr(self, field)
            if indices and not 0 <= min(indices) <= max(indices) < len(self.notes):
                raise RequestError(f"{field} must be indices of the {len(self.notes)} notes")


@dataclass(frozen=True)
class Version:
    """The music of a piece at a revision; its first `prompt_notes` notes were given.

    `locks` and `composed` are as in `Draft`; None where nobody has locked a note, and where all others were composed. A
    revision `is_changed`: no request gives it again. `meter` is that of the piece, in all of its versions.
    """

    notes: Notes
    prompt_notes: int = 0
    locks: Sequence[int] | None = None
    composed: Sequence[int] | None = None
    is_changed: bool = False
    meter: Meter | None = None


@dataclass(frozen=True)
class Revision:
    """What is known of a revision without its notes; `visited` grows with each time that one comes to the head."""

    number: int
    parent: int
    name: str
    cause: str
    source: str | None
    created: float
    visited: int
    note_count: int
    seconds: float


@dataclass(frozen=True)
class Tree:
    """The revisions of a piece in the order in which they were made, the number at the head, and the tree's version."""

    head: int = 0
    version: int = 0
    revisions: tuple[Revision, ...] = ()

    @property
    def current(self) -> Revision | None:
        """The revision at the head, None where that is the piece as it was."""
        return next((revision for revision in self.revisions if revision.number == self.head), None)


class Revisions:
    """The revisions in a server's history; threads may share it."""

    def __init__(self, history: History, limits: Limits) -> None:
        self._history, self._limits = history, limits

    def tree(self, key: str) -> Tree:
        """Return the tree of a piece, which is empty where nobody has changed it."""
        heads = self._history.read("SELECT head, version FROM heads WHERE piece = ?", (key,))
        if not heads:
            return Tree()
        ((head, version),) = heads
        rows = self._history.read(f"SELECT {_COLUMNS} FROM revisions WHERE piece = ? ORDER BY number", (key,))
        return Tree(head, version, tuple(Revision(*row) for row in rows))

    def current(self, key: str) -> Revision | None:
        """Return the revision at a piece's head, None where that is the piece as it was."""
        query = f"SELECT {_COLUMNS} FROM revisions NATURAL JOIN heads WHERE piece = ? AND number = head"
        return next((Revision(*row) for row in self._history.read(query, (key,))), None)

    def music(self, key: str, number: int) -> Version:
        """Return a stored revision's music; raises UnknownPieceError where there is none of that number."""
        query = "SELECT music, marks FROM revisions WHERE piece = ? AND number = ?"
        rows = self._history.read(query, (key, _storable(number)))
        if not rows:
            raise UnknownPieceError(_has_none(key, number))
        marks = json.loads(rows[0][1])
        return Version(to_notes(unpack(rows[0][0])), locks=marks["locks"], composed=marks["composed"], is_changed=True)

    def add(self, key: str, draft: Draft, version: int) -> Tree:
        """Store a revision and bring it to the head.

        Raises ConflictError where the tree has another version by now, RequestError where there is no such parent,
        StorageFullError where there is no room.
        """
        self.check_room()
        data = pack(events_of(draft.notes))
        marks = json.dumps({"locks": draft.locks, "composed": draft.composed})
        with self._history.changing() as changes:
            self._check_version(changes, key, version)
            self._check_number(changes, key, draft.parent)
            (last,) = changes.execute("SELECT max(number) FROM revisions WHERE piece = ?", (key,)).fetchone()
            number = (last or 0) + 1
            row = (number, draft.parent, draft.name, draft.cause, draft.source, time.time(), version + 1)
            measures = (len(draft.notes), round(draft.notes.seconds, 3), key, marks, data, len(data))
            changes.execute(_ADD, (*row, *measures))
            changes.execute(_SET_HEAD, (key, number))
        return self.tree(key)

    def move_head(self, key: str, number: int, version: int) -> Tree:
        """Bring a revision to the head; raises as `add` does."""
        with self._history.changing() as changes:
            self._check_version(changes, key, version)
            self._check_number(changes, key, number)
            changes.execute(_SET_HEAD, (key, number))
            changes.execute(
                "UPDATE revisions SET visited = ? WHERE piece = ? AND number = ?", (version + 1, key, number)
            )
        return self.tree(key)

    def rename(self, key: str, number: int, name: str) -> Tree:
        """Name a revision, or with an empty text take its name away.

        Raises UnknownPieceError where there is none of that number, RequestError for 0.
        """
        with self._history.changing() as changes:
            if number == 0:
                raise RequestError("revision 0 is the piece as it was, which has the piece's own name")
            self._check_number(changes, key, number, UnknownPieceError)
            changes.execute("UPDATE revisions SET name = ? WHERE piece = ? AND number = ?", (name, key, number))
        return self.tree(key)

    def check_room(self) -> None:
        """Raise StorageFullError where revised pieces, which are never trimmed away, fill what may be stored."""
        ((pieces,),) = self._history.read("SELECT count(*) FROM heads", ())
        (sizes,) = self._history.read(
            "SELECT (SELECT sum(size) FROM revisions), (SELECT sum(size) FROM pieces JOIN heads ON piece = id)", ()
        )
        size = sum(int(size or 0) for size in sizes)
        if pieces >= self._limits.keep_pieces or size >= self._limits.keep_bytes:
            raise StorageFullError(
                f"{pieces} pieces with revisions ({size / 2**20:.0f} MB) fill what this server may keep: delete some, "
                "or start it with a larger --keep-pieces or --keep-megabytes"
            )

    @staticmethod
    def _check_version(changes: Changes, key: str, version: int) -> None:
        row = changes.execute("SELECT version FROM heads WHERE piece = ?", (key,)).fetchone()
        current = row[0] if row else 0
        if version != current:
            raise ConflictError(
                f"the piece was changed elsewhere: its revisions are at version {current}, not {version}; look again"
            )

    @staticmethod
    def _check_number(changes: Changes, key: str, number: int, error: type[AriettaError] = RequestError) -> None:
        query = "SELECT 1 FROM revisions WHERE piece = ? AND number = ?"
        if number and changes.execute(query, (key, _storable(number))).fetchone() is None:
            raise error(_has_none(key, number))


def _has_none(key: str, number: int) -> str:
    return f"the piece {key} has no revision {str(number)[:20]}; its revisions are listed with it"


def _storable(number: int) -> int:
    """Return a number as databases can look it up: -1, which no revision has, for one beyond their integers."""
    return number if 0 <= number < 2**63 else -1

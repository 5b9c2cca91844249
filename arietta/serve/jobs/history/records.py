"""The rows of stored pieces as values, without their notes."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ..job import State

COLUMNS = "number, id, name, state, created, is_favourite, asked, title, texts, outcome"  # as `read_records` takes them
ORDER = "order"  # key in `Record.asked`: the id of the first of the pieces that were ordered together
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobOutcome:
    """How a piece ended: seconds of its stages, and figures of its notes or the problem that prevented them.

    `done` says how much had been composed, in notes or seconds as was asked.
    """

    timing: Mapping[str, float | None] | None = None
    figures: Mapping[str, Any] | None = None
    problem: Mapping[str, Any] | None = None
    done: float = 0.0


@dataclass(frozen=True)
class Record:
    """A stored piece without its notes.

    `asked` is its request as JSON values, `title` and `texts` are what its MIDI file carries; `number` counts up and is
    0 until the piece is stored.
    """

    id: str
    name: str
    state: State
    created: float
    asked: Mapping[str, Any]
    title: str
    texts: Sequence[str]
    number: int = 0
    is_favourite: bool = False
    outcome: JobOutcome = JobOutcome()


def read_records(rows: Sequence[Sequence[Any]]) -> list[Record]:
    """Return what can be read of rows; one that was damaged, or that a later version wrote, is left out."""
    records = []
    for row in rows:
        try:
            records.append(_record(row))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            log.warning("a row of the history cannot be read and is left out: number %s (%s)", row[0], error)
    return records


def _record(row: Sequence[Any]) -> Record:
    number, key, name, state, created, is_favourite, asked, title, texts, outcome = row
    known = {field.name for field in fields(JobOutcome)}
    return Record(
        id=str(key),
        name=str(name),
        state=State(state),
        created=float(created),
        asked=dict(json.loads(asked)),
        title=str(title),
        texts=[str(text) for text in json.loads(texts)],
        number=number,
        is_favourite=bool(is_favourite),
        # A later version may have more to tell; what this one does not know is passed over.
        outcome=JobOutcome(**{name: value for name, value in json.loads(outcome).items() if name in known}),
    )

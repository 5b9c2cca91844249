"""The metres of stored pieces: those that given music came with, and those that a musician corrected.

    meters = Meters(history)
    meters.store({piece.id: meter})
    meters.find(piece.id)

A metre counts in seconds, so it is that of all revisions of a piece. It goes when the piece goes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

from ....music.meter import Meter
from ..history.database import StorageError
from ..history.pieces import History

log = logging.getLogger(__name__)


class Meters:
    """The metres in a server's history; threads may share it."""

    def __init__(self, history: History) -> None:
        self._history = history

    def store(self, meters: Mapping[str, Meter | None]) -> None:
        """Give pieces, by their ids, the metres that they have from now on, None for none; unknown pieces have none."""
        if not meters:
            return
        with self._history.changing() as changes:
            for key, meter in meters.items():
                changes.execute("DELETE FROM meters WHERE piece = ?", (key,))
                if meter is not None:
                    described = json.dumps(meter.describe())  # of a piece that is gone meanwhile nobody would delete it
                    changes.execute("INSERT INTO meters SELECT id, ? FROM pieces WHERE id = ?", (described, key))

    def find(self, key: str) -> Meter | None:
        """Return the metre of a piece; None where it has none, or a damaged one, which costs nothing but itself."""
        try:
            rows = self._history.read("SELECT meter FROM meters WHERE piece = ?", (key,))
        except StorageError:
            if self._history.is_read_only:  # of a version without metres
                return None
            raise
        try:
            return Meter.from_description(json.loads(rows[0][0])) if rows else None
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            log.warning("the metre of the piece %s is damaged (%s)", key, error)
            return None

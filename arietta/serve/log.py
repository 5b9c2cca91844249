"""The server's log: one JSON object per line, for people with grep and for machines."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TextIO


class JsonLines(logging.Formatter):
    """Formats time, level and message, and the traceback where something failed.

    A message that is a JSON object itself, as that of a request is, becomes part of the line.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {"time": moment, "level": record.levelname.lower(), "logger": record.name}
        message = record.getMessage()
        line |= json.loads(message) if message.startswith('{"') else {"message": message}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def write_log(stream: TextIO) -> None:
    """Write all that is logged from now on to a stream; of the HTTP server's own messages only warnings and errors."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)

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


class Sparing(logging.Filter):
    """Lets of messages that begin alike only a few pass in a while, and counts those left out in the next that passes.

    So that nothing a client does again and again fills the disk. Requests have a line each, which this does not touch.
    """

    MOST, SECONDS, BEGINNING = 5, 10.0, 40

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}  # when each began, and its messages so far

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a message passes."""
        if record.levelno < logging.WARNING:
            return True
        key = record.name, str(record.msg)[: self.BEGINNING]
        begun, count = self._windows.get(key, (0.0, 0))
        left_out = max(count - self.MOST, 0)
        if record.created - begun > self.SECONDS:
            begun, count = record.created, 0
            if left_out:
                record.msg, record.args = f"{record.getMessage()} ({left_out} more like it before)", ()
        self._windows[key] = begun, count + 1
        return count < self.MOST


def write_log(stream: TextIO) -> None:
    """Write all that is logged from now on to a stream; of the HTTP server's own messages only warnings and errors."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    handler.addFilter(Sparing())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)

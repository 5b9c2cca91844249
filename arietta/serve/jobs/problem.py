"""Problem documents (RFC 9457) as JSON values: the history stores them and HTTP answers with them.

problem_json(404, "there is no piece 'x' here, or no longer")
{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no piece 'x' here, or no longer"}
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

SERVER_FAILURE = "something failed in the server, not in your request; its log says what"


def problem_json(status: int, detail: str) -> dict[str, Any]:
    """Return the problem document of an HTTP status, with one sentence that says what is wrong."""
    # "about:blank" is the type of problems that the status alone describes (RFC 9457, section 4.2.1).
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}

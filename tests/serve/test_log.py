"""The log: one JSON object per line, whatever is in a message."""

from __future__ import annotations

import io
import json
import logging

from arietta.serve.log import JsonLines, Sparing, write_log


def line(message: str, failure: Exception | None = None) -> dict[str, object]:
    info = (type(failure), failure, None) if failure is not None else None
    record = logging.LogRecord("arietta.serve", logging.WARNING, "", 0, message, None, info)
    parsed: dict[str, object] = json.loads(JsonLines().format(record))
    return parsed


def test_a_line_of_the_log_is_a_json_object_with_what_failed() -> None:
    parsed = line('odd\n"text"', ValueError("deep"))
    assert (parsed["level"], parsed["logger"], parsed["message"]) == ("warning", "arietta.serve", 'odd\n"text"')
    assert "ValueError: deep" in str(parsed["exception"])
    assert line('{"path": "/", "status": 200}').items() >= {"path": "/", "status": 200}.items()


def test_all_loggers_write_to_the_stream_but_of_the_http_server_only_warnings() -> None:
    root, uvicorn = logging.getLogger(), logging.getLogger("uvicorn")
    before = root.handlers[:], root.level, uvicorn.level
    stream = io.StringIO()
    try:
        write_log(stream)
        logging.getLogger("arietta.serve").info("one")
        logging.getLogger("uvicorn.error").info("started")
        logging.getLogger("uvicorn.error").warning("two")
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        uvicorn.setLevel(before[2])
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["one", "two"]


def test_of_messages_that_are_alike_a_few_pass_and_the_rest_are_counted() -> None:
    sparing = Sparing()

    def passed(second: float, message: str, level: int = logging.WARNING) -> str:
        record = logging.LogRecord("asyncio", level, "", 0, message, None, None)
        record.created = second
        return record.getMessage() if sparing.filter(record) else ""

    assert [passed(100 + n / 1000, "out of descriptors") for n in range(1000)].count("out of descriptors") == 5
    assert passed(101.5, "another") == "another"
    assert passed(120.0, "out of descriptors") == "out of descriptors (995 more like it before)"
    assert [passed(121.0, "a request", logging.INFO) for _ in range(20)] == ["a request"] * 20

"""Files of strangers: what is read of them, and what is refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from arietta.untrusted import MOST_DEPTH, digest_within, parse_json, parse_object, read_within


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert read_within(path, 3) == b"abc"
    assert digest_within(path, 3) == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(OSError, match="larger than 0 MB"):
        read_within(path, 2)
    with path.open("wb") as file:
        file.truncate(20 << 30)  # of nothing: a file of 20 GB that takes no room
    with pytest.raises(OSError, match="larger than 1 MB"):
        read_within(path, 1 << 20)


@pytest.mark.posix
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "link", tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match="not a file but a folder, a pipe or a device"):
            read_within(path, 10)
        with pytest.raises(OSError, match="not a file but a folder, a pipe or a device"):
            digest_within(path, 10)


DEEP = ("[" * 1_000_000, "[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200)


@pytest.mark.parametrize("text", ["", "{", *DEEP, "NaN", '{"a": -Infinity}', b"\xff", "9" * 9_999], ids=range(9))
def test_what_is_no_json_or_too_deep_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting|lists and objects|decode|digits"):
        parse_json(text)


def test_json_is_parsed() -> None:
    assert parse_json('{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    assert parse_json("[" * MOST_DEPTH + "]" * MOST_DEPTH)
    assert parse_object(b"{}") == {}
    with pytest.raises(ValueError, match="a list, where an object is needed"):
        parse_object("[]")

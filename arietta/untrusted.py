"""Files that strangers may have made: only regular ones are read, so much of them and no more, and JSON within limits.

    description = parse_json(read_within(path, MOST_JSON))

A pipe would be waited for, a device read without end, a link to either as well; deeply nested brackets would exhaust
the stack of Python's parser. Each of these is a ValueError or an OSError here, which callers tell as their own.
"""

from __future__ import annotations

import errno
import hashlib
import json
import stat
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

MOST_JSON = 16 * 2**20  # bytes: the description of a model has some thousand, that of an index a hundred thousand
# What numpy raises for an array file that is none, or was altered: its header is a Python literal, its archive a zip.
BROKEN_ARRAY = (
    *(OSError, ValueError, TypeError, EOFError, LookupError, OverflowError, MemoryError, SyntaxError),
    *(tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
MOST_DEPTH = 100  # of lists and objects within one another; ours have four


def read_within(path: Path, most_bytes: int) -> bytes:
    """Return the content of a regular file; raises OSError where it is none, or has more bytes than that."""
    size = _size_within(path, most_bytes)
    with path.open("rb") as file:
        content = file.read(size + 1)  # memory for as many bytes as are asked for is taken at once
    if len(content) > size:
        raise OSError(errno.EIO, "was written to while it was read", str(path))
    return content


def digest_within(path: Path, most_bytes: int) -> str:
    """Return the SHA-256 of a regular file, read a part at a time; raises OSError as `read_within` does."""
    _size_within(path, most_bytes)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parse_json(text: str | bytes) -> Any:
    """Return the value that a JSON text is; raises ValueError where it is none, or nested too deeply.

    What Python alone takes for JSON, NaN and Infinity, is none.
    """
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError(f"more than {MOST_DEPTH} lists and objects within one another") from error
    level, depth = [content], 0
    while level:
        depth += 1
        if depth > MOST_DEPTH + 1:
            raise ValueError(f"more than {MOST_DEPTH} lists and objects within one another")
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return content


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Return the object that a JSON text is; raises ValueError as `parse_json` does, and where it is another value."""
    content = parse_json(text)
    if not isinstance(content, dict):
        raise ValueError(f"a {type(content).__name__}, where an object is needed")
    return content


def _size_within(path: Path, most_bytes: int) -> int:
    """Look at a file before it is opened, which would wait for a pipe already; return its size in bytes."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a file but a folder, a pipe or a device", str(path))
    if status.st_size > most_bytes:
        raise OSError(errno.EFBIG, f"larger than {most_bytes >> 20} MB", str(path))
    return status.st_size


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")

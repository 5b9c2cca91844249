"""Writing files whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it, so that a kill or a full disk leaves the old one whole."""
    unfinished = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)

"""Writing files whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it, so that a kill or a full disk leaves the old one whole."""
    with atomic_file(path) as file:
        file.write(content)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside `path` to be written bit by bit; it takes its place when the block ends without an error."""
    unfinished = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with unfinished.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to build in; it takes the place of `folder` when the block ends without an error.

    Until then an older one stays whole, and one whose replacement was killed between two renamings is put back.
    """
    unfinished = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    replaced = folder.with_name(f".{folder.name}.replaced")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        shutil.rmtree(replaced, ignore_errors=True)
        unfinished.mkdir()
        yield unfinished
        _swap(folder, unfinished, replaced)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _swap(folder: Path, unfinished: Path, replaced: Path) -> None:
    try:
        if folder.exists():
            folder.rename(replaced)
        unfinished.rename(folder)
    except BaseException:
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        raise
    shutil.rmtree(replaced, ignore_errors=True)

"""A disk that is full from the n-th write on: every block written, file made, renaming and flush to disk counts as one.

    for disk in every_failure(monkeypatch):
        with disk:
            write_something()

It ends with the first run in which nothing failed. Renamings and flushes fail once, at their number; all else goes on
failing, as on a real disk. Readers of other processes are not touched.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

BLOCK = 8_192  # bytes that go to the disk at once


class _Raw(io.FileIO):
    """A file whose writes are counted."""

    disk: FailingDisk

    def write(self, data: Any) -> int:
        self.disk.count_block()
        return super().write(memoryview(data).cast("B")[:BLOCK])


class FailingDisk(AbstractContextManager["FailingDisk"]):
    """Full from the n-th write on, within its block."""

    def __init__(self, number: int) -> None:
        self.number, self.count = number, 0
        self._patches = pytest.MonkeyPatch()

    @property
    def has_failed(self) -> bool:
        return self.count >= self.number

    def count_block(self) -> None:
        self.count += 1
        if self.has_failed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __enter__(self) -> FailingDisk:
        self._patches.setattr(builtins, "open", self._open(io.open))
        self._patches.setattr(io, "open", self._open(io.open))
        self._patches.setattr(os, "mkdir", self._always(os.mkdir))
        for name in ("fsync", "rename", "replace"):
            self._patches.setattr(os, name, self._once(getattr(os, name)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._patches.undo()

    def _always(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.count_block()
            return call(*arguments, **options)

        return counted

    def _once(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.number:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return call(*arguments, **options)

        return counted

    def _open(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def opened(file: Any, mode: str = "r", buffering: int = -1, *arguments: Any, **options: Any) -> Any:
            if not set(mode) & set("wax+") or not isinstance(file, str | bytes | os.PathLike):
                return call(file, mode, buffering, *arguments, **options)
            self.count_block()
            # Both to read and to write: numpy writes past Python into files that are for writing only. A temporary
            # file without a name is opened by its folder's, and an opener of its own.
            mode_of_both = mode.replace("b", "").replace("t", "").replace("+", "") + "+"
            raw = _Raw(file, mode_of_both, opener=options.pop("opener", None))
            raw.disk = self
            buffered = io.BufferedRandom(raw, BLOCK)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, *arguments, **options)

        return opened


def every_failure(most: int = 10_000) -> Iterator[FailingDisk]:
    """Give a disk that fails at the first write, then one that does at the second, until one has not failed."""
    for number in range(1, most):
        disk = FailingDisk(number)
        yield disk
        if not disk.has_failed:
            return
    raise AssertionError(f"still writing after {most} writes")


def files_of(folder: Path) -> dict[str, bytes]:
    """All that lies in a folder and below, hidden files too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

"""Columns on disk: .npy files that are written row by row and read in ranges.

`numpy.save` needs the whole array at once; a corpus is larger than memory and its length is known only at the end.
What a column means is decided in `store` and `reader`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray


class ColumnWriter:
    """Write a .npy column of unknown length: rows are appended, and `close` writes their count into the header."""

    def __init__(self, path: Path, dtype: str, row_shape: tuple[int, ...] = ()) -> None:
        self.count = 0
        self._dtype, self._row_shape = np.dtype(dtype), row_shape
        self._file: BinaryIO = path.open("wb")
        self._write_header()
        self._header_size = self._file.tell()

    def __enter__(self) -> ColumnWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def append(self, rows: NDArray[Any]) -> tuple[int, int]:
        """Append rows [count, *row_shape] and return their range (start, stop)."""
        block = np.ascontiguousarray(rows, dtype=self._dtype).reshape(-1, *self._row_shape)
        self._file.write(block.data if block.size else b"")  # a buffer without elements cannot be written
        start, self.count = self.count, self.count + len(block)
        return start, self.count

    def close(self) -> None:
        """Write the row count into the header and close the file; a second call does nothing."""
        if self._file.closed:
            return
        with self._file:  # also where the disk is full
            # Version 1.0 pads its header, so that a larger count still fits into the same bytes.
            self._file.seek(0)
            self._write_header()
            assert self._file.tell() == self._header_size, "numpy pads headers for growth of the first axis"

    def _write_header(self) -> None:
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.count, *self._row_shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


class ColumnReader:
    """Read rows of a .npy column with plain reads: unlike pages of a mapping, they leave memory when they are dropped.

    Raises ValueError when a ColumnWriter did not write the file, or when it is shorter than its header says.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError(f"{path}: not written by a ColumnWriter")
            shape, _, self._dtype = np.lib.format.read_array_header_1_0(file)
            self._start = file.tell()
        self._row_shape = tuple(shape[1:])
        self._row_size = self._dtype.itemsize * int(np.prod(self._row_shape))
        if path.stat().st_size < self._start + shape[0] * self._row_size:
            raise ValueError(f"{path}: shorter than the {shape[0]} rows it should have")
        self._descriptor = os.open(path, os.O_RDONLY)

    def __enter__(self) -> ColumnReader:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._descriptor)

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Read rows [start, stop)."""
        block = os.pread(self._descriptor, (stop - start) * self._row_size, self._start + start * self._row_size)
        return np.frombuffer(block, dtype=self._dtype).reshape(-1, *self._row_shape)

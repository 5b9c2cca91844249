"""Columns: what is appended is read back in ranges, numpy reads the file, and what was cut short is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta.corpus.columns import ColumnReader, ColumnWriter


def test_a_column_can_be_empty_and_is_read_back_in_ranges(tmp_path: Path) -> None:
    for count in (0, 5, 100_000):
        rows = np.arange(2.0 * count).reshape(-1, 2)
        with ColumnWriter(tmp_path / "x.npy", "<f8", (2,)) as writer:
            assert writer.append(rows[:2]) == (0, min(2, count))
            writer.append(rows[2:])
        assert np.array_equal(np.load(tmp_path / "x.npy", mmap_mode="r"), rows)
        with ColumnReader(tmp_path / "x.npy") as column:
            assert np.array_equal(column.rows(count // 3, count // 2), rows[count // 3 : count // 2])


def test_a_column_cut_short_is_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(100))
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-8])
    with pytest.raises(ValueError, match="shorter than the 100 rows"):
        ColumnReader(tmp_path / "x.npy")


def test_rows_appended_in_parts_are_one_array_for_numpy(tmp_path: Path) -> None:
    with ColumnWriter(tmp_path / "x.npy", "<u8") as writer:
        ranges = [writer.append(np.arange(count, dtype=np.uint64)) for count in (3, 0, 70_000)]
    assert ranges == [(0, 3), (3, 3), (3, 70_003)]
    assert np.array_equal(np.load(tmp_path / "x.npy"), np.concatenate([np.arange(3), np.arange(70_000)]))


def test_a_file_that_no_column_writer_wrote_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x02\x00" + bytes(100))
    with pytest.raises(ValueError, match="not written by a ColumnWriter"):
        ColumnReader(tmp_path / "x.npy")


def test_closing_a_column_twice_changes_nothing(tmp_path: Path) -> None:
    writer = ColumnWriter(tmp_path / "x.npy", "<f8", (2,))
    writer.append(np.ones((5, 2)))
    writer.close()
    before = (tmp_path / "x.npy").read_bytes()
    writer.close()
    assert (tmp_path / "x.npy").read_bytes() == before

"""A server whose disk is full loses nothing that it took on, and what is counted is there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.reliability.losses import full_disk


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of files that another process can set")
def test_nothing_is_lost_and_no_byte_is_another(tiny_lstm: Path) -> None:
    line = full_disk(str(tiny_lstm), 0.1)
    assert line["name"] == "losses/full disk" and line["tried"] and line["pieces"]
    assert (line["lost"], line["other_bytes"]) == (0, 0) and line["pieces"] == line["compared"]

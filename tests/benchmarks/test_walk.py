"""The count of how far a command walks through the package: what is counted, once each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from arietta.music.midi import write_midi
from tests.support.tunes import tune

ROOT = Path(__file__).parents[2]


def walked(*words: str) -> dict[str, int]:
    command = [sys.executable, "benchmarks/shared/walk.py", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    figures: dict[str, int] = json.loads(done.stdout)
    return figures


def test_a_longer_piece_is_no_longer_walk_and_more_work_is(tmp_path: Path) -> None:
    for count in (40, 80):
        write_midi(tmp_path / f"{count}.mid", tune(1, count))
    short, long = (walked("inspect", str(tmp_path / f"{count}.mid")) for count in (40, 80))
    drawn = walked("inspect", str(tmp_path / "40.mid"), "--roll", str(tmp_path / "roll.svg"))
    keys = ("functions", "modules", "crossings")
    assert [short[key] for key in keys] == [long[key] for key in keys]
    assert all(0 < short[key] < drawn[key] for key in keys)

"""The notebooks run from the first cell to the last, on small made music, and hold nobody's results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.corpora import scale
from tests.support.tunes import write

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SMALL = {"OMP_NUM_THREADS": "1", "NOTEBOOK_EPOCHS": "1", "NOTEBOOK_STEPS": "3", "NOTEBOOK_FILES": "4"}


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def script(path: Path) -> str:
    """Join the cells to one program; what a cell ends with is shown there, and must show here too."""
    code = ["".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "code"]
    return "\n\n".join(code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    for seed in range(6):
        write(tmp_path / "music" / f"{seed}.mid", scale(seed, 300))
    environment = {**os.environ, **SMALL, "NOTEBOOK_MIDI": str(tmp_path / "music"), "PYTHONPATH": str(ROOT)}
    heard = f"assert '<audio' in Shown(arietta.read_midi({str(tmp_path / 'music' / '0.mid')!r}))._repr_html_()"
    call = [sys.executable, "-c", f"{script(path)}\n\n{heard}"]
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*.mid"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_results(path: Path) -> None:
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells(path) if "outputs" in cell)
    assert path.read_text(encoding="utf-8").isascii() or "\\u" not in path.read_text(encoding="utf-8")


def test_there_are_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} == {"first_seed", "music_transformer"}

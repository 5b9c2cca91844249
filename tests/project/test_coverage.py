"""`make coverage` fails below the share of lines, or of branches, that is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from release.coverage import main


@pytest.mark.parametrize(("lines", "branches", "code"), [(980, 94, 0), (979, 94, 1), (980, 93, 1)])
def test_too_few_lines_or_branches_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: int, branches: int, code: int
) -> None:
    totals = {"num_statements": 1000, "covered_lines": lines, "num_branches": 100, "covered_branches": branches}
    (tmp_path / "a.json").write_text(json.dumps({"totals": totals}), encoding="utf-8")
    assert main(str(tmp_path / "a.json")) == code
    assert f"branches: {branches}.0 %" in capsys.readouterr().out

"""The files at the root tell the truth: versions, constraints, hooks, what the changelog says of this release."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import arietta

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_citation_and_the_changelog_name_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    dates = re.findall(r"^date-released: (\S+)$", citation, re.MULTILINE)
    assert f"\nversion: {arietta.__version__}\n" in citation
    assert f"## [{arietta.__version__}] - {dates[0]}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_constraints_name_a_version_of_all_that_the_tests_install_and_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    versions = dict(line.split("==") for line in lines if not line.startswith("#"))
    wanted = [*PROJECT["dependencies"]]
    for extra in ("serve", "score", "train", "test", "check"):
        wanted += PROJECT["optional-dependencies"][extra]
    names = {canonical(re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0]) for requirement in wanted}
    assert names <= {canonical(name) for name in versions}
    assert all(re.fullmatch(r"[\w.]+", version) for version in versions.values())


def test_the_hooks_before_a_commit_run_what_make_check_runs() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"^\s+entry: (.*)$", hooks, re.MULTILINE) == ["make check"]
    assert "repo: local" in hooks and "http" not in hooks

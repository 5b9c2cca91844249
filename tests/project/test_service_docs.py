"""docs/use/service.md: its commands and its Python run, against a real server."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from arietta.cli.serve import LIMITS
from arietta.music.midi import read_midi
from arietta.serve.jobs.limits import Limits

PAGE = (Path(__file__).parents[2] / "docs" / "use" / "service.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"


def blocks(language: str, server: httpx.Client) -> str:
    code = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert code
    return "\n".join(code).replace(ADDRESS, str(server.base_url).rstrip("/"))


@pytest.mark.posix
def test_the_commands_run_one_after_the_other(server: httpx.Client, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    script = "set -e -o pipefail\n" + blocks("sh", server).replace("| head -n 3", "| sed -n 1,3p")
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(read_midi(tmp_path / "piece.mid")) == 300
    assert (tmp_path / "piece.svg").read_text().startswith("<svg")
    assert len(read_midi(tmp_path / "tiny-frederic-chopin-0100-notes-seed-7.mid")) == 100
    assert '"prompt_notes":40' in done.stdout
    assert "event: end" in done.stdout and "id: 251\n" in done.stdout
    assert '"notes must lie in 1-10000, not 0"' in done.stdout


def test_the_python_runs(server: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks("python", server), "service.md", "exec"), {})  # noqa: S102 - our own page
    assert len(read_midi(tmp_path / "piece.mid")) == 100


def test_every_endpoint_and_every_value_of_a_request_stands_there(server: httpx.Client) -> None:
    document = server.get("/openapi.json").json()
    for path in document["paths"]:
        assert path.removeprefix("/v1/pieces/{id}") in PAGE, path
    for name in document["components"]["schemas"]["PieceRequest"]["properties"]:
        assert f"`{name}`" in PAGE, name


def test_the_limits_that_it_tells_are_those_of_the_server() -> None:
    limits = Limits()
    figures = (limits.most_notes, limits.most_prompt_notes, limits.most_per_client, limits.seats, limits.places)
    assert all(f"{number:,}" in PAGE for number in figures)
    for flag, default, _ in LIMITS:
        assert f"`{flag}`" in PAGE
        assert getattr(limits, flag[2:].replace("-", "_")) == default

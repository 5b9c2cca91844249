"""The container runs the service without root, keeps its data in a volume, and says when it is ill."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.error
from pathlib import Path

import pytest

from arietta.cli import make_parser
from tests.support.servers import served

ROOT = Path(__file__).parents[2]
BUILDERS = ("podman", "docker")


def instructions() -> list[tuple[str, str]]:
    """Read the Containerfile: (instruction, what follows it), with lines joined that go on."""
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def only(name: str) -> str:
    (value,) = [rest for word, rest in instructions()[stage_begin() :] if word == name]
    return value


def stage_begin() -> int:
    """Where the last stage begins: what comes before is not in the image."""
    return max(index for index, (word, _) in enumerate(instructions()) if word == "FROM")


def health_check() -> list[str]:
    words: list[str] = json.loads(only("HEALTHCHECK").partition("CMD ")[2])
    return words


def test_every_line_is_an_instruction() -> None:
    known = "FROM WORKDIR COPY RUN ENV USER VOLUME EXPOSE HEALTHCHECK STOPSIGNAL ENTRYPOINT CMD"
    assert {word for word, _ in instructions()} <= set(known.split())


def test_nothing_runs_as_root() -> None:
    user, group = only("USER").split(":")
    assert int(user) > 0 and int(group) > 0
    order = [word for word, _ in instructions()[stage_begin() :]]
    assert order.index("USER") > max(index for index, word in enumerate(order) if word == "RUN")


def test_its_command_is_one_that_arietta_takes_and_its_data_lie_in_the_volume() -> None:
    assert json.loads(only("ENTRYPOINT")) == ["arietta"]
    words = json.loads(only("CMD"))
    arguments = make_parser(words).parse_args(words)
    assert arguments.verb == "serve" and str(arguments.port) == only("EXPOSE")
    assert arguments.data.is_relative_to(only("VOLUME"))
    assert f"HOME={only('VOLUME')}" in only("ENV"), "nothing else may be written"


def test_what_is_copied_is_there_and_what_is_installed_is_an_extra() -> None:
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and not rest.startswith("--from")]
    assert all((ROOT / name).exists() for names in copied for name in names)
    sent = {line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")}
    assert {name for names in copied for name in names} == sent
    assert (ROOT / ".dockerignore").read_text() == (ROOT / ".containerignore").read_text()
    (extras,) = re.findall(r'"\.\[([a-z,]+)\]"', (ROOT / "Containerfile").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


@pytest.mark.posix
def test_the_health_check_passes_where_the_service_is_ready_and_fails_where_nobody_listens(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    program, flag, code = health_check()
    assert (program, flag) == ("python", "-c")
    with served(tmp_path / "pieces", "--model", str(tiny_bundle)) as server:
        here = code.replace("http://127.0.0.1:8000", server.address)
        assert here != code
        subprocess.run([sys.executable, flag, here], check=True, env=os.environ | {"no_proxy": "127.0.0.1"})
    failed = subprocess.run([sys.executable, flag, here], check=False, capture_output=True, text=True)
    assert failed.returncode != 0 and urllib.error.URLError.__name__ in failed.stderr


def test_it_builds_where_there_is_a_builder() -> None:
    for builder in BUILDERS:
        if shutil.which(builder) and not subprocess.run([builder, "info"], capture_output=True, check=False).returncode:
            break
    else:
        pytest.skip(f"needs one of {', '.join(BUILDERS)}, running")
    call = [builder, "build", "-f", "Containerfile", "-t", "arietta-test", "."]
    subprocess.run(call, cwd=ROOT, check=True, capture_output=True)

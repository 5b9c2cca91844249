"""Every direct requirement has a lower bound, and the trial of all of them installs exactly those."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from arietta.model.engine import OLDEST_RUNTIME
from release.lowest_versions import EXTRAS, MODELS, lowest, lowest_requirements

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("requirement", "pinned"),
    [
        ("numpy>=2.0", "numpy==2.0"),
        ("prometheus-client >= 0.20.1", "prometheus-client==0.20.1"),
        ("torch==2.13.0", "torch==2.13.0"),
        ("mkdocstrings[python]>=0.28", "mkdocstrings[python]==0.28"),
        ("onnxruntime>=1.27; sys_platform != 'darwin'", "onnxruntime==1.27; sys_platform != 'darwin'"),
    ],
)
def test_a_requirement_is_pinned_to_its_lower_bound(requirement: str, pinned: str) -> None:
    assert lowest(requirement) == pinned


@pytest.mark.parametrize("requirement", ["numpy", "numpy<3", "numpy>2", "numpy~=2.0", "numpy; python_version > '3'"])
def test_a_requirement_without_a_lower_bound_is_refused(requirement: str) -> None:
    with pytest.raises(ValueError, match="has no lower bound"):
        lowest(requirement)


def test_every_requirement_of_the_package_and_its_extras_is_tried() -> None:
    project = tomllib.loads(PYPROJECT)["project"]
    count = len(project["dependencies"]) + sum(len(project["optional-dependencies"][extra]) for extra in EXTRAS)
    assert len(lowest_requirements(PYPROJECT)) == count


def test_the_other_extras_have_lower_bounds_too() -> None:
    for requirements in tomllib.loads(PYPROJECT)["project"]["optional-dependencies"].values():
        for requirement in requirements:
            lowest(requirement)


def test_pip_asks_for_the_runtime_that_the_engine_asks_for_but_on_macs_with_intel() -> None:
    runtimes = [line for line in lowest_requirements(PYPROJECT) if line.startswith("onnxruntime")]
    elsewhere, intel = (line.partition("; ") for line in runtimes)
    assert elsewhere[0] == f"onnxruntime=={OLDEST_RUNTIME}"
    assert elsewhere[2] == "sys_platform != 'darwin' or platform_machine != 'x86_64'"
    assert intel[2] == "sys_platform == 'darwin' and platform_machine == 'x86_64'"


def test_every_shipped_model_is_tried() -> None:
    described = [*ROOT.glob("models/*/model.json"), *ROOT.glob("arietta/model/shipped/*/model.json")]
    assert set(MODELS) == {path.parent.name for path in described}

"""The documents tell the truth: their Python runs, every verb and public name stands in them, every config loads."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import arietta
from arietta.cli import VERBS
from arietta.model.bundle import list_bundles
from arietta.music.midi import write_midi
from arietta.music.notes import Notes
from arietta.train.config import RunSettings, load_config

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "README.es.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Of one the Python asks a server, of the other it is files to train with: other tests run them.
ELSEWHERE = ("service.md", "extending.md")
BLOCKS = [
    pytest.param(block, id=f"{path.name}-{number}")
    for path in DOCUMENTS
    if path.name not in ELSEWHERE
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_python_in_the_documents_runs(
    block: str, tmp_path: Path, waltz: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "concert" not in list_bundles():
        pytest.skip("needs the model `concert`, which is not in this checkout")
    monkeypatch.chdir(tmp_path)
    write_midi("theme.mid", waltz)
    exec(compile(block, "a document", "exec"), {})  # noqa: S102 - our own documents
    assert list(tmp_path.glob("*.mid"))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_stands_in_the_readme(verb: str) -> None:
    assert f"arietta {verb}" in DOCUMENTS[0].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", arietta.__all__)
def test_every_public_name_stands_in_the_documents_and_can_be_had(name: str) -> None:
    assert any(f"`{name}" in path.read_text(encoding="utf-8") for path in DOCUMENTS)
    assert getattr(arietta, name) is not None


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.toml")), ids=lambda path: path.stem)
def test_every_configuration_loads(path: Path) -> None:
    assert load_config(RunSettings, path).train.steps > 0


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_link_between_the_documents_is_broken(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not missing


def commands(text: str) -> set[str]:
    """What a README tells to type, without what stands beside it: lines of code, and what is marked as code."""
    lines = re.findall(r"^    (\S.*?)(?:\s+#.*)?$", text, re.MULTILINE)
    prose = re.sub(r"```.*?```|<!-- table.*?<!-- end -->", "", text, flags=re.DOTALL)
    return {*lines, *(" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose))}


@pytest.mark.parametrize("find", [commands, lambda text: set(re.findall(r"\]\(([^)#]+)", text))])
def test_the_readme_in_spanish_has_the_commands_and_the_links_of_the_english_one(
    find: Callable[[str], set[str]],
) -> None:
    english, spanish = (find(path.read_text(encoding="utf-8")) for path in DOCUMENTS[:2])
    assert english ^ spanish <= {path.name for path in DOCUMENTS[:2]}  # which name each other


def test_the_python_of_the_readme_in_spanish_is_that_of_the_english_one() -> None:
    english, spanish = (
        re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL) for path in DOCUMENTS[:2]
    )
    assert [ast.dump(ast.parse(block)) for block in english] == [ast.dump(ast.parse(block)) for block in spanish]


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_every_program_file_that_a_document_names_is_there(path: Path) -> None:
    named = re.findall(r"`((?:arietta|tests|benchmarks|release)/[\w/]+\.py)`", path.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []

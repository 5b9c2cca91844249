"""Who may import whom: the map of docs/architecture.md, held against the code's own imports, lazy ones too."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = (
    "errors",
    "files",
    "fetch",
    "names",
    "processes",
    "machine",
    "program",
    "untrusted",
)  # modules of no room, with the standard library alone
# Room -> the rooms that it may import beside itself, all of those that these may import among them.
ROOMS = {
    "base": "",
    "music": "base",
    "codecs": "base music",
    "render": "base music",
    "corpus": "base music",
    "model": "base music codecs",
    "originality": "base music codecs render model",
    "generation": "base music codecs render model originality",
    "evaluation": "base music codecs render model originality generation",
    "train": "base music codecs render model originality generation evaluation corpus",
    "serve": "base music codecs render model originality generation evaluation",
    "client": "base music codecs render model originality generation evaluation",
    "cluster": "base music codecs render corpus model originality generation evaluation train serve",
    "cli": "base music codecs render corpus model originality generation evaluation train serve client cluster",
    "__init__": "base music codecs render model originality generation evaluation client",
    "__main__": "base music codecs render corpus model originality generation evaluation train serve client cluster "
    "cli",
}
# Packages from elsewhere -> the rooms, or the modules, that may import them.
HOMES = {
    "numpy": "music codecs render corpus model originality generation evaluation train serve client cli",
    "PIL": "render.canvas",
    "soundfile": "render.piano",
    "verovio": "render.score.engraving",
    "onnxruntime": "model.engine",
    "tqdm": "cli",
    "argcomplete": "cli.completion",
    "torch": "train cli.training_run",
    "onnx": "train",
    "safetensors": "train.onnx",
    "matplotlib": "train cli.training_run",
    "fastapi": "serve.app serve.routes",
    "starlette": "serve.app serve.routes",
    "pydantic": "serve.app serve.routes",
    "pydantic_core": "serve.app serve.routes",
    "uvicorn": "cli.serve cluster.serving serve.connections",
    "prometheus_client": "serve.jobs.metrics",
    "filelock": "serve.jobs.history.sqlite",
    "psycopg": "serve.jobs.history.postgres",
    "psutil": "serve.jobs.upload serve.connections serve.workshop",
    "ray": "cluster.connection",
    "fsspec": "cluster.stores",
}
DISTRIBUTIONS = {
    "PIL": "pillow",
    "starlette": "fastapi",
    "pydantic": "fastapi",
    "pydantic_core": "fastapi",
    "prometheus_client": "prometheus-client",
}
HEAVY = ("torch", "onnx", "onnxruntime", "fastapi", "uvicorn", "matplotlib", "PIL", "soundfile")
EXTRAS = (
    "torch",
    "onnx",
    "matplotlib",
    "fastapi",
    "starlette",
    "pydantic",
    "uvicorn",
    "prometheus_client",
    "verovio",
    "filelock",
    "psycopg",
    "psutil",
    "ray",
    "fsspec",
)


@cache
def modules() -> dict[str, Path]:
    """Dotted name -> file, packages by their own name."""
    found = {}
    for path in sorted((ROOT / "arietta").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """Dotted names of everything that a module imports at any time, but for type checking."""
    return frozenset(_names(ast.parse(modules()[module].read_text()), package_of(module)))


def package_of(module: str) -> str:
    return module if modules()[module].name == "__init__.py" else module.rpartition(".")[0]


def _names(tree: ast.AST, package: str, *, type_checking: bool = False) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if not type_checking and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            inside = [f"{source}.{alias.name}" for alias in node.names]
            yield from (name if name in modules() else source for name in inside)
        else:
            yield from _names(node, package, type_checking=type_checking)


def room(module: str) -> str:
    """The room that a module stands in: `arietta.train.loop` -> `train`."""
    name = module.split(".")[1] if "." in module else "__init__"
    return "base" if name in BASE else name


def reachable(module: str) -> set[str]:
    """Every module of ours that running all of `module` may bring in, itself too."""
    seen, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [target for target in imports(name) if target in modules()]
    return seen


def foreign(module: str) -> set[str]:
    """Packages from elsewhere that a module imports by itself."""
    names = {name.partition(".")[0] for name in imports(module)}
    return names - set(sys.stdlib_module_names) - {"arietta"}


def declared(text: str) -> str:
    """Name of a requirement: `torch==2.13.0` -> `torch`."""
    return re.split(r"[^A-Za-z0-9_-]", text, maxsplit=1)[0]


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", modules())
def test_every_module_stands_in_a_room_of_the_map(module: str) -> None:
    assert room(module) in ROOMS, f"{module}: say in ROOMS, and in docs/architecture.md, what its room may import"


@pytest.mark.parametrize("module", modules())
def test_modules_import_only_their_own_room_and_those_below(module: str) -> None:
    allowed = {room(module), *ROOMS.get(room(module), "").split()}
    beyond = {name for name in imports(module) if name in modules() and name != "arietta" and room(name) not in allowed}
    assert not beyond, f"{module} imports {sorted(beyond)}"


@pytest.mark.parametrize("module", modules())
def test_packages_from_elsewhere_are_imported_only_where_they_live(module: str) -> None:
    inside = f"{module}.".removeprefix("arietta.")
    for package in foreign(module):
        homes = HOMES.get(package, "").split()
        assert any(inside.startswith(f"{home}.") for home in homes), (
            f"{module} imports {package}, which lives in {homes}"
        )


def test_a_room_may_import_all_that_its_rooms_may() -> None:
    for name, below in ROOMS.items():
        for lower in below.split():
            assert set(ROOMS[lower].split()) <= set(below.split()), f"{name} may use {lower}, but not what it uses"


def test_a_server_reaches_no_corpus_code_and_no_torch() -> None:
    reached = set().union(*(reachable(module) for module in modules() if room(module) == "serve"))
    assert not {name for name in reached if room(name) in ("corpus", "train")}
    assert "torch" not in set().union(*(foreign(module) for module in reached))


def test_modules_do_not_import_each_other_in_circles() -> None:
    """Lazy imports count, and those for type checking too; a package that only hands its names on lazily does not."""
    needs = {module: _needed(module) for module in modules() if module != "arietta"}
    while needs:
        ready = {module for module, needed in needs.items() if not needed & set(needs)}
        assert ready, f"a circle among {sorted(needs)}"
        needs = {module: needed for module, needed in needs.items() if module not in ready}


def _needed(module: str) -> set[str]:
    tree = ast.parse(modules()[module].read_text())
    everything = _names(tree, package_of(module), type_checking=True)
    return {name for name in everything if name in modules()} - {"arietta", module}


def test_every_import_from_elsewhere_is_declared_and_every_runtime_dependency_is_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base = {declared(line) for line in project["dependencies"]}
    extras = {
        declared(line)
        for extra in ("serve", "score", "train", "postgres", "cluster")
        for line in project["optional-dependencies"][extra]
    }
    used = {DISTRIBUTIONS.get(name, name) for module in modules() for name in foreign(module)}
    assert used <= base | extras, f"not declared: {sorted(used - base - extras)}"
    assert base <= used, f"declared for nothing: {sorted(base - used)}"


def test_importing_arietta_brings_no_heavy_package() -> None:
    loaded = python("import sys, arietta; print(*sys.modules)").split()
    assert not set(loaded) & {*HEAVY, "numpy"}


def test_help_brings_no_heavy_package() -> None:
    code = "import sys\nfrom arietta.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    loaded = python(code).split()
    assert not set(loaded) & {*HEAVY, "numpy"}


def test_loading_the_verbs_brings_no_heavy_package() -> None:
    names = [name for name in modules() if room(name) == "cli"]
    loaded = python(f"import sys, {', '.join(names)}; print(*sys.modules)").split()
    assert not set(loaded) & set(HEAVY)


def test_the_runtime_loads_where_no_extra_is_installed() -> None:
    names = [
        name for name in modules() if room(name) not in ("train", "serve", "cluster") and name != "arietta.__main__"
    ]
    block = f"import sys\nfor name in {EXTRAS}: sys.modules[name] = None\n"
    python(block + "\n".join(f"import {name}" for name in names))

"""Who may import whom. The map is that of the design, held against the code's own imports, lazy ones too."""

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

ROOT = Path(__file__).parents[1]
LAYERS = {
    "base": "errors config files names markup",
    "music": "notes meter smf midi codec note_grid note_codec note_decoder performance_codec chord_codec fingerprint "
    "roundtrip summary drawing render sampler audio "
    "beats beat_measures hands grid voices spelling musicxml engraving score "
    "loops side_by_side tonality measures structure comparing embedding frechet",
    "data": "corpus store intake naming catalogue works likeness download",
    "runtime": "model_config bundle state engine sampling seam composing ensemble",
    "judge": "judge choosing originality passage_index planting human_baseline "
    "original "
    "reference report report_words page_roll page_plots page_document report_page model_report model_page",
    "train": "train",
    "serve": "serve",
    "door": "__init__ __main__ cli client",
}
BELOW = {
    "base": "",
    "music": "base",
    "data": "base music",
    "runtime": "base music",
    "judge": "base music runtime",
    "train": "base music data runtime judge",
    "serve": "base music runtime judge",
    "door": "base music data runtime judge train serve",
}
# Packages from elsewhere: a name of a layer, or of the one module that may have it.
HOMES = {
    "numpy": "music data runtime judge train serve door",
    "PIL": "drawing",
    "soundfile": "sampler",
    "verovio": "engraving",
    "onnxruntime": "engine",
    "tqdm": "cli",
    "torch": "train cli",
    "onnx": "train",
    "matplotlib": "train cli",
    "fastapi": "serve",
    "starlette": "serve",
    "pydantic": "serve",
    "uvicorn": "serve cli",
    "prometheus_client": "serve",
}
DISTRIBUTIONS = {
    "PIL": "pillow",
    "starlette": "fastapi",
    "pydantic": "fastapi",
    "prometheus_client": "prometheus-client",
}
HEAVY = ("torch", "onnx", "onnxruntime", "fastapi", "uvicorn", "matplotlib", "PIL", "soundfile")
EXTRAS = ("torch", "onnx", "matplotlib", "fastapi", "starlette", "pydantic", "uvicorn", "prometheus_client", "verovio")


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


def _names(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            inside = [f"{source}.{alias.name}" for alias in node.names]
            yield from (name if name in modules() else source for name in inside)
        else:
            yield from _names(node, package)


def room(module: str) -> str:
    """The part of the package that the map names: `arietta.train.loop` -> `train`."""
    return module.split(".")[1] if "." in module else "__init__"


def layer(module: str) -> str:
    return next((name for name, rooms in LAYERS.items() if room(module) in rooms.split()), "nowhere")


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
def test_every_module_has_its_place_in_the_map(module: str) -> None:
    assert layer(module) != "nowhere", f"{module}: say in LAYERS (and in the design) which layer it belongs to"


@pytest.mark.parametrize("module", modules())
def test_modules_reach_only_their_own_layer_and_those_below(module: str) -> None:
    allowed = {layer(module), *BELOW.get(layer(module), "").split(), "nowhere"}  # that is told by the test above
    beyond = {name for name in reachable(module) - {"arietta"} if layer(name) not in allowed}
    assert not beyond, f"{module} ({layer(module)}) reaches {sorted(beyond)}"


@pytest.mark.parametrize("module", modules())
def test_packages_from_elsewhere_are_imported_only_where_they_live(module: str) -> None:
    for package in foreign(module):
        homes = {*HOMES.get(package, "").split(), "nowhere"}
        assert {room(module), layer(module)} & homes, f"{module} imports {package}, which lives in {HOMES.get(package)}"


def test_layers_below_a_layer_include_all_below_those() -> None:
    for name, below in BELOW.items():
        for lower in below.split():
            assert set(BELOW[lower].split()) <= set(below.split()), f"{name} may use {lower}, but not what it uses"


def test_a_server_reaches_no_corpus_code_and_no_torch() -> None:
    reached = set().union(*(reachable(module) for module in modules() if layer(module) == "serve"))
    assert not {name for name in reached if layer(name) in ("data", "train")}
    assert "torch" not in set().union(*(foreign(module) for module in reached))


def test_modules_do_not_load_each_other_in_circles() -> None:
    loads = {module: _loaded_first(module) for module in modules()}
    while loads:
        ready = {module for module, needed in loads.items() if not needed & set(loads)}
        assert ready, f"a circle among {sorted(loads)}"
        loads = {module: needed for module, needed in loads.items() if module not in ready}


def _loaded_first(module: str) -> set[str]:
    """What loading a module loads: its imports outside functions."""
    tree = ast.parse(modules()[module].read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {name for name in _names(tree, package_of(module)) if name in modules()} - {"arietta", module}


def test_every_import_from_elsewhere_is_declared_and_every_runtime_dependency_is_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base = {declared(line) for line in project["dependencies"]}
    extras = {
        declared(line) for extra in ("serve", "score", "train") for line in project["optional-dependencies"][extra]
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
    names = [name for name in modules() if layer(name) not in ("train", "serve") and name != "arietta.__main__"]
    block = f"import sys\nfor name in {EXTRAS}: sys.modules[name] = None\n"
    python(block + "\n".join(f"import {name}" for name in names))

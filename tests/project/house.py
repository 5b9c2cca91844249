"""What can be counted of the layout and the names of the package.

    python -m tests.project.house              the figures
    python -m tests.project.house music        and what they count in a folder, line by line

Definitions, so that figures of different days can be compared:
- modules of a folder: its .py files but `__init__` and `__main__`;
- private helpers used once: functions of a module or a class whose name begins with one underscore and stands at most
  once outside its definition anywhere in the package, as a share of all functions;
- private words: bindings of variables, arguments, attributes and functions that are one of WORDS, or hold one between
  underscores, as a share of all bindings; GENERIC likewise, whole names only;
- tests mirror the rooms: a module has tests/<room>/test_<module>.py, or test_<module>_<aspect>.py;
- names in two modules: public functions and classes defined at the top of more than one module.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE, TESTS = ROOT / "arietta", ROOT / "tests"
APART = ("browser", "project", "benchmarks", "support")  # tests that mirror no room
WORDS = frozenset("place one other found told heard said kept made whole some".split())
GENERIC = frozenset("value item data result x i".split())
VERB_FUNCTIONS = frozenset(("run", "add_arguments"))  # every verb of the command has them
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def trees() -> dict[Path, ast.Module]:
    """Every module of the package, parsed."""
    return {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def modules_per_folder() -> Counter[str]:
    """Folder -> modules in it, the fullest first."""
    paths = (path for path in trees() if path.stem not in ("__init__", "__main__"))
    return Counter(str(path.parent.relative_to(ROOT)) for path in paths)


def helpers_used_once() -> list[str]:
    """Private functions and methods that the package names at most once beside their definition."""
    mentions = Counter(word for path in trees() for word in re.findall(r"\b_\w+", path.read_text()))
    definitions = Counter(
        node.name
        for tree in trees().values()
        for scope in ast.walk(tree)
        if isinstance(scope, ast.Module | ast.ClassDef)
        for node in scope.body
        if isinstance(node, Function) and re.match(r"_[^_]", node.name)
    )
    return sorted(name for name, count in definitions.items() if mentions[name] - count <= 1 for _ in range(count))


def function_count() -> int:
    return sum(len(functions(tree)) for tree in trees().values())


@cache
def bindings() -> list[tuple[Path, int, str]]:
    """(file, line, name) of every variable, argument, attribute and function that is given a name."""
    return [(path, line, name) for path, tree in trees().items() for line, name in _bound(tree)]


def _bound(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, Function):
            yield node.lineno, node.name


def private_words() -> list[tuple[Path, int, str]]:
    """The bindings that WORDS would name."""
    return [binding for binding in bindings() if WORDS & set(binding[2].lower().split("_"))]


def generic_names() -> list[tuple[Path, int, str]]:
    return [binding for binding in bindings() if binding[2] in GENERIC]


def names_in_two_modules() -> dict[str, list[str]]:
    """Public functions and classes -> the modules that define them, where there are two or more."""
    homes = defaultdict(list)
    for path, tree in trees().items():
        for node in tree.body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path.relative_to(ROOT)))
    return {name: paths for name, paths in homes.items() if len(paths) > 1 and name not in VERB_FUNCTIONS}


def modules_with_code() -> list[str]:
    """Modules that define a function or a class, as `room/module`; an `__init__` goes by its package's name."""
    defining = [
        path.relative_to(PACKAGE).with_suffix("")
        for path, tree in trees().items()
        if any(isinstance(node, Function | ast.ClassDef) for node in tree.body)
    ]
    names = [path.parent if path.name == "__init__" else path for path in defining]
    return [name.as_posix() for name in names if name != Path()]  # the package's own door is tested by the documents


def mirrored_tests() -> list[str]:
    """Test files of the rooms, as `room/module`, without those of the browser, the project and the benchmarks."""
    paths = [path.relative_to(TESTS) for path in sorted(TESTS.rglob("test_*.py"))]
    return [(path.parent / path.stem.removeprefix("test_")).as_posix() for path in paths if path.parts[0] not in APART]


def docstring_openings() -> list[tuple[str, str]]:
    """(file:line, first line) of the docstrings of modules, classes and functions."""
    openings = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, Function | ast.ClassDef | ast.Module) and (text := ast.get_docstring(node)):
                line = getattr(node, "lineno", 1)
                openings.append((f"{path.relative_to(ROOT)}:{line}", text.splitlines()[0]))
    return openings


def main() -> None:
    helpers, words, generic = helpers_used_once(), private_words(), generic_names()
    print(
        "modules of a folder:", ", ".join(f"{folder} {count}" for folder, count in modules_per_folder().most_common())
    )
    print(f"private helpers used once: {len(helpers)} of {function_count()}, {len(helpers) / function_count():.1%}")
    print(f"private words: {len(words)} of {len(bindings())}, {len(words) / len(bindings()):.2%}")
    print(f"generic names: {len(generic)} of {len(bindings())}, {len(generic) / len(bindings()):.2%}")
    print(f"names in two modules: {len(names_in_two_modules())}: {', '.join(sorted(names_in_two_modules()))}")
    for folder in sys.argv[1:]:
        _list(PACKAGE / folder)


def _list(folder: Path) -> None:
    """Print the lines of a folder that count."""
    once = set(helpers_used_once())
    found = [(path, line, f"private word: {name}") for path, line, name in private_words()]
    found += [
        (path, node.lineno, f"used once: {node.name}, {node.end_lineno - node.lineno + 1} lines")
        for path, tree in trees().items()
        for node in functions(tree)
        if node.name in once
    ]
    for path, line, text in sorted(found):
        if path.is_relative_to(folder):
            print(f"{path.relative_to(ROOT)}:{line}: {text}")


if __name__ == "__main__":
    main()

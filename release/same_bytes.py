"""Run two checkouts of Arietta on one machine and say where what they make differs, byte by byte.

    git worktree add /tmp/before 91ffd15
    python release/same_bytes.py /tmp/before . --midi path/to/grieg
    python release/same_bytes.py /tmp/before . --only compose render

It speaks to both through the command line and HTTP alone, so that it outlives any change of the modules underneath:
takes of every model, sound, pictures and scores, statistics as JSON, a corpus, twenty training steps with their
export, the HTTP interface. What is told in sentences, when something happened and how long it took are left out.

A corpus is made by each checkout's own `ingest`. Where their readers are of different versions, the two folders are not
compared, and the fingerprint of the corpus is left out of what training makes of it; `--midi` must then be files that
both readers read alike, such as composed ones. Where their models are of different formats, what training makes is not
compared: networks of another form begin with other numbers.

At last the second checkout opens what the first one made: the history, the corpus and the checkpoint. A corpus of
another reader it must refuse, with the command that makes it again. Exits with 1 where anything differs. The parts
that need a corpus are left out without `--midi`, a folder of a dozen MIDI files.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TRANSFORMERS = ("piano", "concert", "grieg", "piano-relative")
MODELS = (*TRANSFORMERS, "grieg-lstm")
# Names of JSON values that tell when, where or how fast, or that are sentences for people.
VOLATILE = {"seconds", "rows_per_second", "seconds_left", "versions", "machine", "commit", "git", "time", "started"}
CORPUS_IDENTITY = {"store"}  # in descriptions of runs, and cards
PROSE = {"description", "summary", "title", "examples", "example"}
PROSE_NAMES = re.compile(r"#/components/schemas/\w+")


class Tree:
    """A checkout and the folder into which its commands write."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.checkout, self.folder = checkout.resolve(), folder
        self.environment = {**os.environ, "PYTHONPATH": str(self.checkout), "XDG_DATA_HOME": str(folder / "data")}

    def run(self, *words: str, exit_code: int = 0) -> str:
        """Run a verb inside the folder and return what it printed; ends the comparison where it exits otherwise."""
        done = subprocess.run(
            [sys.executable, "-m", "arietta", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != exit_code:
            sys.exit(f"{self.checkout}: arietta {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout if exit_code == 0 else done.stderr

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Serve the checkout's models on a free port of this machine; yields the address."""
        command = [sys.executable, "-u", "-m", "arietta", "serve", "--port", "0", "--data", "served"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as server:
            assert server.stdout is not None
            try:
                printed = ""
                for line in server.stdout:
                    printed += line
                    if address := re.search(r"http://[\d.]+:\d+", line):
                        yield address[0]
                        break
                else:
                    sys.exit(f"{self.checkout}: arietta serve ended:\n{printed}")
            finally:
                server.terminate()
                server.stdout.read()


def ask(address: str, body: dict[str, Any] | None = None) -> bytes:
    """GET an address, or POST `body` to it as JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        content: bytes = answer.read()
    return content


def compose(tree: Tree) -> None:
    """Takes: plain, in a style with guidance, after a prompt, of so many seconds, several at once."""
    for model in MODELS:
        common = ("compose", "--model", model, "--seed", "5")
        tree.run(*common, "--notes", "90", "-o", f"{model}-plain.mid", "--roll")
        if model == "grieg-lstm":
            continue
        tree.run(*common, "--notes", "60", "--style", "grieg", "-o", f"{model}-guided.mid")
        tree.run(*common, "--seconds", "15", "--style", "grieg", "--guidance", "1", "-o", f"{model}-seconds.mid")
        prompt = ("--prompt", f"{model}-plain.mid", "--prompt-notes", "30")
        tree.run(*common, "--notes", "40", *prompt, "--top-p", "0.9", "-o", f"{model}-prompt.mid")
    several = ("compose", "--seed", "11", "--notes", "60", "--style", "chopin")
    tree.run(*several, "--count", "9", "-o", "several/")
    tree.run(*several, "--count", "4", "--best", "2", "--original", "-o", "best/")


def render(tree: Tree) -> None:
    """Sound, pictures and a score; the container of OGG and the dates of PDF differ from run to run by themselves."""
    for name in ("piano-plain", "concert-guided"):
        tree.run("render", f"{name}.mid", "--to", "wav,musicxml,svg,png", "-o", "rendered/")


def judge(tree: Tree) -> None:
    """Likelihood, statistics and originality of a take, and two sets against each other."""
    tree.run("judge", "piano-plain.mid", "--roll", "judged.svg", "--structure", "structure.svg")
    for name, words in {
        "judge.json": ("judge", "piano-plain.mid", "concert-guided.mid", "--json"),
        "originality.json": ("originality", "piano-plain.mid", "--json"),
    }.items():
        (tree.folder / name).write_text(tree.run(*words))
    tree.run("compare", "several", "several", "--notes", "40", "--reference", "several", "--json", "compare.json")


def learn(tree: Tree, midi: Path) -> None:
    """A corpus, twenty steps of training on it, and their export."""
    tree.run("ingest", str(midi), "--out", "corpus", "--workers", "1")
    config = str(tree.checkout / "configs" / "tiny.toml")
    for kind in ("transformer", "lstm"):
        options = ("--steps", "20", "--seed", "3", "--threads", "1", "--device", "cpu", "--set", f"model.kind={kind}")
        tree.run("train", config, "--corpus", "corpus", "--out", f"run-{kind}", *options)
        tree.run("export", f"run-{kind}", "--out", f"exported/{kind}")


def serve(tree: Tree) -> None:
    """The description of the HTTP interface, and a piece over it that stays in the history."""
    with tree.serving() as address:
        (tree.folder / "openapi.json").write_bytes(ask(f"{address}/openapi.json"))
        (tree.folder / "served.mid").write_bytes(ask(f"{address}/midi/60?seed=9&style=grieg&model=piano"))
        body = {"notes": 50, "seed": 4, "model": "concert", "style": "any"}
        pieces = json.loads(ask(f"{address}/v1/pieces", body))["pieces"]
        ask(f"{address}/v1/pieces/{pieces[0]['id']}/events")  # ends when the piece does
        (tree.folder / "kept.mid").write_bytes(ask(f"{address}/v1/pieces/{pieces[0]['id']}.mid"))


def reader_version(tree: Tree) -> int:
    """Return the version of the reader that made a checkout's corpus; 1 where it has none, as in the first release."""
    manifest = tree.folder / "corpus" / "manifest.jsonl"
    line = manifest.read_text().partition("\n")[0] if manifest.exists() else "{}"
    return int(json.loads(line).get("reader", 1))


def model_format(tree: Tree) -> int:
    """Return the format of the models that a checkout exports; 0 where it exported none."""
    description = tree.folder / "exported" / "transformer" / "model.json"
    return int(json.loads(description.read_text())["format"]) if description.exists() else 0


def opens(before: Tree, after: Tree, *, same_reader: bool) -> list[str]:
    """Let the second checkout open what the first one made: one line for each thing that it cannot open."""
    after.folder = before.folder
    problems = []
    if (before.folder / "corpus").exists() and not same_reader:
        refusal = after.run("inspect", "corpus", exit_code=2)
        if "arietta ingest" not in refusal:
            problems.append(f"the first checkout's corpus is refused without saying how to make it again: {refusal}")
    elif (before.folder / "corpus").exists():
        after.run("inspect", "corpus")
        config = str(after.checkout / "configs" / "tiny.toml")
        options = ("--steps", "25", "--seed", "3", "--threads", "1", "--device", "cpu")
        said = after.run("train", config, "--corpus", "corpus", "--out", "run-transformer", *options)
        if "step 25" not in said:
            problems.append(f"training did not go on from the first checkout's checkpoint: {said}")
    if (before.folder / "run-transformer").exists():
        after.run("export", "run-transformer", "--out", "exported-again")
        after.run("compose", "--model", "exported-again", "--notes", "20", "-o", "exported-again.mid")
    if (before.folder / "served").exists():
        with after.serving() as address:
            pieces = json.loads(ask(f"{address}/v1/pieces"))["pieces"]
            again = ask(f"{address}/v1/pieces/{pieces[0]['id']}.mid") if pieces else b""
        if again != (before.folder / "kept.mid").read_bytes():
            problems.append("the first checkout's history gives another piece")
    return problems


def essence(path: Path, left_out: set[str]) -> str:
    """A hash of what a file says, without what differs from run to run; `left_out` are names of JSON values."""
    data = path.read_bytes()
    if path.suffix in (".json", ".jsonl"):
        try:
            values = json.loads(data)
        except json.JSONDecodeError:  # a line for each piece, or step
            values = [json.loads(line) for line in data.splitlines()]
        data = json.dumps(_lasting(values, PROSE if path.name == "openapi.json" else left_out), sort_keys=True).encode()
        data = PROSE_NAMES.sub("#/components/schemas", data.decode()).encode()
    elif path.suffix == ".pt":
        data = _tensors(path)
    return hashlib.sha256(data).hexdigest()


def _lasting(value: Any, left_out: set[str]) -> Any:
    if isinstance(value, dict):
        lasting = {name: _lasting(inner, left_out) for name, inner in value.items() if name not in left_out}
        if "schemas" in lasting:  # names of classes, which nobody sends
            lasting["schemas"] = sorted(json.dumps(inner, sort_keys=True) for inner in lasting["schemas"].values())
        return lasting
    return [_lasting(inner, left_out) for inner in value] if isinstance(value, list) else value


def _tensors(path: Path) -> bytes:
    """The numbers of a checkpoint, by name."""
    import torch

    def walk(value: Any, name: str) -> Iterator[str]:
        if isinstance(value, torch.Tensor):
            yield f"{name} {hashlib.sha256(value.contiguous().view(-1).numpy().tobytes()).hexdigest()}"
        elif isinstance(value, dict):
            for key in sorted(value, key=str):
                yield from walk(value[key], f"{name}/{key}")
        elif isinstance(value, list | tuple):
            for number, inner in enumerate(value):
                yield from walk(inner, f"{name}/{number}")

    return "\n".join(walk(torch.load(path, weights_only=True, map_location="cpu"), "")).encode()


def listing(folder: Path, *, same_reader: bool, same_format: bool) -> dict[str, str]:
    """Each file that a checkout wrote, and its hash; without databases, logs and pictures of training."""
    left_out: tuple[str, ...] = ("data/", "served/", "run-transformer/curve", "run-lstm/curve")
    left_out += () if same_reader else ("corpus/",)
    left_out += () if same_format else ("run-", "exported/")
    volatile = VOLATILE if same_reader else VOLATILE | CORPUS_IDENTITY
    names = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: essence(path, volatile) for name, path in names.items() if not name.startswith(left_out)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--midi", type=Path, help="a folder of MIDI files to make a corpus of")
    parser.add_argument("--only", nargs="+", choices=("compose", "render", "judge", "learn", "serve"))
    arguments = parser.parse_args()
    parts: dict[str, Callable[[Tree], None]] = {"compose": compose, "render": render, "judge": judge, "serve": serve}
    if arguments.midi:
        parts["learn"] = lambda tree: learn(tree, arguments.midi.resolve())
    with tempfile.TemporaryDirectory() as scratch:
        trees = []
        for name in ("before", "after"):
            (Path(scratch) / name).mkdir()
            trees.append(Tree(getattr(arguments, name), Path(scratch) / name))
        for name, part in parts.items():
            if not arguments.only or name in arguments.only:
                for tree in trees:
                    part(tree)
                print(f"{name}: made by both", flush=True)
        same_reader = len({reader_version(tree) for tree in trees}) == 1
        same_format = len({model_format(tree) for tree in trees}) == 1
        listings = [listing(tree.folder, same_reader=same_reader, same_format=same_format) for tree in trees]
        differing = sorted(
            name for name in {*listings[0], *listings[1]} if listings[0].get(name) != listings[1].get(name)
        )
        for name in differing:
            print(f"differs: {name}")
        problems = opens(*trees, same_reader=same_reader)
        for problem in problems:
            print(problem)
    print(f"{len(listings[0])} files made by each, {len(differing)} differ")
    return 1 if differing or problems else 0


if __name__ == "__main__":
    sys.exit(main())

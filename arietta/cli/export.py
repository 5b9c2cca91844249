"""Turn a training run into a model that composes: a folder for `arietta compose --model FOLDER`.

examples:
  arietta export runs/mine                                      writes runs/mine/bundle, in 8 bit
  arietta export runs/mine --out models/mine --bits 32
  arietta export runs/mine --card card.toml                     with your words on data, licence and limits
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..model.bundle import INDEX
from ..program import command, install_command

CARD_WORDS = ("title", "summary", "data", "licence", "licence_url", "allows", "split", "limits")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="the folder that `arietta train` wrote")
    parser.add_argument("--out", type=Path, help="the model's folder; its name is the model's name (RUN/bundle)")
    parser.add_argument("--bits", type=int, choices=(8, 32), default=8, help="size of the weights (%(default)s)")
    parser.add_argument("--card", type=Path, help=f"a TOML file with any of {', '.join(CARD_WORDS)}")
    parser.add_argument("--last", action="store_true", help="export the newest weights instead of the best")


def run(arguments: argparse.Namespace) -> int:
    try:
        from ..train.onnx.export import export
    except ImportError as error:
        raise ConfigError(f"exporting needs torch and onnx ({error}): {install_command('train')}") from error
    out = arguments.out or arguments.run / "bundle"
    words = _read_words(arguments.card) if arguments.card else {}
    card = words | {"training": describe_training(arguments.run)}
    had_index = (out / INDEX).is_dir()
    export(arguments.run / ("last.pt" if arguments.last else "best.pt"), out, card, bits=arguments.bits)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"Exported {out} ({size / 1e6:.1f} MB, {arguments.bits} bit).")
    if had_index and not (out / INDEX).is_dir():
        print(
            "The index of passages that was there is of other music, and was left out; docs/use/judging.md "
            "says how to make a new one."
        )
    print(f"Try it:  {command('compose', '--model', out)}")
    return 0


def describe_training(folder: Path) -> dict[str, Any]:
    """What a run's folder says of how its model was trained: settings, time, machine, corpus, best validation."""
    try:
        described = json.loads((folder / "run.json").read_text())
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    except FileNotFoundError as error:
        raise ConfigError(f"{folder}: not a run of `arietta train` ({Path(error.filename).name} is missing)") from error
    except ValueError as error:
        raise ConfigError(f"{folder}: run.json or metrics.jsonl is damaged ({error})") from error
    names = ("settings", "parameters", "precision", "machine", "versions", "store", "corpus", "begun_from", "outcome")
    best = [line for line in lines if line.get("is_best")]
    return {name: described[name] for name in names if name in described} | {"validation": best[-1] if best else {}}


def _read_words(path: Path) -> dict[str, Any]:
    try:
        words = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such card") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML ({error})") from error
    unknown = set(words) - set(CARD_WORDS)
    if unknown:
        raise ConfigError(f"{path}: a card has no {sorted(unknown)[0]!r}; it has {', '.join(CARD_WORDS)}")
    return words

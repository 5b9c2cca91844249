"""Turn a training run into a model that composes: a folder for `arietta compose --model FOLDER`.

examples:
  arietta export runs/mine                                      writes runs/mine/bundle, in 4 and 8 bits
  arietta export runs/mine --out models/mine --bits 32
  arietta export runs/mine --card card.toml                     with your words on data, licence and limits
  arietta export piano --safetensors --out hub/piano            weights, network and card as hubs of models hold them
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError
from ..model.bundle import BITS, DESCRIPTION, INDEX, load_bundle
from ..names import escape_name
from ..program import command, install_command
from ..train.config import read_toml
from .output import read_integer
from .training_run import show_log

CARD_WORDS = ("title", "summary", "data", "licence", "licence_url", "allows", "split", "limits", "sampling")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="the folder that `arietta train` wrote; a model, with --safetensors")
    parser.add_argument(
        "--out", type=Path, help="the model's folder; its name is the model's name (default RUN/bundle)"
    )
    parser.add_argument(
        "--bits",
        type=read_integer,
        choices=BITS,
        default=4,
        help="bits per weight: 4 for the feed-forward layers and 8 for the others, 8, or 32; more where music becomes "
        "less likely by it (default %(default)s)",
    )
    parser.add_argument("--card", type=Path, help=f"a TOML file with any of {', '.join(CARD_WORDS)}")
    parser.add_argument(
        "--safetensors", action="store_true", help="write a model's weights as safetensors, with its card"
    )
    parser.add_argument("--last", action="store_true", help="export the newest weights instead of the best")


def run(arguments: argparse.Namespace) -> int:
    try:
        from ..train.onnx.export import describe_training, export
        from ..train.onnx.hub import write_hub_folder
    except ImportError as error:
        raise ConfigError(f"exporting needs torch and onnx ({error}): {install_command('train')}") from error
    if arguments.safetensors:
        if arguments.out is None:
            raise ConfigError("--safetensors needs a folder to write: --out FOLDER")
        if (arguments.run / "best.pt").is_file() and not (arguments.run / DESCRIPTION).is_file():
            # A run holds a model where `arietta export RUN` put it.
            bundle = arguments.run / "bundle"
            first = "" if (bundle / DESCRIPTION).is_file() else f"`{command('export', arguments.run)}` first, then "
            raise ConfigError(
                f"{arguments.run}: a training run, and --safetensors takes a model: {first}"
                f"`{command('export', bundle, '--safetensors', '--out', arguments.out)}`"
            )
        write_hub_folder(load_bundle(arguments.run), arguments.out)
        files = ", ".join(sorted(path.name for path in arguments.out.iterdir()))
        print(escape_name(f"Wrote {arguments.out}: {files}"))
        return 0
    out = arguments.out or arguments.run / "bundle"
    words = read_toml(arguments.card) if arguments.card else {}
    for name in words:
        if name not in CARD_WORDS:
            raise ConfigError(f"{arguments.card}: a card has no {name!r}; it has {', '.join(CARD_WORDS)}")
    training = describe_training(arguments.run)
    data = training.get("corpus", {}).get("data")  # a run of an older version does not say it
    card = ({"data": data} if data else {}) | words | {"training": training}
    had_index = (out / INDEX).is_dir()
    show_log()
    bits = export(arguments.run / ("last.pt" if arguments.last else "best.pt"), out, card, bits=arguments.bits)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"Exported {escape_name(out)} ({size / 1e6:.1f} MB, {BITS[bits]}).")
    if had_index and not (out / INDEX).is_dir():
        print(
            "The index of passages that was there is of other music, and was left out; docs/use/judging.md "
            "says how to make a new one."
        )
    print(f"Try it:  {command('compose', '--model', out)}")
    return 0

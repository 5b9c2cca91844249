"""A run's folder: what it is (run.json), where it stands (last.pt), its best weights (best.pt), its log.

    run.json       effective settings, fingerprints of corpus and codec, seed, versions, machine
    metrics.jsonl  a line per report and per validation; lines after the checkpoint a run goes on from are taken back
    last.pt        all that is needed to go on exactly;  best.pt  the same without the optimiser

Checkpoints are read with weights_only=True, and written beside their place and renamed, so a kill leaves the old one.
"""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..codecs import load_codec
from ..codecs.codec import Codec
from ..errors import ConfigError
from ..files import write_file
from ..model.config import ModelConfig
from .config import describe_config
from .network import build_model
from .settings import RunSettings

RUN, METRICS, LAST, BEST = "run.json", "metrics.jsonl", "last.pt", "best.pt"
# What torch raises for a file that it cannot load, and a dictionary that holds other things than it should.
UNREADABLE = (OSError, EOFError, LookupError, TypeError, ValueError, RuntimeError, pickle.UnpicklingError)
CHANGEABLE = ("steps", "patience", "checkpoint_minutes", "log_every")  # of [train]; the rest would be another run

Content = dict[str, Any]


def write_checkpoint(path: Path, content: Content) -> None:
    buffer = io.BytesIO()  # a full disk then fails in write_file, as an OSError
    torch.save(content, buffer)
    write_file(path, buffer.getvalue())


def read_checkpoint(path: Path) -> Content:
    """Read what `write_checkpoint` wrote, on the CPU; raises ConfigError where it is none of ours."""
    try:
        content: Content = torch.load(path, map_location="cpu", weights_only=True)
        if not {"model", "config", "codec", "store", "step"} <= set(content):
            raise KeyError("model, config, codec, store or step is missing")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such checkpoint; `arietta train` writes last.pt and best.pt") from error
    except UNREADABLE as error:
        raise ConfigError(f"{path}: not a checkpoint of `arietta train` ({error})") from error
    return content


@dataclass(frozen=True)
class Trained:
    """A network with its weights, what it is, and the codec it speaks."""

    model: nn.Module
    config: ModelConfig
    codec: Codec


def load_trained(path: Path) -> Trained:
    """Build the model of a checkpoint with its weights, in evaluation mode; raises ConfigError or CodecError."""
    content = read_checkpoint(path)
    try:
        config = ModelConfig.from_description(content["config"])
        model = build_model(config)
        model.load_state_dict(content["model"])
    except (TypeError, AttributeError, RuntimeError) as error:
        raise ConfigError(f"{path}: its weights do not fit its description; train or fetch it again") from error
    return Trained(model.eval(), config, load_codec(content["codec"]))


def check_same_run(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise ConfigError where a folder's run and the one asked for differ in more than CHANGEABLE.

    Both are descriptions of settings, store and codec, nested; the message names the first difference. A setting that
    a run does not name, because it is newer than the run, has its default.
    """
    defaults = _flat({"settings": describe_config(RunSettings())})
    before, after = defaults | _flat(old), defaults | _flat(new)
    for name in sorted(set(before) | set(after)):
        if before.get(name) != after.get(name) and name not in {f"settings.train.{key}" for key in CHANGEABLE}:
            raise ConfigError(
                f"{folder}: holds a run with {name} = {before.get(name)}, and this one has {after.get(name)}; "
                "choose another --out, or the settings and corpus of that run"
            )


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_file(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def append_metrics(folder: Path, line: Mapping[str, Any]) -> None:
    with (folder / METRICS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Every whole line of the log, oldest first; a line that a kill cut short is left out."""
    path = folder / METRICS
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def take_back_metrics(folder: Path, step: int) -> None:
    """Leave out what was logged after `step`: the run will log it again."""
    kept = [line for line in read_metrics(folder) if line["step"] <= step]
    write_file(folder / METRICS, "".join(json.dumps(line) + "\n" for line in kept).encode())


def versions() -> dict[str, str]:
    """Versions of what computes, and the commit of this source where it is a checkout."""
    found = {"python": sys.version.split()[0], "torch": torch.__version__, "numpy": np.__version__}
    return found | ({"commit": commit} if (commit := _commit()) else {})


def _commit() -> str:
    """The commit that holds this very file, "" where it is in none."""
    here = Path(__file__)
    try:
        git = ["git", "-C", str(here.parent)]
        subprocess.run([*git, "ls-files", "--error-unmatch", here.name], check=True, capture_output=True)
        return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in content.items():
        is_table = isinstance(value, Mapping)
        found |= _flat(value, f"{prefix}{name}.") if is_table else {prefix + name: value}
    return found

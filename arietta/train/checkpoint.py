"""A run's folder: what the run is (run.json), its state (last.pt) and its best weights (best.pt); see `log` too.

    run.json   effective settings, fingerprints of corpus and codec, seed, versions, machine
    last.pt    all that is needed to go on exactly
    best.pt    the same without the optimiser

Checkpoints are read with weights_only=True, and written under another name and renamed, so a kill leaves the old one.
After torch's file, a zip archive, stand SEAL and the SHA-256 of all before; torch reads the file with or without.
"""

from __future__ import annotations

import hashlib
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
from ..untrusted import read_within
from .config import RunSettings, describe_config
from .network import build_model

RUN, LAST, BEST = "run.json", "last.pt", "best.pt"
SEAL, END = b"arietta sha256 ", b"PK\5\6"
LARGEST_CHECKPOINT = 64 * 2**30  # bytes; a network of 29 million parameters with its optimiser has 0.4 GB
# What torch raises for a file that it cannot load, and what a dictionary raises that lacks an expected key.
UNREADABLE = (
    OSError,
    EOFError,
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
    RuntimeError,
    pickle.UnpicklingError,
)
# Up to bundle format 3 the two conditions of a network went by these names.
RENAMED = {f"embedding.{name}.weight": f"embedding.conditions.{name}.weight" for name in ("composer", "source")}
# Settings of [train] in which a run may differ from its checkpoint's; others would make it another run.
CHANGEABLE = ("steps", "minutes", "patience", "snapshots", "workers", "checkpoint_minutes", "log_every")

Content = dict[str, Any]


def write_checkpoint(path: Path, content: Content) -> None:
    """Write a checkpoint whole, or leave the file that was there; raises OSError."""
    buffer = io.BytesIO()  # a full disk then fails in write_file, as an OSError
    torch.save(content, buffer)
    write_file(path, buffer.getvalue() + SEAL + hashlib.sha256(buffer.getbuffer()).digest())


def read_sealed(path: Path) -> Content:
    """Read any file of torch's that `write_checkpoint` wrote, on the CPU; raises one of UNREADABLE.

    An older one has no seal, and ends where torch's archive does.
    """
    data = read_within(path, LARGEST_CHECKPOINT)
    size = len(data) - len(SEAL) - hashlib.sha256().digest_size
    is_sealed = data[size:].startswith(SEAL)
    # Without a seal the last is the zip format's end of central directory, of 22 bytes where no comment follows.
    is_sound = data[-32:] == hashlib.sha256(memoryview(data)[:size]).digest() if is_sealed else data[-22:-18] == END
    if not is_sound:
        raise ValueError("its checksum differs: it was altered or cut off since it was written")
    content: Content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return content


def read_checkpoint(path: Path) -> Content:
    """Read what `write_checkpoint` wrote of a run; raises ConfigError where it is none of ours, or was altered."""
    try:
        content = read_sealed(path)
        if not {"model", "config", "codec", "store", "step"} <= set(content):
            raise KeyError("model, config, codec, store or step is missing")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such checkpoint; `arietta train` writes last.pt and best.pt") from error
    except UNREADABLE as error:
        raise ConfigError(
            f"{path}: not a checkpoint of `arietta train` ({error}); take the other of last.pt and best.pt"
        ) from error
    return content


@dataclass(frozen=True)
class Trained:
    """A network with its weights, its description, and its codec."""

    model: nn.Module
    config: ModelConfig
    codec: Codec


def load_trained(path: Path) -> Trained:
    """Build the model of a checkpoint with its weights, in evaluation mode; raises ConfigError or CodecError."""
    content = read_checkpoint(path)
    try:
        config = ModelConfig.from_description(content["config"])
        model = build_model(config)
        model.load_state_dict({RENAMED.get(name, name): weight for name, weight in content["model"].items()})
    except (TypeError, AttributeError, RuntimeError) as error:
        raise ConfigError(f"{path}: its weights do not fit its description; train or fetch it again") from error
    return Trained(model.eval(), config, load_codec(content["codec"]))


def check_same_run(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise ConfigError where a folder's run and the one asked for differ in more than CHANGEABLE.

    Both are descriptions of settings, store and codec, nested; the message names the first difference. A setting that
    a run does not name, because it is newer than the run, has its default.
    """
    defaults = _flatten({"settings": describe_config(RunSettings())})
    before, after = defaults | _flatten(old), defaults | _flatten(new)
    for name in sorted(set(before) | set(after)):
        if before.get(name) != after.get(name) and name not in {f"settings.train.{key}" for key in CHANGEABLE}:
            raise ConfigError(
                f"{folder}: holds a run with {name} = {before.get(name)}, and this one has {after.get(name)}; "
                "choose another --out, or the settings and corpus of that run"
            )


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write indented JSON in UTF-8, complete or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    # A path that is not UTF-8 has lone surrogates, which become JSON's own escapes, as \udce9.
    write_file(path, text.encode(errors="backslashreplace"))


def versions() -> dict[str, str]:
    """Versions of what computes, and the commit of this source where it is a checkout."""
    numbers = {"python": sys.version.split()[0], "torch": torch.__version__, "numpy": np.__version__}
    source = Path(__file__)
    git = ["git", "-C", str(source.parent)]
    try:
        # An installed package may lie inside another project's repository, whose commit is not ours.
        subprocess.run([*git, "ls-files", "--error-unmatch", source.name], check=True, capture_output=True)
        head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return numbers
    return numbers | {"commit": head}


def _flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested tables into one, its keys dotted."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        is_table = isinstance(value, Mapping)
        flat |= _flatten(value, f"{prefix}{name}.") if is_table else {prefix + name: value}
    return flat

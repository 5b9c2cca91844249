"""A small network that hears beats: how likely every fiftieth of a second is one, a downbeat, and at what pace.

Dilated convolutions over frames (Davies and Böck 2019, "Temporal convolutional networks for musical audio beat
tracking"), two frames to a step, in plain numpy. `train.beats` learns it from performances with annotated beats and
writes the file of weights; `decoding` makes beats and bars of what it says.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import BundleError
from ...files import added_models
from ...untrusted import BROKEN_ARRAY, MOST_JSON, parse_object, read_within
from ..notes import Notes, stretch
from .frames import COLUMNS, FRAME_RATE, frame_columns

if TYPE_CHECKING:
    from ...fetch import Fetch

PACKED = 2  # frames in a step of the network
KERNEL = 5  # steps that a convolution spans
DILATIONS = (1, 2, 4, 8, 16, 32, 64, 1, 4, 16)  # of the blocks
PERIODS_PER_OCTAVE, SHORTEST_PERIOD, PERIOD_COUNT = 8, 0.125, 36  # the paces that it tells apart: 0.125 s to 2.6 s
BAR_SIZES = (2, 3, 4)  # beats; one class more stands for all others
HEADS = PACKED + PACKED + PERIOD_COUNT + len(BAR_SIZES) + 1 + 1
VIEWS = (0, -2, 2)  # eighths of an octave slower: 16 % faster and 19 % slower beside the time that it has
MARGIN = 2.0  # seconds heard after the last onset

NETWORK_FOLDER, WEIGHTS, CARD = "beats", "weights.npz", "card.json"  # in the folder of a model, and in it
LARGEST_WEIGHTS = 16 * 2**20  # bytes
VARIABLE = "ARIETTA_BEATS"  # environment variable: "accents" leaves the network out, wherever it is installed

Weights = Mapping[str, NDArray[np.float32]]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class BeatActivations:
    """What the network says of each frame, as logarithms of odds or of shares.

    `beat`, `downbeat` float32 [T]: log odds; `period` [T, PERIOD_COUNT], `size` [T, 4]: log shares of the time from
    beat to beat and of the beats in a bar (2, 3, 4, others); `compound` [T]: log odds that beats are dotted.
    """

    beat: Floats
    downbeat: Floats
    period: Floats
    size: Floats
    compound: Floats


def installed_network() -> Path | None:
    """Return the folder of the network, beside the first installed model that brings one; None where none does."""
    if os.environ.get(VARIABLE) == "accents":
        return None
    found = (path.parent for folder in added_models() for path in sorted(folder.glob(f"*/{NETWORK_FOLDER}/{WEIGHTS}")))
    return next((path for path in found if not path.parent.name.startswith(".")), None)


def installed_weights() -> Weights | None:
    """Return the weights of the installed network, None where there is none; raises BundleError for damaged ones."""
    folder = installed_network()
    return None if folder is None else _load(folder, (folder / WEIGHTS).stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _load(folder: Path, _written: int) -> Weights:
    return load_weights(folder)


def network_licence(folder: Path) -> str:
    """Return the licence that the card of a network names."""
    try:
        return str(parse_object(read_within(folder / CARD, MOST_JSON)).get("licence", "not said"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{folder / CARD}: damaged ({error}); fetch the model again") from error


def load_weights(folder: Path) -> Weights:
    """Read a network; raises BundleError where a file is missing, altered or of another shape."""
    path = folder / WEIGHTS
    try:
        card = parse_object(read_within(folder / CARD, MOST_JSON))
        content = read_within(path, LARGEST_WEIGHTS)
        if hashlib.sha256(content).hexdigest() != card["sha256"]:
            raise BundleError(f"{path}: altered since it was written; fetch the model again")
        with np.load(io.BytesIO(content)) as arrays:
            weights = {name: arrays[name].astype(np.float32) for name in arrays.files}
        _forward(np.zeros((1, PACKED * COLUMNS), dtype=np.float32), weights)
    except (OSError, KeyError, *BROKEN_ARRAY) as error:
        raise BundleError(f"{path}: damaged, or of another version ({error}): fetch the model again") from error
    return weights


def fetch_network(url: str, folder: Path, fetch: Fetch) -> bool:
    """Fetch the network at `url` into `folder`; returns whether the server has one, and leaves no folder if not.

    `fetch(url, path)` fetches a file. Raises FetchError where the weights are missing, and whatever `fetch` raises.
    """
    from ...fetch import MissingError  # here: only a download needs it and what it imports, as http and ssl

    folder.mkdir(exist_ok=True)
    try:
        fetch(f"{url}/{CARD}", folder / CARD)
    except MissingError:
        shutil.rmtree(folder)  # an earlier download, broken off, may have left files here
        return False
    fetch(f"{url}/{WEIGHTS}", folder / WEIGHTS)
    return True


def beat_views(notes: Notes, weights: Weights) -> list[BeatActivations]:
    """Say what the network makes of a performance, played at the pace of each of VIEWS, in its own time."""
    frame_count = PACKED * int(np.ceil((float(notes.onset[-1]) + MARGIN) * FRAME_RATE / PACKED))
    return [_view(notes, eighths, frame_count, weights) for eighths in VIEWS]


def mean_activations(views: Sequence[BeatActivations]) -> BeatActivations:
    """Average what the network makes of several views."""
    columns = ([getattr(view, field.name) for view in views] for field in fields(BeatActivations))
    return BeatActivations(*(np.asarray(np.mean(column, axis=0), dtype=np.float32) for column in columns))


def _view(notes: Notes, eighths: int, frame_count: int, weights: Weights) -> BeatActivations:
    """Let the network hear a performance slowed by eighths of an octave, and bring what it says back to its time."""
    factor = 2 ** (eighths / PERIODS_PER_OCTAVE)
    steps = int(np.ceil(frame_count * factor / PACKED))
    columns = frame_columns(stretch(notes, factor), steps * PACKED).reshape(steps, PACKED * COLUMNS)
    stretched = split_heads(_forward(columns, weights))
    exact, frames = np.arange(frame_count) * factor, np.arange(steps * PACKED)
    beat, downbeat = (
        np.interp(exact, frames, odds).astype(np.float32) for odds in (stretched.beat, stretched.downbeat)
    )
    near = np.minimum(np.rint(exact).astype(np.int64), steps * PACKED - 1)
    paces = np.clip(np.arange(PERIOD_COUNT) + eighths, 0, PERIOD_COUNT - 1)
    period, size, compound = stretched.period[near[:, None], paces], stretched.size[near], stretched.compound[near]
    return BeatActivations(beat, downbeat, period, size, compound)


def split_heads(heads: Floats) -> BeatActivations:
    """Part the outputs [steps, HEADS] of the network."""
    beat, downbeat = heads[:, :PACKED].reshape(-1), heads[:, PACKED : 2 * PACKED].reshape(-1)
    sizes = 2 * PACKED + PERIOD_COUNT
    shares = (heads[:, 2 * PACKED : sizes], heads[:, sizes : sizes + len(BAR_SIZES) + 1])
    period, size = (np.repeat(_log_shares(logits), PACKED, axis=0) for logits in shares)
    return BeatActivations(beat, downbeat, period, size, np.repeat(heads[:, -1], PACKED))


def _log_shares(logits: Floats) -> Floats:
    raised = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(raised - np.log(np.exp(raised).sum(axis=1, keepdims=True)), dtype=np.float32)


def _forward(columns: Floats, weights: Weights) -> Floats:
    """Run the network over columns [steps, PACKED * COLUMNS]: outputs float32 [steps, HEADS]."""
    hidden = columns @ weights["in.weight"] + weights["in.bias"]
    for block, dilation in enumerate(DILATIONS):
        wide = _convolve(hidden, weights[f"{block}.weight"], dilation) + weights[f"{block}.bias"]
        wide = np.where(wide > 0, wide, np.expm1(np.minimum(wide, 0)))  # ELU
        hidden = hidden + wide @ weights[f"{block}.out.weight"] + weights[f"{block}.out.bias"]
    return np.asarray(np.maximum(hidden, 0) @ weights["heads.weight"] + weights["heads.bias"], dtype=np.float32)


def _convolve(hidden: Floats, kernel: Floats, dilation: int) -> Floats:
    """Convolve hidden [steps, width] with a kernel [KERNEL, width, width], the middle of it on each step."""
    reach = KERNEL // 2 * dilation
    padded = np.pad(hidden, ((reach, reach), (0, 0)))
    total = np.zeros((len(hidden), kernel.shape[2]), dtype=np.float32)
    for tap in range(KERNEL):
        total += padded[tap * dilation : tap * dilation + len(hidden)] @ kernel[tap]
    return total

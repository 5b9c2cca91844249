"""From a trained network to the file that ships: fewer, even dimensions, and a head for the composers one may meet.

The network's last dimensions are turned, each is scaled to a deviation of 1 over the music it learned from, and all is
folded into its last layer: a Frechet distance then counts them alike. The first one tells what is whole from what is
put together, and the others are those in which music differs most otherwise. The head keeps the composers that are
asked for, and is made as sure as it is right on the validation side.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...corpus.store import Piece, Store
from ...evaluation.embedding import HEAD_DIMENSIONS, Weights, cut_windows, features, forward
from ...files import write_file
from ...music.notes import excerpt
from ...music.windows import draw_window
from .training import Learner, folded

NOTES = 300  # of each piece, from somewhere in it
SHARPNESS = np.geomspace(0.25, 4.0, 97)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shipped:
    """What the file holds: the network with its last layer turned, `head.weight` [D, C], `head.bias` [C], C names."""

    weights: Weights
    composers: tuple[str, ...]


def trained(learner: Learner) -> Shipped:
    """The network as it was trained, with all its composers; its embeddings have the network's own dimensions."""
    heads = {
        "head.weight": learner.head.weight.detach().numpy().T,
        "head.bias": learner.head.bias.detach().numpy(),
        "whole.weight": learner.wholeness.weight.detach().numpy()[0],
    }
    return Shipped(folded(learner.network) | heads, learner.library.composers)


def embed_pieces(
    shipped: Shipped,
    store: Store,
    pieces: Sequence[Piece],
    seed: int = 0,
    progress: Callable[[float, float], None] | None = None,
) -> Floats:
    """Embed 300 notes from somewhere in each piece, or all of a shorter one: float64 [P, D]."""
    rng, found = np.random.default_rng(seed), []
    for piece in pieces:
        windows = cut_windows(draw_window(store.notes(piece.index), NOTES, rng, cut=excerpt))
        found.append(forward(shipped.weights, features(windows)).mean(axis=0, dtype=np.float64))
        if progress:
            progress(len(found), len(pieces))
    return np.array(found)


def turn(shipped: Shipped, music: Floats, dimensions: int = HEAD_DIMENSIONS) -> Shipped:
    """Keep the dimension of wholeness and those in which `music` [N, W] differs most once that is taken from it.

    Each has mean 0 and deviation 1 over `music`, and none goes with another. What the head says of a piece stays the
    same but for the dimensions left out.
    """
    weights = dict(shipped.weights)
    whole = weights.pop("whole.weight").astype(np.float64)
    centre, apart = music.mean(axis=0), music - music.mean(axis=0)
    whole = whole / (apart @ whole).std(ddof=1)
    wholeness = apart @ whole
    along = apart.T @ wholeness / (wholeness @ wholeness)  # what goes with wholeness
    _, values, axes = np.linalg.svd(apart - np.outer(wholeness, along), full_matrices=False)
    axes, deviations = axes[: dimensions - 1], values[: dimensions - 1] / np.sqrt(len(music) - 1)
    others = (np.eye(len(centre)) - np.outer(whole, along)) @ (axes.T / deviations)
    turned = np.concatenate([whole[:, None], others], axis=1)
    back = np.concatenate([along[None], axes * deviations[:, None]])
    changed = {
        "out.weight": weights["out.weight"] @ turned,
        "out.bias": (weights["out.bias"] - centre) @ turned,
        "head.weight": back @ weights["head.weight"],
        "head.bias": weights["head.bias"] + centre @ weights["head.weight"],
    }
    return Shipped(weights | {name: value.astype(np.float32) for name, value in changed.items()}, shipped.composers)


def keep(shipped: Shipped, composers: Sequence[str]) -> Shipped:
    """Leave only these composers in the head; raises ValueError where it never had one of them."""
    places = [shipped.composers.index(name) for name in composers]
    weights = dict(shipped.weights)
    heads = {"head.weight": weights["head.weight"][:, places], "head.bias": weights["head.bias"][places]}
    return Shipped(weights | heads, tuple(composers))


def sharpen(shipped: Shipped, heard: Floats, composers: Sequence[str]) -> Shipped:
    """Scale the head so that the composers of pieces `heard` [P, D] are likeliest (Guo et al. 2017)."""
    places = np.array([shipped.composers.index(name) for name in composers])
    logits = heard @ shipped.weights["head.weight"] + shipped.weights["head.bias"]
    logits = logits - logits.max(axis=1, keepdims=True)
    losses = []
    for sharpness in SHARPNESS:
        scaled = sharpness * logits
        losses.append(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(places)), places]))
    best = np.float32(SHARPNESS[int(np.argmin(losses))])
    weights = dict(shipped.weights)
    return Shipped(weights | {name: weights[name] * best for name in ("head.weight", "head.bias")}, shipped.composers)


def write_embedding(path: Path, shipped: Shipped) -> None:
    """Write the file that `embedding` reads, in 16 bits."""
    content = io.BytesIO()
    columns = {name: value.astype(np.float16) for name, value in sorted(shipped.weights.items())}
    np.savez(content, composers=np.array(shipped.composers), allow_pickle=False, **columns)
    write_file(path, content.getvalue())

"""From a trained network to the file that ships: fewer, uncorrelated dimensions, and a head of chosen composers.

`whiten` projects the network's embeddings to dimensions that have mean 0 and deviation 1 and are uncorrelated over the
music it learned from, and folds this into the network's last layer: a Frechet distance then counts them alike. The
first dimension tells contiguous windows from shuffled ones; the others are those in which music differs most
otherwise. `select_composers` leaves the composers asked for in the head, and `calibrate` scales it so that it is as
sure as it is right on the validation side.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...corpus.store import Piece, Store
from ...evaluation.embedding import HEAD_DIMENSIONS, Weights, features, forward, overlapping_windows
from ...files import write_file
from ...music.notes import excerpt
from ...music.windows import draw_window
from .training import EmbeddingTrainer, fold_norms

NOTES = 300  # of each piece, from somewhere in it
SHARPNESS = np.geomspace(0.25, 4.0, 97)  # factors tried: steps of 3 %

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EmbeddingFile:
    """What the file holds: a network with its last layer projected, `head.weight` [D, C], `head.bias` [C], C names."""

    weights: Weights
    composers: tuple[str, ...]


def from_trainer(trainer: EmbeddingTrainer) -> EmbeddingFile:
    """Take the network as it was trained, with all its composers and its own dimensions."""
    heads = {
        "head.weight": trainer.head.weight.detach().numpy().T,
        "head.bias": trainer.head.bias.detach().numpy(),
        "contiguity.weight": trainer.contiguity.weight.detach().numpy()[0],
    }
    return EmbeddingFile(fold_norms(trainer.network) | heads, trainer.library.composers)


def embed_pieces(
    file: EmbeddingFile,
    store: Store,
    pieces: Sequence[Piece],
    seed: int = 0,
    progress: Callable[[float, float], None] | None = None,
) -> Floats:
    """Embed 300 notes from somewhere in each piece, or all of a shorter one: float64 [P, D]."""
    rng, embeddings = np.random.default_rng(seed), []
    for piece in pieces:
        windows = overlapping_windows(draw_window(store.notes(piece.index), NOTES, rng, cut=excerpt))
        embeddings.append(forward(file.weights, features(windows)).mean(axis=0, dtype=np.float64))
        if progress:
            progress(len(embeddings), len(pieces))
    return np.array(embeddings)


def whiten(file: EmbeddingFile, music: Floats, dimensions: int = HEAD_DIMENSIONS) -> EmbeddingFile:
    """Project to the dimension of contiguity and those in which `music` [N, W] differs most once that is removed.

    Embeddings x (rows) become z = (x - m) p, with the mean m over the music and p [W, D]. Let w be the weights of the
    contiguity head, scaled so that c = (X - m) w has deviation 1 over the music X, and a = (X - m)' c / (c' c) what an
    embedding changes with c. Without c, the music is R = (X - m) - c a'; v are its D - 1 axes of largest deviation
    (rows, by singular value decomposition), and s their deviations. Then

        p = [w, (I - w a') v' / s]        q = [a'; s v]        x ~ m + z q

    so z has deviation 1 and no correlations. The last layer x = h A + b becomes z = h A p + (b - m) p, and the head
    x H + k becomes z q H + m H + k: its logits stay the same but for the dimensions left out.
    """
    weights = dict(file.weights)
    w = weights.pop("contiguity.weight").astype(np.float64)
    m = music.mean(axis=0)
    centred = music - m
    w = w / (centred @ w).std(ddof=1)
    c = centred @ w
    a = centred.T @ c / (c @ c)
    _, singular, v = np.linalg.svd(centred - np.outer(c, a), full_matrices=False)
    v, s = v[: dimensions - 1], singular[: dimensions - 1] / np.sqrt(len(music) - 1)
    p = np.concatenate([w[:, None], (np.eye(len(m)) - np.outer(w, a)) @ (v.T / s)], axis=1)
    q = np.concatenate([a[None], v * s[:, None]])
    projected = {
        "out.weight": weights["out.weight"] @ p,
        "out.bias": (weights["out.bias"] - m) @ p,
        "head.weight": q @ weights["head.weight"],
        "head.bias": weights["head.bias"] + m @ weights["head.weight"],
    }
    narrow = {name: matrix.astype(np.float32) for name, matrix in projected.items()}
    return EmbeddingFile(weights | narrow, file.composers)


def select_composers(file: EmbeddingFile, composers: Sequence[str]) -> EmbeddingFile:
    """Leave only these composers in the head; raises ValueError where it never had one of them."""
    columns = [file.composers.index(name) for name in composers]
    weights = dict(file.weights)
    heads = {"head.weight": weights["head.weight"][:, columns], "head.bias": weights["head.bias"][columns]}
    return EmbeddingFile(weights | heads, tuple(composers))


def calibrate(file: EmbeddingFile, embeddings: Floats, composers: Sequence[str]) -> EmbeddingFile:
    """Scale the head so that the composers of pieces with these `embeddings` [P, D] are likeliest.

    Temperature scaling (Guo et al. 2017); a grid does where one number is sought.
    """
    columns = np.array([file.composers.index(name) for name in composers])
    logits = embeddings @ file.weights["head.weight"] + file.weights["head.bias"]
    logits = logits - logits.max(axis=1, keepdims=True)
    losses = []
    for sharpness in SHARPNESS:
        scaled = sharpness * logits
        losses.append(np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(columns)), columns]))
    best = np.float32(SHARPNESS[int(np.argmin(losses))])
    weights = dict(file.weights)
    scaled_head = {name: weights[name] * best for name in ("head.weight", "head.bias")}
    return EmbeddingFile(weights | scaled_head, file.composers)


def write_embedding(path: Path, file: EmbeddingFile) -> None:
    """Write the file that `evaluation/embedding` reads, in 16 bits."""
    content = io.BytesIO()
    arrays = {name: array.astype(np.float16) for name, array in sorted(file.weights.items())}
    # Without pickle, which is never loaded.
    np.savez(content, composers=np.array(file.composers), allow_pickle=False, **arrays)
    write_file(path, content.getvalue())

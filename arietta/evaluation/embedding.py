"""An embedding of piano music, from a small frozen network that ships with the package.

The network was trained on GiantMIDI-Piano's training side to tell composers apart, works apart, and contiguous from
shuffled music. It is not the one that composes, which would judge itself. Its input are windows of 128 notes: pitches
and their intervals, chords, rhythm, lengths and the course of the velocities, not their level. The forward pass is
plain numpy. `frechet` compares sets of embeddings, `predict_composers` names composers by them, and `train.embedding`
trains the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..music.chords import number_chords_by_gap, order_by_chord
from ..music.notes import Notes

WEIGHTS = Path(__file__).with_name("embedding-1.npz")  # the number is the version of the weights
WINDOW, HOP = 128, 64  # notes
MOST_WINDOWS = 64  # of a long piece, evenly spread
CHORD_REACH, PAST_REACH = 4, 12  # notes on either side that may share its chord; notes before it that it follows

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]

_REGISTERS = np.linspace(27, 101, 8, dtype=np.float32)  # pitches
_STEPS = np.linspace(-6, 1, 8, dtype=np.float32)  # log2 of seconds: 16 ms to 2 s
_LENGTHS = np.linspace(-4.5, 1.5, 6, dtype=np.float32)  # log2 of seconds: 44 ms to 2.8 s
_LARGEST_STEP = 12  # semitones: larger ones count as an octave
_EVENEST = 4.0  # the least spread that velocities are divided by: even playing is not exaggerated
FEATURES = 12 + len(_REGISTERS) + 2 * _LARGEST_STEP + 1 + 12 + 12 + len(_STEPS) + len(_LENGTHS) + 1


@dataclass(frozen=True)
class Layer:
    """A convolution over the notes; one that `adds` is a residual block: a second convolution, added to its input."""

    name: str
    width: int
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    adds: bool = False


LAYERS = (
    Layer("stem", 96, kernel=5),
    Layer("halved", 128, stride=2),
    Layer("first", 128, adds=True),
    Layer("second", 128, dilation=2, adds=True),
    Layer("quartered", 128, stride=2),
    Layer("third", 128, adds=True),
    Layer("fourth", 128, dilation=2, adds=True),
)
HEAD_DIMENSIONS = 32  # input of the classifier of composers
DIMENSIONS = 16  # the first of them, the embedding: enough to rank all kinds of corruption, few enough for small sets


@dataclass(frozen=True)
class WindowBatch:
    """Windows [B, T] of notes in the order of `order_by_chord`; onset and duration are in seconds."""

    onset: NDArray[np.float64]
    duration: NDArray[np.float64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.float64]


def embed(notes: Notes) -> NDArray[np.float64] | None:
    """Embed a piece, float64 [D], the mean over its windows; None below 128 notes.

    Each dimension has mean 0 and standard deviation 1 over the training music. The first tells contiguous (high) from
    shuffled music; in the others music differs less and less.
    """
    embedding = _embed_all(notes)
    return None if embedding is None else embedding[:DIMENSIONS]


def predict_composers(notes: Notes, most: int = 5) -> list[tuple[str, float]]:
    """Name the composers that a piece sounds most like, each with its share, likeliest first; none below 128 notes.

    The shares of all composers known to the network add up to 1, so music of anybody else is given to one of them.
    """
    embedding, head = _embed_all(notes), _shipped()
    if embedding is None:
        return []
    logits = embedding @ head.weights["head.weight"] + head.weights["head.bias"]
    odds = np.exp(logits - logits.max())
    likeliest = np.argsort(-odds, kind="stable")[:most]
    return [(head.composers[index], float(odds[index] / odds.sum())) for index in likeliest]


def known_composers() -> tuple[str, ...]:
    """Return all composers that `predict_composers` can name."""
    return _shipped().composers


def _embed_all(notes: Notes) -> NDArray[np.float64] | None:
    """Embed a piece in all dimensions, float64 [HEAD_DIMENSIONS]."""
    windows = overlapping_windows(notes)
    if not len(windows.pitch):
        return None
    return np.asarray(forward(_shipped().weights, features(windows)).mean(axis=0, dtype=np.float64))


def overlapping_windows(notes: Notes) -> WindowBatch:
    """Cut a piece into windows of 128 notes, one every 64 and one at its end, or 64 of them; none below 128 notes."""
    order = order_by_chord(notes)
    last = len(notes) - WINDOW
    starts = np.unique([*range(0, last + 1, HOP), last]) if last >= 0 else np.empty(0, dtype=np.int64)
    if len(starts) > MOST_WINDOWS:
        starts = starts[np.linspace(0, len(starts) - 1, MOST_WINDOWS).astype(np.int64)]
    rows = order[starts[:, None] + np.arange(WINDOW)]  # [B, T]: note numbers of each window
    return WindowBatch(
        notes.onset[rows], notes.duration[rows], notes.pitch[rows].astype(np.int64), notes.velocity[rows].astype(float)
    )


def features(windows: WindowBatch) -> Floats:
    """Compute the network's input float32 [B, T, FEATURES], none of it by absolute time or velocity."""
    # The level of loudness and the place in the piece depend on the recording and the window, not on the music.
    steps = np.diff(windows.onset, axis=1, prepend=windows.onset[:, :1])
    velocity = windows.velocity - windows.velocity.mean(axis=1, keepdims=True)
    spread = np.maximum(velocity.std(axis=1, keepdims=True), _EVENEST)
    jumps = np.diff(windows.pitch, axis=1, prepend=windows.pitch[:, :1]).clip(-_LARGEST_STEP, _LARGEST_STEP)
    chord = number_chords_by_gap(windows.onset)
    parts = (
        _indicators(windows.pitch % 12, 12),
        _bumps(windows.pitch.astype(np.float32), _REGISTERS),
        _indicators(jumps + _LARGEST_STEP, 2 * _LARGEST_STEP + 1),
        _chord_mates(windows.pitch, chord),
        _past(windows.pitch, chord),
        _bumps(np.log2(np.maximum(steps, 2.0**-6)), _STEPS),
        _bumps(np.log2(np.maximum(windows.duration, 2.0**-5)), _LENGTHS),
        (velocity / spread)[:, :, None].astype(np.float32),
    )
    return np.concatenate(parts, axis=2)


def _indicators(classes: NDArray[np.int64], count: int) -> Floats:
    return np.asarray(np.eye(count, dtype=np.float32)[classes])


def _bumps(values: NDArray[np.floating], centres: Floats) -> Floats:
    """Return how near values are to each of evenly spaced centres, 0 to 1; those beyond the ends count as the ends."""
    width = centres[1] - centres[0]
    away = (np.clip(values, centres[0], centres[-1]).astype(np.float32)[:, :, None] - centres) / width
    return np.asarray(np.exp(-(away**2)), dtype=np.float32)


def _chord_mates(pitch: NDArray[np.int64], chord: NDArray[np.int64]) -> Floats:
    """Pitch classes struck together with each note, counted from its own: float32 [B, T, 12]."""
    # A loop over lags instead of chords: each step handles the notes of all windows at once.
    classes = np.zeros((*pitch.shape, 12), dtype=np.float32)
    for lag in range(1, CHORD_REACH + 1):
        together = (chord[:, lag:] == chord[:, :-lag])[:, :, None]
        up = pitch[:, lag:] - pitch[:, :-lag]
        classes[:, :-lag] += together * _indicators(up % 12, 12)
        classes[:, lag:] += together * _indicators(-up % 12, 12)
    return np.minimum(classes, 1.0)


def _past(pitch: NDArray[np.int64], chord: NDArray[np.int64]) -> Floats:
    """Pitch classes just before each note's chord, counted from its own and fading with distance: [B, T, 12]."""
    classes = np.zeros((*pitch.shape, 12), dtype=np.float32)
    for lag in range(1, PAST_REACH + 1):
        apart = (chord[:, lag:] != chord[:, :-lag])[:, :, None]
        down = (pitch[:, :-lag] - pitch[:, lag:]) % 12
        classes[:, lag:] += apart * _indicators(down, 12) * np.float32(0.85**lag)
    return classes


def forward(weights: Weights, hidden: Floats) -> Floats:
    """Run the network: features float32 [B, T, FEATURES] -> embeddings float32 [B, D]."""
    for layer in LAYERS:  # as train.embedding.training has them in torch
        out = _convolve(weights, layer.name, hidden, layer)
        if layer.adds:
            out = hidden + _convolve(weights, f"{layer.name}_again", np.maximum(out, 0), layer)
        hidden = np.maximum(out, 0)
    # The mean says how often a feature occurs, the maximum whether it occurs at all.
    pooled = np.concatenate([hidden.mean(axis=1), hidden.max(axis=1)], axis=1)
    return np.asarray(pooled @ weights["out.weight"] + weights["out.bias"])


def _convolve(weights: Weights, name: str, hidden: Floats, layer: Layer) -> Floats:
    """Convolve [B, T, C] with `name.weight` [kernel * C, width], zeros beyond the ends."""
    around, length = layer.dilation * (layer.kernel - 1) // 2, hidden.shape[1]
    padded = np.pad(hidden, ((0, 0), (around, around), (0, 0)))
    # A convolution as one product of matrices: the shifted copies side by side, one for each tap of the kernel.
    begins = range(0, layer.kernel * layer.dilation, layer.dilation)
    stacked = np.concatenate([padded[:, begin : begin + length : layer.stride] for begin in begins], axis=2)
    return np.asarray(stacked @ weights[f"{name}.weight"] + weights[f"{name}.bias"])


@dataclass(frozen=True)
class _Shipped:
    weights: Weights
    composers: tuple[str, ...]


@cache
def _shipped() -> _Shipped:
    """Load the weights, which are stored in 16 bits, and the composers of the classifier, once."""
    with np.load(WEIGHTS, allow_pickle=False) as file:
        columns = {name: file[name] for name in file.files}
    names = tuple(columns.pop("composers").tolist())
    return _Shipped({name: column.astype(np.float32) for name, column in columns.items()}, names)

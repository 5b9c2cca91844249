"""The first seed's protocol, twice: with its own leaky split, and with an honest one.

    python -m benchmarks.quality.seed_lstm FOLDER_OF_THE_16_GRIEG_FILES [--epochs 30] [--folds 1] [--threads 1]

The seed (a student project on Grieg's piano pieces from piano-midi.de): notes and chords of each hand as symbols,
those seen fewer than 50 times dropped; windows of 50 symbols, each to predict the next; two LSTM layers of 288,
dropout 0.1, a dense layer of 288, softmax; Adam at 0.003, batches of 128. It split its overlapping windows at random,
80 to 20, and reported an accuracy of 0.5757.

    leaky   as the seed did: neighbouring windows, which share 49 of their 50 symbols, stand on both sides, and so do
            the repeats of every piece. The network is asked for what it was shown.
    honest  a fifth of the pieces held out whole: what it learned about music, not about these files. --folds 5 holds
            out each piece once, in five trainings.

Prints a JSON line per split: best accuracy and its epoch, accuracy at the end, and that of always naming the commonest
symbol of the training side.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from arietta.music.midi import read_midi
from arietta.music.midi.smf import parse
from arietta.music.notes import Notes
from arietta.train.hardware import has_fast_bfloat16
from benchmarks.quality.chord_codec import ChordCodec

WINDOW, WIDTH, BATCH, RATE, DROPOUT = 50, 288, 128, 0.003, 0.1  # the seed's own
FOLDS = 5  # a fifth is held out, as many symbols as the seed held out
SEEDS_ACCURACY = 0.5757


@dataclass(frozen=True)
class Windows:
    """`symbols` int64 [N, 50], the `following` symbol int64 [N], and the `piece` each window is from, int64 [N]."""

    symbols: NDArray[np.int64]
    following: NDArray[np.int64]
    piece: NDArray[np.int64]


class SeedLstm(nn.Module):
    """Symbols [B, 50] -> logits of the next one [B, V], as the seed built it."""

    def __init__(self, symbol_count: int) -> None:
        super().__init__()
        self.table = nn.Embedding(symbol_count, WIDTH)
        self.lstm = nn.LSTM(WIDTH, WIDTH, 2, dropout=DROPOUT, batch_first=True)
        self.dense = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Dropout(DROPOUT))
        self.out = nn.Linear(WIDTH, symbol_count)

    def forward(self, symbols: Tensor) -> Tensor:
        hidden, _ = self.lstm(self.table(symbols))
        logits: Tensor = self.out(self.dense(hidden[:, -1]))
        return logits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--folds", type=int, default=1, choices=range(1, FOLDS + 1))
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pieces = [hands(path) for path in sorted(arguments.folder.glob("*.mid"))]
    codec = ChordCodec.learn(hand for piece in pieces for hand in piece)
    windows = cut([np.concatenate([codec.encode(hand)[:, 0] for hand in piece]).astype(np.int64) for piece in pieces])
    for name, sides in (("leaky", [leaky(windows)]), ("honest", honest(windows, len(pieces))[: arguments.folds])):
        began = time.perf_counter()
        figures = measure(windows, sides, codec.field_sizes[0], arguments.epochs, name)
        labels = {"name": f"seed_lstm/{name}", "symbols": codec.field_sizes[0], "windows": len(windows.piece)}
        taken = {"epochs": arguments.epochs, "seconds_taken": round(time.perf_counter() - began)}
        print(json.dumps(labels | figures | taken), flush=True)


def hands(path: Path) -> list[Notes]:
    """The tracks of a file that have notes: the seed read them one after the other."""
    tracks = range(len(parse(path.read_bytes()).tracks))
    return [notes for notes in (read_midi(path, tracks=[track]) for track in tracks) if len(notes)]


def cut(pieces: list[NDArray[np.int64]]) -> Windows:
    """Cut every piece into windows of 50 with a stride of 1."""
    parts = [
        np.lib.stride_tricks.sliding_window_view(symbols, WINDOW + 1) for symbols in pieces if len(symbols) > WINDOW
    ]
    indices = [index for index, symbols in enumerate(pieces) if len(symbols) > WINDOW]
    windows = np.concatenate(parts)
    return Windows(windows[:, :-1], windows[:, -1], np.repeat(indices, [len(part) for part in parts]))


def leaky(windows: Windows) -> NDArray[np.bool_]:
    """The held-out side of the seed: a fifth of the windows, drawn at random."""
    return np.random.default_rng(0).random(len(windows.piece)) < 0.2


def honest(windows: Windows, piece_count: int) -> list[NDArray[np.bool_]]:
    """Held-out sides by piece: a fifth of the pieces each."""
    order = np.random.default_rng(0).permutation(piece_count)
    return [np.isin(windows.piece, order[fold::FOLDS]) for fold in range(FOLDS)]


def measure(
    windows: Windows, sides: list[NDArray[np.bool_]], symbol_count: int, epochs: int, name: str
) -> dict[str, object]:
    """Train once per side and average the held-out accuracies, weighted by their windows."""
    curves, commonest = [], []
    for fold, held_out in enumerate(sides):
        curves.append(train(windows, held_out, symbol_count, epochs, f"{name} {fold + 1}/{len(sides)}"))
        guess = np.bincount(windows.following[~held_out]).argmax()
        commonest.append(float((windows.following[held_out] == guess).mean()))
    weights = [int(held_out.sum()) for held_out in sides]
    curve = np.average(curves, axis=0, weights=weights)
    return {
        "best_accuracy": round(float(curve.max()), 4),
        "best_epoch": int(curve.argmax()) + 1,
        "last_accuracy": round(float(curve[-1]), 4),
        "commonest_symbol_accuracy": round(float(np.average(commonest, weights=weights)), 4),
        "seeds_own_accuracy": SEEDS_ACCURACY,
    }


def train(
    windows: Windows, held_out: NDArray[np.bool_], symbol_count: int, epochs: int, name: str
) -> NDArray[np.float64]:
    """Train as the seed did; returns the held-out accuracy after each epoch, float64 [epochs]."""
    torch.manual_seed(0)
    model = SeedLstm(symbol_count)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    symbols, following = torch.from_numpy(windows.symbols.copy()), torch.from_numpy(windows.following.copy())
    learning, testing = (torch.from_numpy(np.flatnonzero(side)) for side in (~held_out, held_out))
    accuracies = []
    for _ in tqdm(range(epochs), desc=name, unit="epoch"):
        model.train()
        for chosen in learning[torch.randperm(len(learning))].split(BATCH):
            optimiser.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16(is_cuda=False)):
                logits = model(symbols[chosen])
            nn.functional.cross_entropy(logits.float(), following[chosen]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
        schedule.step()
        accuracies.append(accuracy(model, symbols[testing], following[testing]))
    return np.array(accuracies)


@torch.no_grad()
def accuracy(model: nn.Module, symbols: Tensor, following: Tensor) -> float:
    model.eval()
    guesses = torch.cat([model(part).argmax(-1) for part in symbols.split(1024)])
    return float((guesses == following).double().mean())


if __name__ == "__main__":
    main()

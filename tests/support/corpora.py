"""A corpus of made tunes, written straight into a store: what training is tested on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from arietta.corpus.store import Store, StoreWriter, open_store
from arietta.music.notes import Notes

SPLITS = ("train", "train", "train", "train", "validation", "test")
COMPOSERS = ("Edvard Grieg", "Frédéric Chopin")


def scale(seed: int, note_count: int) -> Notes:
    """A tune that can be learned: up and down a scale in even time, sometimes pedalled, each seed from another key."""
    rng = np.random.default_rng(seed)
    steps = np.abs((np.arange(note_count) + seed) % 14 - 7)
    pitch = 50 + seed % 12 + np.array([0, 2, 4, 5, 7, 9, 11, 12])[steps]
    onset = 0.25 * np.arange(note_count) + rng.uniform(0, 0.01, note_count)
    presses = [(8.0 * k + 0.5, 8.0 * k + 2.5) for k in range(note_count // 32)]
    return Notes.of(onset, np.full(note_count, 0.2), pitch, rng.integers(50, 90, note_count), presses)


def make_store(folder: Path, *, pieces: list[Notes] | None = None, splits: tuple[str, ...] = SPLITS) -> Store:
    """Write and open a corpus: piece k is `pieces[k]` (a scale of 300 notes when None) in split `splits[k]`."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = [scale(seed, 300) for seed in range(len(splits))] if pieces is None else pieces
    writer = StoreWriter(folder)
    spans = [writer.append(notes) for notes in pieces]
    writer.finish([_line(k, notes, splits[k]) for k, notes in enumerate(pieces)], spans)
    return open_store(folder)


def _line(index: int, notes: Notes, split: str) -> dict[str, object]:
    return {
        "file": f"{index}.mid",
        "folder": "made",
        "sha256": f"{index:064x}",
        "state": "kept",
        "reason": "",
        "index": index,
        "notes": len(notes),
        "seconds": notes.seconds,
        "composer": COMPOSERS[index % 2],
        "title": f"Scale {index}",
        "work": f"scale {index}",
        "split": split,
        "source": "sequenced",
        "corpus": "own",
        "licence": "CC0",
    }

"""Takes of a model and windows of real music, of equally many notes: what benchmarks of takes hold against each other.

Real windows come from somewhere in each piece of one side of a corpus, the same ones for the same seed. Takes may be
composed as the command composes them, or without the guard against loops.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from arietta.corpus.store import Piece, Store
from arietta.errors import RequestError
from arietta.generation.batch import generate_all
from arietta.generation.request import Request, Take
from arietta.model.bundle import Bundle, condition_of
from arietta.model.config import NO_STYLE
from arietta.model.engine import OnnxEngine
from arietta.model.sampling import MODEL_DEFAULTS, Sampling
from arietta.music.notes import Notes, window
from arietta.music.windows import draw_window
from benchmarks.shared.report import commit


def compose_all(
    requests: Sequence[Request], engine: OnnxEngine, *, task: str = "composing", is_guarded: bool = True
) -> list[Take]:
    """Compose in company, at most sixteen at a time; the takes in the order of their requests."""
    composed = generate_all(requests, engine, is_guarded=is_guarded)
    takes = {take.request: take for take in tqdm(composed, desc=task, total=len(requests), unit="take", mininterval=5)}
    return [takes[request.resolve(engine.bundle)] for request in requests]


def matched(
    pieces: Sequence[Piece], bundle: Bundle, note_count: int, sampling: Sampling = MODEL_DEFAULTS
) -> list[Request]:
    """Ask for a take for each piece, seeds counted up, in its composer's style where the model knows one."""
    return [
        Request(note_count, style=known_style(piece.composer, bundle), seed=seed, sampling=sampling)
        for seed, piece in enumerate(pieces)
    ]


def known_style(composer: str, bundle: Bundle) -> str:
    """The composer's name, or "none" where the model does not know it."""
    try:
        condition_of(composer, bundle)
    except RequestError:
        return NO_STYLE
    return composer


def side(store: Store, corpus: str, split: str, note_count: int) -> list[Piece]:
    """Pieces of one side of a corpus that have so many notes."""
    return [
        piece for piece in store.pieces if (piece.corpus, piece.split) == (corpus, split) and piece.notes >= note_count
    ]


def somewhere(store: Store, pieces: Sequence[Piece], note_count: int, *, seed: int = 0) -> list[Notes]:
    """A window from somewhere in each piece."""
    rng = np.random.default_rng(seed)
    return [draw_window(store.notes(piece.index), note_count, rng) for piece in pieces]


def everywhere(store: Store, pieces: Sequence[Piece], note_count: int) -> Iterator[Notes]:
    """All windows of each piece, one after the other; what is left over at its end is not used."""
    for piece in pieces:
        notes = store.notes(piece.index)
        for start in range(0, len(notes) - note_count + 1, note_count):
            yield window(notes, start, start + note_count)


def tell(name: str, **figures: object) -> None:
    """Print one case as a JSON line, numbers with four digits that count."""
    rounded = {key: _rounded(value) for key, value in figures.items()}
    print(json.dumps({"name": name} | rounded | {"commit": commit()}), flush=True)


def _rounded(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_rounded(element) for element in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value

"""A small corpus of tunes with its index of passages: what originality is tested on."""

from __future__ import annotations

import shutil
from pathlib import Path

from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.model.bundle import INDEX, load_bundle
from arietta.model.engine import load_engine
from arietta.music.notes import Notes
from arietta.originality.baseline import PERCENTILES
from arietta.originality.build import DEFAULT_BYTES, build_index
from arietta.originality.index import IndexedPiece, PassageIndex, extend_description
from tests.support.tunes import tune

TUNES = [tune(seed, 300 + 40 * seed) for seed in range(8)]


def about(number: int, notes: Notes, work: str = "") -> IndexedPiece:
    """Describe piece `number`; what the index fills in is left at 0."""
    work = work or f"work {number}"
    return IndexedPiece(number, 0, len(notes), 0.0, 0.0, f"{number}.mid", "own", "Nobody", f"Tune {number}", work)


def indexed(
    folder: Path, tunes: list[Notes] = TUNES, *, works: list[str] | None = None, at_most: int = DEFAULT_BYTES
) -> PassageIndex:
    """Build the index of some tunes, piece i playing `works[i]`."""
    pieces = [about(number, notes, works[number] if works else "") for number, notes in enumerate(tunes)]
    return build_index(folder, pieces, tunes.__getitem__, corpus="0" * 16, at_most=at_most)


def borrowing(folder: Path, known: list[Notes]) -> PassageIndex:
    """Build an index of works that share nothing with each other, so that whatever is borrowed lies above people."""
    nothing = [0.0] * len(PERCENTILES)
    return extend_description(indexed(folder, known), {"baseline": {"100": {"longest": nothing, "share": nothing}}})


def knowing(folder: Path, bundle: Path, *requests: Request) -> Path:
    """Copy a model to `folder`, with an index of what it composes when asked for these."""
    shutil.copytree(bundle, folder)
    engine = load_engine(load_bundle(bundle))
    borrowing(folder / INDEX, [generate(request, engine).notes for request in requests])
    return folder

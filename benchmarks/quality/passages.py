"""What passages that a model writes into real pieces are like beside those that stood there.

    python -m benchmarks.quality.passages written --corpus corpus --model concert --on maestro --passages 100

written: notes per second, mean velocity and mean pitch of a passage over the true one's, geometric means over passages
of 100 notes, one from somewhere in each test piece, with 95 % bootstrap intervals.

One JSON line a case.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from arietta.corpus.store import Store, open_store
from arietta.generation.passage import Edit
from arietta.generation.request import Request, Take
from arietta.model.bundle import DEFAULT_MODEL, load_bundle
from arietta.model.engine import OnnxEngine, load_engine
from arietta.model.sampling import Sampling
from arietta.music.notes import Notes, window
from benchmarks.shared.report import interval_by_piece
from benchmarks.shared.samples import compose_all, side, tell

PASSAGE = 100  # notes
AROUND = 400  # notes of a piece on each side of a passage, more than a model is given


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("written",))
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--on", default="giantmidi", choices=("maestro", "giantmidi"))
    parser.add_argument("--passages", type=int, default=100)
    parser.add_argument("--temperature", help="a number, or time=1,symbol=0.9")
    parser.add_argument("--top-p")
    arguments = parser.parse_args()
    store, engine = open_store(arguments.corpus), load_engine(load_bundle(arguments.model))
    edits = draw_passages(store, arguments.on, arguments.passages)
    sampling = Sampling.read(arguments.temperature, arguments.top_p, None, None)
    name = f"{engine.bundle.name}, {arguments.on}"
    if sampling != Sampling():
        name += f", {arguments.temperature or '-'}/{arguments.top_p or '-'}"
    print_written(name, write(edits, engine, sampling))


def draw_passages(store: Store, corpus: str, count: int, notes: int = PASSAGE) -> list[Edit]:
    """A passage of so many notes from somewhere in each of so many test pieces, in what is around it."""
    rng = np.random.default_rng(0)
    pieces = side(store, corpus, "test", notes + 2 * PASSAGE)
    rng.shuffle(pieces)  # type: ignore[arg-type]
    edits = []
    for piece in pieces[:count]:
        music = store.notes(piece.index)
        first = int(rng.integers(PASSAGE, len(music) - notes - PASSAGE + 1))
        begin = max(first - AROUND, 0)
        music = window(music, begin, min(first + notes + AROUND, len(music)))
        start, stop = music.onset[[first - begin, first - begin + notes]].tolist()
        if stop - start > 1:
            edits.append(Edit(music, start, stop))
    return edits


def write(edits: Sequence[Edit], engine: OnnxEngine, sampling: Sampling) -> list[Take]:
    """Write each passage once."""
    return compose_all(
        [Request(edit=edit, seed=seed, sampling=sampling) for seed, edit in enumerate(edits)], engine, task="writing"
    )


def inside(notes: Notes, edit: Edit) -> NDArray[np.bool_]:
    """Which notes belong to a passage, bool [N]."""
    return np.asarray((notes.onset >= edit.start) & (notes.onset < edit.stop))


def print_written(name: str, takes: Sequence[Take]) -> None:
    """Tell how written passages differ from the true ones."""
    figures: dict[str, Callable[[Notes, NDArray[np.bool_]], float]] = {
        "notes": lambda notes, chosen: max(float(chosen.sum()), 1.0),
        "velocity": lambda notes, chosen: float(notes.velocity[chosen].mean()) if chosen.any() else math.nan,
        "pitch": lambda notes, chosen: float(notes.pitch[chosen].mean()) if chosen.any() else math.nan,
    }
    told: dict[str, object] = {"passages": len(takes)}
    for figure, measure in figures.items():
        logs = []
        for take in takes:
            edit = take.request.edit
            assert edit is not None
            new, true = (measure(notes, inside(notes, edit)) for notes in (take.notes, edit.music))
            logs.append(math.log(new / true))
        ratio = np.array([value for value in logs if not math.isnan(value)])
        low, high = interval_by_piece(ratio, np.ones(len(ratio)))
        told |= {figure: math.exp(ratio.mean()), f"{figure}_interval_95": [math.exp(low), math.exp(high)]}
        told[f"{figure}_apart"] = float(np.abs(ratio).mean())
    tell(f"passages/written/{name}", **told)


if __name__ == "__main__":
    main()

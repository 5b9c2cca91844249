"""Whether a passage that is written for what follows beats many continuations of which the one that fits it is chosen.

    python -m benchmarks.quality.fills --corpus corpus --model piano --judge concert --on giantmidi --passages 24

A passage of 32 notes from somewhere in each of so many test pieces is written 8 times by `regenerate`, which knows both
sides, and the likeliest take chosen; and 32 times as a continuation of what comes before, of which the one is chosen
after which the 64 tokens that follow are likeliest. The model that wrote them chooses, and another one scores:
mean nats per token in plain order, over the passage and the 64 tokens after it, and over these alone; beside the true
passage, and beside takes that nobody chose. Differences have 95 % bootstrap intervals over pieces. A JSON line
each.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from arietta.corpus.store import open_store
from arietta.evaluation.likelihood import interval_by_piece
from arietta.generation.batch import generate_all
from arietta.generation.passage import Edit
from arietta.generation.request import Request, Take, likeliest_first
from arietta.generation.verbs import cut_at, score_passage
from arietta.model.bundle import DEFAULT_MODEL, load_bundle
from arietta.model.config import ANY
from arietta.model.engine import OnnxEngine, load_engine
from arietta.music.notes import Note, Notes, Pedal
from benchmarks.quality.passages import draw_passages
from benchmarks.shared.samples import compose_all, tell

NOTES = 32  # of a passage
FILLS, CONTINUATIONS = 8, 32
CASES = ("fill", "continuation", "first_fill", "first_continuation", "true")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--judge", default="concert", help="the model that scores (%(default)s)")
    parser.add_argument("--on", default="giantmidi", choices=("maestro", "giantmidi"))
    parser.add_argument("--passages", type=int, default=24)
    arguments = parser.parse_args()
    engine, judge = (load_engine(load_bundle(name)) for name in (arguments.model, arguments.judge))
    edits = draw_passages(open_store(arguments.corpus), arguments.on, arguments.passages, NOTES)
    name = f"{engine.bundle.name}, {arguments.on}, by {judge.bundle.name}"
    print_chosen(name, [candidates(edit, engine) for edit in tqdm(edits, unit="passage", mininterval=5)], judge)


def candidates(edit: Edit, engine: OnnxEngine) -> list[Take]:
    """Write a passage in both ways; return a take for each of `CASES`."""
    fills = compose_all([Request(edit=edit, seed=seed) for seed in range(FILLS)], engine, task="fills")
    prompt = cut_at(edit.music, edit.start)
    seconds = max(edit.stop - float(prompt.onset.max()), 1.0)
    requests = [Request(seconds=seconds, prompt=prompt, seed=seed, ending=False) for seed in range(CONTINUATIONS)]
    goes_on = [
        replace(fills[0], notes=filled(edit, take.notes), request=replace(fills[0].request, seed=take.request.seed))
        for take in sorted(generate_all(requests, engine), key=lambda take: take.request.seed)
    ]
    scored = [score_passage(take, engine) for take in goes_on]
    fitting = min(scored, key=lambda take: (take.nats[1] if take.nats else 0.0, take.request.seed))
    best = likeliest_first([score_passage(take, engine) for take in fills])[0]
    return [best, fitting, fills[0], goes_on[0], replace(fills[0], notes=edit.music)]


def filled(edit: Edit, continuation: Notes) -> Notes:
    """Put what a continuation has in the time of a passage into its piece."""
    inside = np.flatnonzero((continuation.onset >= edit.start) & (continuation.onset < edit.stop))
    events: list[Note | Pedal] = [continuation[index] for index in inside.tolist()]
    return edit.join(events + [Pedal(*press) for press in continuation.pedal.tolist()])[0]


def print_chosen(name: str, passages: list[list[Take]], judge: OnnxEngine) -> None:
    """Tell what the judge thinks of the takes of each passage, one for each of `CASES`."""
    rows = []
    for takes in passages:
        scored = [score_passage(replace(take, request=replace(take.request, style=ANY)), judge).nats for take in takes]
        rows.append([nats for nats in scored if nats is not None])
    nats, ones = np.array(rows), np.ones(len(rows))  # [passages, cases, passage / after / both]
    about: dict[str, object] = {"notes": NOTES, "fills": FILLS, "continuations": CONTINUATIONS}
    for part, column in (("what follows", 1), ("all", 2)):
        means = {case: float(nats[:, index, column].mean()) for index, case in enumerate(CASES)}
        less = nats[:, 1, column] - nats[:, 0, column]
        means |= {"less": float(less.mean()), "fills_better": float((less > 0).mean())}
        tell(
            f"fills/{name}, {part}",
            passages=len(rows),
            **about,
            **means,
            less_interval_95=interval_by_piece(less, ones),
        )


if __name__ == "__main__":
    main()

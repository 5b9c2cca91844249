"""What passages that a model writes into real pieces are like beside those that stood there.

    python -m benchmarks.quality.passages written --corpus corpus --model concert --on maestro --passages 100
    python -m benchmarks.quality.passages known --corpus corpus --model piano --on giantmidi --passages 24

written: notes per second, mean velocity and mean pitch of a passage over the true one's, geometric means over passages
of 100 notes, one from somewhere in each test piece, with 95 % bootstrap intervals. And its seams: how the gap between
the onsets on both sides and the jump of loudness differ from those inside real music (Kolmogorov-Smirnov), and how
often a logistic regression on eight notes either side tells a seam from a moment of the real piece, five folds by
piece; half are right by chance.

known: nats per token of true passages of 16, 64 and 256 notes, where the model knows both sides, or the left one alone;
with 256 tokens on each side, or as many as it can see; and of 64 notes with their top line kept. `led` knows both
sides, and the last tokens before a passage stand after FILL, as they do where passages are written.

One JSON line a case.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from arietta.codecs.codec import Tokens
from arietta.codecs.grid import FILL, KEY_COUNT, TIME_STEPS
from arietta.corpus.store import Store, open_store
from arietta.generation.given import Layout, find_outer_line, kept_tokens, lay_out
from arietta.generation.passage import CONTEXT, LEAD, Edit, filling_codec
from arietta.generation.request import Request, Take
from arietta.model.bundle import DEFAULT_MODEL, condition_of, load_bundle
from arietta.model.config import ANY
from arietta.model.engine import OnnxEngine, load_engine
from arietta.model.sampling import Sampling
from arietta.music.notes import Notes, trim, window
from benchmarks.shared.report import interval_by_piece, wilson
from benchmarks.shared.samples import compose_all, side, tell

PASSAGE = 100  # notes
AROUND = 400  # notes of a piece on each side of a passage, more than a model is given
BESIDE = 8  # notes on each side of a seam
FOLDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("written", "known"))
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--on", default="giantmidi", choices=("maestro", "giantmidi"))
    parser.add_argument("--passages", type=int, default=100)
    parser.add_argument("--temperature", help="a number, or time=1,symbol=0.9")
    parser.add_argument("--top-p")
    arguments = parser.parse_args()
    store, engine = open_store(arguments.corpus), load_engine(load_bundle(arguments.model))
    name = f"{engine.bundle.name}, {arguments.on}"
    if arguments.what == "known":
        print_known(name, draw_passages(store, arguments.on, arguments.passages), engine)
        return
    sampling = Sampling.read(arguments.temperature, arguments.top_p, None, None)
    if sampling != Sampling():
        name += f", {arguments.temperature or '-'}/{arguments.top_p or '-'}"
    edits = draw_passages(store, arguments.on, arguments.passages)
    requests = [Request(edit=edit, seed=seed, sampling=sampling) for seed, edit in enumerate(edits)]
    takes = compose_all(requests, engine, task="writing")
    print_written(name, takes)
    print_seams(name, takes)


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


def inside(notes: Notes, edit: Edit) -> NDArray[np.bool_]:
    """Which notes belong to a passage, bool [N]."""
    return np.asarray((notes.onset >= edit.start) & (notes.onset < edit.stop))


def edit_of(take: Take) -> Edit:
    assert take.request.edit is not None
    return take.request.edit


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
            edit = edit_of(take)
            new, true = (measure(notes, inside(notes, edit)) for notes in (take.notes, edit.music))
            logs.append(math.log(new / true))
        ratio = np.array([value for value in logs if not math.isnan(value)])
        low, high = interval_by_piece(ratio, np.ones(len(ratio)))
        told |= {figure: math.exp(ratio.mean()), f"{figure}_interval_95": [math.exp(low), math.exp(high)]}
        told[f"{figure}_apart"] = float(np.abs(ratio).mean())
    tell(f"passages/written/{name}", **told)


def print_seams(name: str, takes: Sequence[Take]) -> None:
    """Tell seams from moments of the same pieces outside their passages."""
    seams, real, fold = [], [], []
    rng = np.random.default_rng(1)
    for number, take in enumerate(takes):
        edit = edit_of(take)
        notes, true = take.notes, edit.music
        edges = np.searchsorted(notes.onset, [edit.start, edit.stop]).tolist()
        outside = np.flatnonzero(~inside(true, edit))
        moments = [int(m) for m in outside[(outside >= BESIDE) & (outside < len(true) - BESIDE)]]
        moments = [m for m in moments if not inside(true, edit)[m - BESIDE : m + BESIDE].any()]
        if len(moments) < 2:
            continue
        for edge, moment in zip(edges, rng.choice(moments, 2, replace=False).tolist(), strict=True):
            if BESIDE <= edge <= len(notes) - BESIDE:
                seams.append(beside(notes, edge))
                real.append(beside(true, moment))
                fold.append(number % FOLDS)
    features = np.concatenate([seams, real])
    is_seam = np.arange(len(features)) < len(seams)
    hits = classify(features, is_seam, np.array(fold * 2))
    low, high = wilson(hits, len(features))
    gap, jump = (ks([row[index] for row in seams], [row[index] for row in real]) for index in (0, 1))
    told: dict[str, object] = {"seams": len(seams), "told_apart": hits / len(features), "interval_95": [low, high]}
    tell(f"passages/seams/{name}", **told, gap_ks=gap, loudness_ks=jump)


def beside(notes: Notes, index: int) -> NDArray[np.float64]:
    """Features of eight notes either side of a note: first the gap and the jump of loudness just before it."""
    near = slice(index - BESIDE, index + BESIDE)
    onset, pitch, velocity = notes.onset[near], notes.pitch[near].astype(float), notes.velocity[near].astype(float)
    gap, jump = onset[BESIDE] - onset[BESIDE - 1], velocity[BESIDE:].mean() - velocity[:BESIDE].mean()
    leaps = np.abs(np.diff(pitch))
    parts = [np.log(np.diff(onset) + 0.01), leaps, np.log(notes.duration[near] + 0.01), velocity / 10, pitch / 10]
    spread = [abs(velocity[BESIDE] - velocity[BESIDE - 1]) / 10, abs(jump) / 10, np.log(gap + 0.01)]
    return np.concatenate([[gap, jump], *parts, spread])


def classify(features: NDArray[np.float64], is_seam: NDArray[np.bool_], fold: NDArray[np.int64]) -> int:
    """How many are told right by a ridge logistic regression that was fitted on the other folds (Newton's method)."""
    hits = 0
    for held_out in range(FOLDS):
        train, test = fold != held_out, fold == held_out
        mean, spread = features[train].mean(axis=0), features[train].std(axis=0) + 1e-9
        rows = np.column_stack([np.ones(len(features)), (features - mean) / spread])
        weights = np.zeros(rows.shape[1])
        ridge = 10.0 * np.eye(len(weights))
        for _ in range(20):
            share = 1 / (1 + np.exp(-rows[train] @ weights))
            gradient = rows[train].T @ (is_seam[train] - share) - ridge @ weights
            curvature = (rows[train] * (share * (1 - share))[:, None]).T @ rows[train] + ridge
            weights += np.linalg.solve(curvature, gradient)
        hits += int(((rows[test] @ weights > 0) == is_seam[test]).sum())
    return hits


def ks(first: Sequence[float], second: Sequence[float]) -> float:
    """The largest distance of two cumulative distributions (Kolmogorov and Smirnov)."""
    points = np.sort(np.concatenate([first, second]))
    shares = [np.searchsorted(np.sort(values), points, side="right") / len(values) for values in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())


def print_known(name: str, edits: Sequence[Edit], engine: OnnxEngine) -> None:
    """Tell how much likelier true passages are where more is known."""
    codec = filling_codec(engine.bundle)
    for count in (16, 64, 256):
        sums: dict[str, list[float]] = {}
        tokens_in_all = []
        for edit in edits:
            tokens = codec.encode(trim(edit.music))
            notes = np.flatnonzero(tokens[:, 1] < KEY_COUNT)
            middle = len(notes) // 2
            if middle < count // 2 + BESIDE or middle + count // 2 + BESIDE > len(notes):
                continue
            first, stop = notes[[middle - count // 2, middle + count // 2]].tolist()
            before, passage, after = tokens[1:first], tokens[first:stop], tokens[stop:]
            near = lay_out(before[-CONTEXT:], passage, after[:CONTEXT])
            cases = {"both": near, "left": None, "all": lay_out(before, passage, after, length=2040)}
            led = lay_out(before[-CONTEXT:-LEAD], tokens[first - LEAD : stop], after[:CONTEXT])
            nats = passage_nats(engine, led, before[-CONTEXT:], passage, LEAD)
            sums.setdefault("led", []).append(nats)
            if count == 64:
                line = np.zeros(len(passage), dtype=np.bool_)
                is_note = passage[:, 1] < KEY_COUNT
                steps = TIME_STEPS[passage[:, 0]].cumsum()
                line[is_note] = find_outer_line(passage[is_note, 1], steps[is_note], 3, is_top=True)
                kept = kept_tokens(passage, line)
                cases["line kept"] = lay_out(before[-CONTEXT:], passage, after[:CONTEXT], kept=kept)
            for case, layout in cases.items():
                sums.setdefault(case, []).append(passage_nats(engine, layout, before[-CONTEXT:], passage))
            tokens_in_all.append(len(passage))
        lengths = np.array(tokens_in_all, dtype=np.float64)
        told: dict[str, object] = {}
        for case, values in sums.items():
            label = case.replace(" ", "_")
            told[label] = float(np.sum(values) / lengths.sum())
            if case != "left":
                told[f"{label}_less"] = list(interval_by_piece(np.subtract(sums["left"], values), lengths))
        tell(f"passages/known/{name}, {count} notes", passages=len(lengths), **told)


def passage_nats(engine: OnnxEngine, layout: Layout | None, before: Tokens, passage: Tokens, lead: int = 0) -> float:
    """Nats of a passage in a layout, after FILL and `lead` tokens, or, without one, after what comes before it."""
    codec, ids = engine.bundle.codec, condition_of(ANY, engine.bundle)
    tokens = np.concatenate([before, passage]) if layout is None else layout.tokens
    first = len(before) if layout is None else int(np.flatnonzero(tokens[:, 1] == FILL)[0]) + 1 + lead
    conditions = None if layout is None else layout.conditions(engine.bundle.model, ids)
    nll = engine.prefill(tokens, engine.start([ids]), conditions) * codec.loss_mask(tokens)
    return float(nll[first : first + len(passage)].sum())


if __name__ == "__main__":
    main()

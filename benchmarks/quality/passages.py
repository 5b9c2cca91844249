"""What passages that a model writes into real pieces are like beside those that stood there.

    python -m benchmarks.quality.passages written --corpus corpus --model concert --on maestro --passages 100
    python -m benchmarks.quality.passages known --corpus corpus --model piano --on giantmidi --passages 24 --notes 64
    python -m benchmarks.quality.passages joined --corpus corpus --model piano --on giantmidi --passages 50

written: notes per second, mean velocity and mean pitch of a passage over the true one's, geometric means over passages
of 100 notes, one from somewhere in each test piece, with 95 % bootstrap intervals. And its seams: how the gap between
the onsets on both sides and the jump of loudness differ from those inside real music (Kolmogorov-Smirnov), and how
often a logistic regression on eight notes either side tells a seam from a moment of the real piece, five folds by
piece; half are right by chance.

known: nats per token of true passages of 16, 64 and 256 notes, where the model knows both sides, or the left one alone;
with 256 tokens on each side, or as many as it can see. `led` knows both sides, and the last tokens before a passage
stand after FILL, as they do where passages are written, by `connect` too; `led_all` sees as many as it can. `lead_in`
knows the right side alone, as that verb does. Of 64 notes: `line_kept`, nats of the tokens that are not of the top line
where that is kept, and `line_unknown`, of the same ones where nothing is.

joined: seams of `lead_in` and `connect`, which write passages of as long as the true ones between the same pieces.

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
from arietta.evaluation.likelihood import interval_by_piece
from arietta.generation.given import Layout, find_outer_line, kept_tokens, lay_out
from arietta.generation.passage import CONTEXT, LEAD, Edit, filling_codec
from arietta.generation.request import Request, Take
from arietta.generation.verbs import connection_edit, lead_in_edit
from arietta.model.bundle import DEFAULT_MODEL, condition_of, load_bundle
from arietta.model.config import ANY
from arietta.model.engine import OnnxEngine, load_engine
from arietta.model.sampling import Sampling
from arietta.music.notes import Notes, trim, window
from benchmarks.shared.report import wilson
from benchmarks.shared.samples import compose_all, side, tell

PASSAGE = 100  # notes
AROUND = 400  # notes of a piece on each side of a passage, more than a model is given
BESIDE = 8  # notes on each side of a seam
FOLDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("written", "known", "joined"))
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--on", default="giantmidi", choices=("maestro", "giantmidi"))
    parser.add_argument("--passages", type=int, default=100)
    parser.add_argument("--notes", type=int, nargs="*", default=(16, 64, 256), help="of true passages (%(default)s)")
    parser.add_argument("--temperature", help="a number, or time=1,symbol=0.9")
    parser.add_argument("--top-p")
    arguments = parser.parse_args()
    store, engine = open_store(arguments.corpus), load_engine(load_bundle(arguments.model))
    name = f"{engine.bundle.name}, {arguments.on}"
    if arguments.what == "known":
        for count in arguments.notes:
            print_known(f"{name}, {count} notes", count, draw_passages(store, arguments.on, arguments.passages), engine)
        return
    if arguments.what == "joined":
        print_joined(name, draw_passages(store, arguments.on, arguments.passages), engine)
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


def print_seams(name: str, takes: Sequence[Take], *, only_last: bool = False) -> None:
    """Tell seams, or only those where passages end, from moments of the same pieces outside their passages."""
    seams, real, fold = [], [], []
    rng = np.random.default_rng(1)
    for number, take in enumerate(takes):
        edit = edit_of(take)
        notes, true = take.notes, edit.music
        edges = np.searchsorted(notes.onset, [edit.start, edit.stop]).tolist()
        outside = np.flatnonzero(~inside(true, edit))
        # A passage begins with the first note of its moment, and so does what it is held against.
        firsts = np.searchsorted(true.onset, true.onset[outside])
        moments = [int(m) for m in firsts[(firsts >= BESIDE) & (firsts < len(true) - BESIDE)]]
        moments = [m for m in moments if not inside(true, edit)[m - BESIDE : m + BESIDE].any()]
        if len(moments) < 2:
            continue
        pairs = list(zip(edges, rng.choice(moments, 2, replace=False).tolist(), strict=True))
        for edge, moment in pairs[1:] if only_last else pairs:
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


def print_joined(name: str, edits: Sequence[Edit], engine: OnnxEngine) -> None:
    """Tell the seams that `lead_in` and `connect` leave before the same music."""
    joins: dict[str, list[Edit]] = {"lead_in": [], "connect": []}
    for edit in edits:
        before, after = edit.music.between(0, edit.start), trim(edit.music.between(edit.stop, edit.music.seconds))
        seconds = min(edit.stop - edit.start, 60.0)
        joins["lead_in"].append(lead_in_edit(after, seconds))
        joins["connect"].append(connection_edit(before, after, seconds))
    for verb, asked in joins.items():
        requests = [Request(edit=edit, seed=seed) for seed, edit in enumerate(asked)]
        print_seams(f"{verb}, {name}", compose_all(requests, engine, task=verb), only_last=True)


def print_known(name: str, count: int, edits: Sequence[Edit], engine: OnnxEngine) -> None:
    """Tell how much likelier true passages of `count` notes are where more is known."""
    codec = filling_codec(engine.bundle)
    sums: dict[str, list[float]] = {}
    tokens_in_all, tokens_of_line = [], []
    for edit in edits:
        tokens = codec.encode(trim(edit.music))
        notes = np.flatnonzero(tokens[:, 1] < KEY_COUNT)
        middle = len(notes) // 2
        if middle < count // 2 + BESIDE or middle + count // 2 + BESIDE > len(notes):
            continue
        first, stop = notes[[middle - count // 2, middle + count // 2]].tolist()
        before, passage, after = tokens[1:first], tokens[first:stop], tokens[stop:]
        led = before[:-LEAD], tokens[first - LEAD : stop], after
        cases = {
            "both": (lay_out(before[-CONTEXT:], passage, after[:CONTEXT]), 0),
            "left": (None, 0),
            "all": (lay_out(before, passage, after, length=2040), 0),
            "led": (lay_out(led[0][-CONTEXT + LEAD :], led[1], after[:CONTEXT]), LEAD),
            "led_all": (lay_out(*led, length=2040), LEAD),
            "lead_in": (lay_out(tokens[:1], passage, after[:CONTEXT]), 0),
        }
        nats = {
            case: passage_nats(engine, layout, before[-CONTEXT:], passage, lead)
            for case, (layout, lead) in cases.items()
        }
        for case, values in nats.items():
            sums.setdefault(case, []).append(float(values.sum()))
        tokens_in_all.append(len(passage))
        if count == 64:
            is_note, line = led[1][:, 1] < KEY_COUNT, np.zeros(len(led[1]), dtype=np.bool_)
            steps = TIME_STEPS[led[1][:, 0]].cumsum()
            line[is_note] = find_outer_line(led[1][is_note, 1], steps[is_note], 3, is_top=True)
            line[:LEAD] = is_note[:LEAD]
            layout = lay_out(led[0][-CONTEXT + LEAD :], led[1], after[:CONTEXT], kept=kept_tokens(led[1], line))
            kept, is_free = passage_nats(engine, layout, before, passage, LEAD), ~line[LEAD:]
            for case, values in {"line_kept": kept, "line_unknown": nats["led"]}.items():
                sums.setdefault(case, []).append(float(values[is_free].sum()))
            tokens_of_line.append(int(is_free.sum()))
    told: dict[str, object] = {}
    for case, totals in sums.items():
        than, lengths = sums["left"], np.array(tokens_in_all, dtype=np.float64)
        if case.startswith("line"):
            than, lengths = sums["line_unknown"], np.array(tokens_of_line, dtype=np.float64)
        told[case] = float(np.sum(totals) / lengths.sum())
        if totals is not than:
            told[f"{case}_less"] = list(interval_by_piece(np.subtract(than, totals), lengths))
    tell(f"passages/known/{name}", passages=len(tokens_in_all), **told)


def passage_nats(
    engine: OnnxEngine, layout: Layout | None, before: Tokens, passage: Tokens, lead: int = 0
) -> NDArray[np.float64]:
    """Nats of each token of a passage in a layout, after FILL and `lead` tokens, float [T].

    Without a layout they stand after what comes before them.
    """
    codec, ids = engine.bundle.codec, condition_of(ANY, engine.bundle)
    tokens = np.concatenate([before, passage]) if layout is None else layout.tokens
    first = len(before) if layout is None else int(np.flatnonzero(tokens[:, 1] == FILL)[0]) + 1 + lead
    conditions = None if layout is None else layout.conditions(engine.bundle.model, ids)
    nll = engine.prefill(tokens, engine.start([ids]), conditions) * codec.loss_mask(tokens)
    return np.asarray(nll[first : first + len(passage)].sum(axis=1), dtype=np.float64)


if __name__ == "__main__":
    main()

"""Whether the verbs do what they are asked: wishes, variations, accompaniments, and how long one waits for them.

    python -m benchmarks.quality.editing wishes --corpus corpus --model piano --takes 6 --guidance 4
    python -m benchmarks.quality.editing vary --corpus corpus --model piano --takes 24 --on takes
    python -m benchmarks.quality.editing accompany --corpus corpus --model piano --takes 8
    python -m benchmarks.quality.editing speed --corpus corpus --model piano

wishes: takes of 64 notes at five levels of density and of loudness: Spearman's correlation of asked and measured, and
how many lie within one of the model's levels; and how many takes in a key drawn by chance are in it.

vary: how like the piece its variations are, at strengths from 0.2 to 1: the share of its notes that are in them, and
the correlation of their pitch-class transitions; and how many notes they have over the piece's, the geometric
mean and the most. The pieces are 120 notes from somewhere in test pieces, or with `--on takes` whole takes.

accompany: of 120 notes of a test piece the top line is kept. Dissonant intervals (1, 2, 6, 10, 11 semitones and their
octaves) of new notes with kept ones that sound, beside the composer's own, and beside notes written for another line.

speed: seconds to the first new note of a passage over those of prefilling its tokens, and of 8 takes over one, both
from the beginning; all are of the processor, as composing takes one core, and so hold on a busy machine too.

One JSON line a case.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from arietta.corpus.store import Store, open_store
from arietta.evaluation.statistics import measure
from arietta.generation.loop import Generation, start, step
from arietta.generation.passage import Edit
from arietta.generation.request import Request
from arietta.generation.verbs import accompany, find_kept, variation_edit
from arietta.generation.wishes import read_wishes
from arietta.model.bundle import DEFAULT_MODEL, load_bundle
from arietta.model.conditions import KEYS
from arietta.model.engine import OnnxEngine, load_engine
from arietta.model.sampling import Sampling
from arietta.music.keys import find_key
from arietta.music.notes import Notes, select, trim
from benchmarks.quality.passages import draw_passages
from benchmarks.shared.samples import compose_all, side, somewhere, tell

LEVELS = {"density": (4.0, 6.0, 8.9, 12.0, 18.0), "loudness": (55.0, 62.0, 69.0, 76.0, 88.0)}
NOTES = 64  # of a take with a wish
NOTES_OF_A_PIECE = 120
DISSONANT = (1, 2, 6, 10, 11)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("wishes", "vary", "accompany", "speed"))
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--on", default="giantmidi", choices=("maestro", "giantmidi", "takes"), help="(%(default)s)")
    parser.add_argument("--takes", type=int, default=8, help="takes of each level, or pieces")
    parser.add_argument("--guidance", type=float, help="of wishes (the model's own)")
    arguments = parser.parse_args()
    store, engine = open_store(arguments.corpus), load_engine(load_bundle(arguments.model))
    if arguments.what == "wishes":
        print_wishes(engine, arguments.takes, arguments.guidance)
    elif arguments.what == "speed":
        print_speed(draw_passages(store, arguments.on, arguments.takes), engine)
    else:
        if arguments.on == "takes":
            requests = [Request(NOTES_OF_A_PIECE, seed=seed) for seed in range(arguments.takes)]
            musics = [take.notes for take in compose_all(requests, engine)]
        else:
            musics = draw_music(store, arguments.on, arguments.takes)
        (print_varied if arguments.what == "vary" else print_accompanied)(
            f"{engine.bundle.name}, {arguments.on}", musics, engine
        )


def draw_music(store: Store, corpus: str, count: int, notes: int = NOTES_OF_A_PIECE) -> list[Notes]:
    """So many notes from somewhere in each of so many test pieces."""
    pieces = side(store, corpus, "test", notes)[:: max(len(side(store, corpus, "test", notes)) // count, 1)][:count]
    return [trim(music) for music in somewhere(store, pieces, notes)]


def print_wishes(engine: OnnxEngine, count: int, guidance: float | None) -> None:
    """Tell how far what is wished for is what comes."""
    model, sampling = engine.bundle.name, Sampling(guidance=guidance)
    of = f"{model}, guidance {guidance:g}" if guidance else model
    for name, levels in LEVELS.items():
        asked = np.repeat(levels, count)
        requests = [
            Request(NOTES, seed=seed, style="none", sampling=sampling, wishes=read_wishes(**{name: value}))
            for seed, value in enumerate(asked.tolist())
        ]
        takes = [take.notes for take in compose_all(requests, engine)]
        figures = [len(notes) / notes.onset[-1] if name == "density" else notes.velocity.mean() for notes in takes]
        known = next(condition for condition in engine.bundle.model.conditions if condition.name == name)
        is_near = np.abs(known.ids_of(figures) - known.ids_of(asked)) <= 1
        means = np.reshape(figures, (len(levels), count)).mean(axis=1).tolist()
        told: dict[str, object] = {"asked": list(levels), "measured": means, "takes": len(takes)}
        tell(f"editing/{name}/{of}", **told, spearman=spearman(asked, figures), within_a_level=float(is_near.mean()))
    keys = np.random.default_rng(0).choice(KEYS, 2 * count).tolist()
    requests = [
        Request(NOTES, seed=seed, style="none", sampling=sampling, wishes=read_wishes(key=key))
        for seed, key in enumerate(keys)
    ]
    found = [find_key(take.notes.pitch, np.minimum(take.notes.duration, 2)) for take in compose_all(requests, engine)]
    hits = sum(key is not None and key.name == asked for key, asked in zip(found, keys, strict=True))
    tell(f"editing/key/{of}", takes=len(keys), in_key=hits / len(keys))


def spearman(first: object, second: object) -> float:
    """Correlation of ranks, those of equals averaged."""
    ranks = []
    for values in (np.asarray(first), np.asarray(second)):
        ranks.append([((values < value).sum() + (values <= value).sum() - 1) / 2 for value in values])
    return float(np.corrcoef(ranks)[0, 1])


def print_varied(name: str, musics: list[Notes], engine: OnnxEngine) -> None:
    """Tell how much of a piece is left at each strength, and how many notes there are for its own."""
    shares, steps, notes_over, most = [], [], [], []
    strengths = (0.2, 0.4, 0.6, 0.8, 1.0)
    for strength in strengths:
        requests = [Request(edit=variation_edit(music, strength, seed), seed=seed) for seed, music in enumerate(musics)]
        pairs = [
            (music, take.notes)
            for music, take in zip(musics, compose_all(requests, engine, task="varying"), strict=True)
        ]
        ratios = np.array([len(take) / len(music) for music, take in pairs])
        notes_over.append(float(np.exp(np.log(ratios).mean())))
        most.append(float(ratios.max()))
        shares.append(float(np.mean([common(music, take) for music, take in pairs])))
        steps.append(float(np.mean([likeness(music, take) for music, take in pairs])))
    told: dict[str, object] = {"pieces": len(musics), "strength": strengths, "notes": shares, "transitions": steps}
    tell(f"editing/vary/{name}", **told, notes_over=notes_over, most_over=most)


def common(first: Notes, second: Notes) -> float:
    """F1 of notes that both have: the same key within 50 ms."""
    hits = sum(
        bool(((second.pitch == note.pitch) & (np.abs(second.onset - note.onset) < 0.05)).any())
        for note in (first[index] for index in range(len(first)))
    )
    return 2 * hits / (len(first) + len(second))


def likeness(first: Notes, second: Notes) -> float:
    """Correlation of the shares of steps from one pitch class to the next."""
    steps = [measure(notes, ["pitch_class_steps"])["pitch_class_steps"] for notes in (first, second)]
    return float(np.corrcoef(steps)[0, 1])


def print_accompanied(name: str, musics: list[Notes], engine: OnnxEngine) -> None:
    """Tell how dissonant what is written is with the line that it goes with."""
    lines = [find_kept(music, 0.0, np.inf, "top") for music in musics]
    own = [dissonance(select(m, line), select(m, ~line)) for m, line in zip(musics, lines, strict=True)]
    tops, written = [], []
    for seed, (music, line) in enumerate(zip(musics, lines, strict=True)):
        (take,) = accompany(select(music, line), seed=seed, model=engine)
        tops.append(select(music, line))
        written.append(select(take.notes, take.is_new))
    new = [dissonance(top, notes) for top, notes in zip(tops, written, strict=True)]
    unheard = [dissonance(top, notes) for top, notes in zip(tops, written[1:] + written[:1], strict=True)]
    told = {"composer": own, "written": new, "unheard": unheard}
    means = {name: float(np.sum(pairs, axis=0)[0] / np.sum(pairs, axis=0)[1]) for name, pairs in told.items()}
    tell(f"editing/accompany/{name}", pieces=len(musics), **means)


def dissonance(line: Notes, notes: Notes) -> tuple[int, int]:
    """How many intervals are dissonant of those of notes with what sounds of a line as they begin, and how many."""
    dissonant = total = 0
    for onset, pitch in zip(notes.onset.tolist(), notes.pitch.tolist(), strict=True):
        sounding = line.pitch[(line.onset <= onset + 0.03) & (line.release > onset)].astype(int)
        dissonant += int(np.isin(np.abs(sounding - pitch) % 12, DISSONANT).sum())
        total += len(sounding)
    return dissonant, total


def print_speed(edits: list[Edit], engine: OnnxEngine) -> None:
    """Tell how long one waits for the first new note, and for eight takes."""
    first, prefill, ratios = [], [], []
    for seed, edit in enumerate(edits):
        generation = Generation(Request(edit=edit, seed=seed), engine.bundle)
        ids, tokens = generation.condition, generation.prompt_tokens
        begun = time.process_time()
        engine.prefill(tokens, engine.start([ids]), generation.conditions(ids))
        prefill.append(time.process_time() - begun)
        begun = time.process_time()
        cache, slots = start(generation, engine)
        while not generation.note_count and not generation.is_done:
            step(slots, cache, engine)
        first.append(time.process_time() - begun)
        seconds = []
        for count in (1, 8):
            fresh = load_engine(engine.bundle)  # which has not prefilled the passage yet
            compose_all([Request(8)], fresh)
            begun = time.process_time()
            compose_all([Request(edit=edit, seed=seed + k) for k in range(count)], fresh)
            seconds.append(time.process_time() - begun)
        ratios.append(seconds[1] / seconds[0])
    told: dict[str, object] = {"passages": len(edits), "first_note_s": float(np.median(first))}
    told["first_note_over_prefill"] = float(np.median(np.divide(first, prefill)))
    tell(f"editing/speed/{engine.bundle.name}", **told, eight_takes_over_one=float(np.median(ratios)))


if __name__ == "__main__":
    main()

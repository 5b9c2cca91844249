"""Sentences for people: what the command line and the pages say of a report, and the names of its figures.

This is the only home of such sentences; what is measured is measured elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..generation.guard import LONGEST_GAP
from ..generation.original import Originality, Rejected
from ..music.summary import SHORT, Touch
from ..originality.baseline import Percentiles
from ..originality.index import PassageIndex
from ..render.roll import format_time
from .comparison import SetComparison, SetDistance
from .embedding import WINDOW, known_composers
from .frechet import ENOUGH
from .likelihood import SetLikelihood
from .model_report import ModelReport
from .reference import NATS
from .report import MetWish, Report, Shared
from .statistics import BEAT_DEFINITIONS, BEAT_SOURCES, DEFINITIONS, SOURCES

PLAIN = {
    "pitch_count": "{:.0f} different pitches",
    "pitch_range": "over {:.0f} semitones",
    "polyphony": "{:.1f} keys down at a time",
    "velocity": "velocity {:.0f} on average",
    "pedal": "the pedal down {:.0%} of the time",
    "scale_consistency": "{:.0%} of the notes in one scale",
    "repetition": "{:.0%} of its figures repeated",
}
NOTHING_TO_JUDGE = "It has no notes for a piano: there is nothing to judge."
_FOUND: Mapping[str, str] = {"density": "{:.1f} notes a second", "loudness": "velocity {:.0f}", "key": "{}"}
EXPECTED = 0.9  # share of real windows that lie between their own 5th and 95th percentile
FURTHEST = 3  # figures that are named of those in which a model's takes differ most
ENOUGH_PIECES = 12  # below, resampled pieces are too much alike for their spread to be that of others
STACCATO = 0.8  # share of short notes from which a piece is said to be nothing else
LIKELY_STYLE = 0.1  # share of the classifier from which a composer is named
MEANINGS: Mapping[str, str] = {
    NATS: "surprise of each note to the model, in nats per note; lower is more expected",
    "notes_per_second": "notes per second",
    "pitch_class_entropy": "entropy of the pitch classes in bits: 0 is one of them, 3.58 all twelve alike",
    "coming_back_2": "recurrence: likeness of each 2 s to the moment elsewhere that is most like it, up to 1",
    "coming_back_8": "the same for windows of 8 s",
    "coming_back_30": "the same for windows of 30 s",
    **DEFINITIONS,
    **BEAT_DEFINITIONS,
}
ORIGINS: Mapping[str, str] = {
    "pitch_class_entropy": "Wu and Yang 2020",
    **dict.fromkeys(["coming_back_2", "coming_back_8", "coming_back_30"], "Foote 1999"),
    **SOURCES,
    **BEAT_SOURCES,
}


def plain_words(report: Report) -> dict[str, str]:
    """Say what there is to say of a piece, a name and a sentence each; nothing of a piece without notes."""
    profile = report.profile
    if not profile.note_count:
        return {}
    plural = "s" if profile.note_count > 1 else ""
    sentences = {"length": f"{profile.note_count:,} note{plural}, {format_time(profile.seconds)}"}
    if report.key:
        clarity = profile.statistics["key_clarity"][0]
        sentences["key"] = (
            f"{report.key}, {'clearly' if clarity > 0.8 else 'more or less' if clarity > 0.6 else 'hardly'}"
        )
    if profile.beats:
        origin = (
            "as its file has them written" if profile.beats.is_written else "by its accents: scores may find others"
        )
        tempo = profile.beats.statistics["tempo"][0]
        sentences["beats"] = f"{profile.beats.signature}, {tempo:.0f} quarter notes per minute, {origin}"
    if profile.nats_per_note is not None:
        sentences["likelihood"] = _likelihood(report, profile.nats_per_note)
    sentences["music"] = "; ".join(
        template.format(profile.statistics[name][0]) for name, template in PLAIN.items() if name in profile.statistics
    )
    if profile.recurrence:
        scales = ", ".join(f"{value:.2f} at {scale} s" for scale, value in profile.recurrence.items())
        sentences["comes back"] = f"{scales} (1: every moment has its like elsewhere)"
    if report.touch:
        sentences["touch"] = _touch(report.touch)
    if report.wishes:
        sentences["wishes"] = _wishes(report.wishes)
    sentences["loops"] = _loops(report.loops)
    if report.shared is not None:
        sentences["shared"] = _shared(report.shared)
    likely = [f"{name} ({share:.0%})" for name, share in report.composers if share >= LIKELY_STYLE]
    if likely:
        sentences["sounds like"] = f"{', '.join(likely)}, of {len(known_composers())} known composers"
    return sentences


def model_words(report: ModelReport) -> dict[str, str]:
    """Say what a model's takes are like, a name and a sentence each."""
    sentences = {}
    for reference in report.real:
        shares = report.inside[reference.corpus]
        mean = sum(shares.values()) / len(shares)
        furthest = sorted(shares, key=lambda name: shares[name])[:FURTHEST]
        sentences[f"beside {reference.title}"] = (
            f"{mean:.0%} of the takes lie, on average over {len(shares)} figures, where {EXPECTED:.0%} of its windows "
            f"do; furthest from it: {', '.join(f'{name_of(name)} ({shares[name]:.0%})' for name in furthest)}"
        )
    loops = f"{report.loops} of {report.takes} takes have a pattern that comes eight times in a row"
    real = f"; windows of {report.real[0].title} have {report.real[0].loops:.2g} on average" if report.real else ""
    sentences["loops"] = f"{loops}{real}"
    if report.original is not None:
        sentences["originality"] = (
            f"{report.original:.0%} of the takes share no more with the indexed corpus than people's works do "
            "(of these, 97.5 %)"
        )
    if report.against is not None:
        takes, real_sets = report.against.takes, report.against.real
        if takes.statistics:
            of_takes, of_real = takes.distance, real_sets.distance
            real = f", real against real {of_real.distance:.2f}" if of_real is not None else ""
            distances = "" if of_takes is None else f"; Frechet distance {of_takes.distance:.2f}{real}"
            sentences[f"against {report.against.name}"] = overlap_sentence(takes, real_sets) + distances
    return sentences


def percentile_sentences(percentiles: Percentiles | None) -> list[str]:
    """Say in three lines where a piece's figures lie among those of people's works; nothing where that is unknown."""
    if percentiles is None:
        return []
    verdict = (
        "So it lies within what people share with each other (their 95 % interval)."
        if percentiles.is_inside
        else "So it shares more than people's works do (above their 95 % interval): listen to both before using it."
    )
    return [
        f"Of windows of {percentiles.window} notes from works of people, {percentiles.longest:.1f} % have only shorter",
        "passages in common with other works, and "
        f"{percentiles.share:.1f} % have fewer of their notes in such passages.",
        verdict,
    ]


def items_sentence(items: Mapping[str, Mapping[str, int]]) -> str:
    """Count the items of a model's training, as a phrase: corpus -> side of the split -> number."""
    sides = [f"{count:,} of {corpus} ({split})" for corpus, counts in items.items() for split, count in counts.items()]
    return ", ".join(sides)


def index_sentence(index: PassageIndex) -> str:
    """Say how many pieces an index has and, of a thinned one, how much it finds, as measured when it was built."""
    exact = index.description.get("recall", {}).get("exact", {})
    if not index.is_thinned or not exact:
        return f"Looked up among {len(index.pieces):,} pieces."
    lengths = " / ".join(sorted(exact, key=int))
    shares = " / ".join(f"{100 * exact[length]['found']:.0f}" for length in sorted(exact, key=int))
    return (
        f"Looked up among {len(index.pieces):,} pieces. "
        f"A thinned index: of exact copies of {lengths} notes it finds {shares} %, of changed fewer."
    )


def guard_sentence(interventions: Mapping[str, int]) -> str:
    """Say how often the guards of composing stepped in, and against what."""
    parts = [f"{name} {count} {'time' if count == 1 else 'times'}" for name, count in sorted(interventions.items())]
    return f"Held back while composing, for real music hardly has it: {', '.join(parts)}."


def retry_sentences(seed: int, originality: Originality) -> list[str]:
    """Say which tries shared too much, and when all of them did; `seed` is that of the take that is kept."""
    rejected = originality.rejected
    # Each retry was composed again with the next one's seed, and the last with that of the take.
    following = [retry.seed for retry in rejected[1:]] + ([seed] if originality.is_inside else [])
    lines = [
        f"{_shared_by(retry)}: composed again with seed {next_seed}."
        for retry, next_seed in zip(rejected, following, strict=False)
    ]
    if originality.is_inside:
        return lines
    return [
        *lines,
        f"{_shared_by(rejected[-1])}.",
        f"All {len(rejected)} tries share more than people's works do with each other: "
        f"seed {seed}, the most original, is kept.",
    ]


def _shared_by(rejected: Rejected) -> str:
    return f"Seed {rejected.seed} shared {rejected.longest} notes with {rejected.work}"


def together_sentence(together: SetLikelihood | None, model: str) -> str:
    """Say how likely several pieces are together, with the interval over pieces and where it says little; of one ""."""
    if together is None or together.interval is None:
        return ""
    notes = f"{together.pieces} pieces together, {together.notes:,} notes: {together.per_note:.2f} nats per note"
    few = f"; of fewer than {ENOUGH_PIECES} pieces that is too narrow" if together.pieces < ENOUGH_PIECES else ""
    low, high = together.interval
    return f"{notes} under {model} (95 % {low:.2f} to {high:.2f} over pieces{few})"


def overlap_sentence(compared: SetComparison, real: SetComparison) -> str:
    """Say how far two sets overlap on average, beside how far real music overlaps real music."""
    mine, theirs = (
        "unknown"
        if side.mean_overlap is None or side.mean_overlap_interval is None
        else "{:.3f} (95 % {:.2f} to {:.2f})".format(side.mean_overlap, *side.mean_overlap_interval)
        for side in (compared, real)
    )
    return f"mean overlapped area {mine}, real against real {theirs}"


def distance_sentence(distance: SetDistance | None, real: SetDistance | None) -> str:
    """Say how far two sets lie apart in the embedding, beside the distance of real music from real music."""
    needed = f"it needs {ENOUGH} windows of {WINDOW} notes or more of each set"
    if distance is None:
        return f"no Frechet distance: {needed}"
    figures = [
        f"unknown: {needed}" if side is None else "{:.2f} ({:.2f} to {:.2f})".format(side.distance, *side.interval)
        for side in (distance, real)
    ]
    return f"Frechet distance {figures[0]}, real {figures[1]}"


def unread_sentence(name: str, unread: Sequence[Path]) -> str:
    """Say which file of a set could not be read, and how many more."""
    more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
    return f"{name}: left out what cannot be read: {unread[0].name}{more}"


def report_json(report: Report) -> dict[str, Any]:
    """Describe a report as JSON values, with the sentences that say how it is touched and what it shares."""
    values = report.to_json()
    if report.touch is not None:
        values["touch"] |= {"sentence": _touch(report.touch)}
    if report.shared is not None:
        sentences = percentile_sentences(report.shared.percentiles)
        values["originality"] |= {"sentences": sentences, "index": index_sentence(report.shared.index)}
    return values


def name_of(figure: str) -> str:
    """Return a figure's name in words: inter_onset_beats -> inter onset beats."""
    words, _, scale = figure.replace("_", " ").rpartition(" ")
    return f"{words} at {scale} s" if scale.isdigit() else figure.replace("_", " ")


def number(value: float) -> str:
    """Write a number with four significant digits."""
    return f"{value:.4g}"


def _wishes(wishes: Sequence[MetWish]) -> str:
    """Say what each wish came to, with what was asked for in brackets."""
    said = []
    for wish in wishes:
        found = "no notes" if wish.found is None else _FOUND[wish.name].format(wish.found)
        asked = wish.asked if isinstance(wish.asked, str) else f"{wish.asked:g}"
        said.append(f"{wish.name} from {format_time(wish.second)} on: {found} ({asked} was wished for)")
    return "; ".join(said)


def _likelihood(report: Report, nats_per_note: float) -> str:
    """Say the likelihood, beside that of real windows as long where the model is known."""
    nats = f"its notes surprise {report.model} by {nats_per_note:.2f} nats each, and less is more expected"
    sample = report.sample
    known = [reference for reference in report.real if NATS in reference.figures]
    if not known or sample is None or NATS not in sample.figures:
        return f"{nats} (its card says what held-out music has)"
    bands = "; ".join(f"{real.title} {real.figures[NATS][0]:.1f} to {real.figures[NATS][4]:.1f}" for real in known)
    own = f"its own {sample.figures[NATS]:.2f}; " if sample.count > 1 else ""
    return f"{nats}; of {sample.notes} notes at a time, {own}nine of ten real windows: {bands}"


def _touch(touch: Touch) -> str:
    much = ": nearly all is staccato" if touch.short > STACCATO else ""
    long = ", longer than real music ever waits but once in a thousand stretches" if touch.wait > LONGEST_GAP else ""
    return (
        f"{touch.short:.0%} of the notes sound for less than {SHORT:g} s{much}; "
        f"the longest wait is {touch.wait:.1f} s, from {format_time(touch.wait_onset)} on{long}"
    )


def _loops(loops: Sequence[float]) -> str:
    if not loops:
        return "none: no pattern comes eight times in a row"
    times = ", ".join(format_time(seconds) for seconds in loops[:8])
    more = " and later" if len(loops) > 8 else ""
    return f"{len(loops)}, in which a pattern has come eight times in a row at {times}{more}"


def _shared(shared: Shared) -> str:
    overlap = shared.overlap
    if not overlap.passages:
        return f"no passage of 16 notes or more with the indexed corpus. {index_sentence(shared.index)}"
    longest = overlap.passages[0]
    return " ".join(
        [
            f"the longest passage has {longest.shared} notes or more, of {longest.piece.name};",
            f"{overlap.share:.0%} of all notes.",
            *percentile_sentences(shared.percentiles),
            index_sentence(shared.index),
        ]
    )

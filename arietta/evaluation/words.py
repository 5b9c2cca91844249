"""A report in plain words: what is said first, on the command line and on the page, and the names of its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..generation.original import Originality, Rejected
from ..originality.baseline import Percentiles
from ..originality.index import PassageIndex
from ..render.roll import format_time
from .beat_statistics import BEAT_DEFINITIONS, BEAT_SOURCES
from .comparison import SetDistance
from .embedding import WINDOW, known_composers
from .frechet import ENOUGH
from .model_report import ModelReport
from .reference import NATS, references
from .report import Report, Shared, report_values
from .statistics import DEFINITIONS, SOURCES

PLAIN = {
    "pitch_count": "{:.0f} different pitches",
    "pitch_range": "over {:.0f} semitones",
    "polyphony": "{:.1f} keys down at a time",
    "velocity": "velocity {:.0f} on average",
    "pedal": "the pedal down {:.0%} of the time",
    "scale_consistency": "{:.0%} of the notes in one scale",
    "repetition": "{:.0%} of its figures heard before",
}
NOTHING_TO_JUDGE = "It has no notes for a piano: there is nothing to judge."
EXPECTED = 0.9  # of real windows lie between their own 5th and 95th percentile
FURTHEST = 3  # figures of a model's takes that are named
LIKELY_STYLE = 0.1  # of the classifier's shares: fainter likenesses are not named
MEANINGS: Mapping[str, str] = {
    NATS: "what a note tells the model that it did not expect, in nats; less is more as it expected",
    "notes_per_second": "notes a second",
    "pitch_class_entropy": "entropy of the pitch classes in bits: 0 is one of them, 3.58 all twelve alike",
    "coming_back_2": "likeness of each 2 s to the moment elsewhere that is most like it, up to 1",
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
    """Say what there is to say, from the most plain: a name and a sentence each; nothing of a piece without notes."""
    if not report.notes:
        return {}
    said = {"length": f"{report.notes:,} note{'s' * (report.notes > 1)}, {format_time(report.seconds)}"}
    if report.key:
        said["key"] = f"{report.key}, {_clearly(report.measured['key_clarity'][0])}"
    if report.beats:
        said["beats"] = _beats(report)
    if report.nats_per_note is not None:
        said["likelihood"] = _likelihood(report)
    said["music"] = "; ".join(
        words.format(report.measured[name][0]) for name, words in PLAIN.items() if name in report.measured
    )
    if report.coming_back:
        scales = (f"{value:.2f} at {scale} s" for scale, value in report.coming_back.items())
        said["comes back"] = ", ".join(scales) + " (1: every moment has its like elsewhere)"
    said["loops"] = _loops(report)
    if report.shared is not None:
        said["shared"] = _shared(report.shared)
    heard = [f"{name} ({share:.0%})" for name, share in report.composers if share >= LIKELY_STYLE]
    if heard:
        said["sounds like"] = f"{', '.join(heard)}, of the {len(known_composers())} composers that can be told"
    return said


def model_words(report: ModelReport) -> dict[str, str]:
    """Say what a model's takes are like, a name and a sentence each."""
    said = {}
    for one in report.real:
        shares = report.inside[one.corpus]
        mean = sum(shares.values()) / len(shares)
        words = f"{mean:.0%} of the takes lie, on average over {len(shares)} figures, where {EXPECTED:.0%} of its"
        said[f"beside {one.title}"] = f"{words} windows do; furthest from it: {_furthest(shares)}"
    said["loops"] = f"{report.loops} of {report.takes} takes have a pattern that comes eight times in a row"
    if report.real:
        said["loops"] += f"; windows of {report.real[0].title} have {report.real[0].loops:.2g} on average"
    if report.original is not None:
        words = f"{report.original:.0%} of the takes share no more with the indexed corpus than people's works do"
        said["originality"] = f"{words} (of these, 97.5 %)"
    if report.against is not None:
        mine, theirs = report.against.takes.mean_overlap, report.against.real.mean_overlap
        if mine is not None and theirs:
            words = f"mean overlapped area {mine:.3f}, real against real {theirs:.3f}: {mine / theirs:.0%} of it"
            said[f"against {report.against.name}"] = words + _distances(
                report.against.takes.distance, report.against.real.distance
            )
    return said


def standing_sentences(standing: Percentiles | None) -> list[str]:
    """Say in three lines where a piece's figures lie among those of people's works; nothing where that is unknown."""
    if standing is None:
        return []
    verdict = (
        "So it lies within what people share with each other (their 95 % interval)."
        if standing.is_inside
        else "So it shares more than people's works do (above their 95 % interval): listen to both before using it."
    )
    return [
        f"Of windows of {standing.window} notes from works of people, {standing.longest:.1f} % have only shorter",
        f"passages in common with other works, and {standing.share:.1f} % have fewer of their notes in such passages.",
        verdict,
    ]


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


def retry_sentences(seed: int, originality: Originality) -> list[str]:
    """Say which tries shared too much, and when all of them did; `seed` is that of the take that is kept."""
    rejected = originality.rejected
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
    """Describe a report as JSON values, with the sentences that say what it shares."""
    values = report_values(report)
    if report.shared is not None:
        sentences = standing_sentences(report.shared.standing)
        values["originality"] |= {"sentences": sentences, "index": index_sentence(report.shared.index)}
    return values


def name_of(figure: str) -> str:
    """A figure's name in words: inter_onset_beats -> inter onset beats."""
    words, _, scale = figure.replace("_", " ").rpartition(" ")
    return f"{words} at {scale} s" if scale.isdigit() else figure.replace("_", " ")


def number(value: float) -> str:
    """Four digits that count."""
    return f"{value:.4g}"


def _distances(mine: SetDistance | None, theirs: SetDistance | None) -> str:
    """The Frechet distances of a model's takes, and of real music, where they can be told."""
    if mine is None:
        return ""
    real = f", real against real {theirs.distance:.2f}" if theirs is not None else ""
    return f"; Frechet distance {mine.distance:.2f}{real}"


def _furthest(shares: Mapping[str, float]) -> str:
    least = sorted(shares, key=lambda name: shares[name])[:FURTHEST]
    return ", ".join(f"{name_of(name)} ({shares[name]:.0%})" for name in least)


def _clearly(clarity: float) -> str:
    return "clearly" if clarity > 0.8 else "more or less" if clarity > 0.6 else "hardly"


def _beats(report: Report) -> str:
    assert report.beats is not None
    told = "as its file has them written" if report.beats.is_written else "as they were found in the playing"
    return f"{report.beats.signature}, {report.beats.measured['tempo'][0]:.0f} quarter notes a minute, {told}"


def _likelihood(report: Report) -> str:
    """The likelihood, beside that of real windows as long where the model is known."""
    said = f"{report.nats_per_note:.2f} nats a note under {report.model}"
    sample = report.sample
    known = [one for one in references(sample.notes, report.bundle) if NATS in one.figures] if sample else []
    if not known or sample is None or NATS not in sample.figures:
        return f"{said} (its card says what held-out music has)"
    bands = "; ".join(f"{one.title} {one.figures[NATS][0]:.1f} to {one.figures[NATS][4]:.1f}" for one in known)
    own = f"its own {sample.figures[NATS]:.2f}; " if sample.count > 1 else ""
    return f"{said}; of {sample.notes} notes at a time, {own}nine of ten real windows: {bands}"


def _loops(report: Report) -> str:
    if not report.loops:
        return "none: no pattern comes eight times in a row"
    times = ", ".join(map(format_time, report.loops[:8])) + (" and later" if len(report.loops) > 8 else "")
    return f"{len(report.loops)}, in which a pattern has come eight times in a row at {times}"


def _shared(shared: Shared) -> str:
    likeness = shared.likeness
    if not likeness.passages:
        return f"no passage of 16 notes or more with the indexed corpus. {index_sentence(shared.index)}"
    best = likeness.passages[0]
    said = [f"the longest passage has {best.shared} notes or more, of {best.piece.name};"]
    said += [f"{likeness.share:.0%} of all notes.", *standing_sentences(shared.standing), index_sentence(shared.index)]
    return " ".join(said)

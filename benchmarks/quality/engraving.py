"""How near scores made of playing come to the scores that were played: hands, lengths and names, note by note.

    python -m benchmarks.quality.engraving --asap asap-dataset
    python -m benchmarks.quality.engraving --asap asap-dataset --maestro maestro-v3.0.0 --split test

ASAP's 150 scores in MusicXML are read, played as they are written, and engraved again from what is heard: notes in
seconds, and the metre (`written`); the same without the metre, which is then found (`found`, of hands and spelling
alone). With `--maestro` the performances of one side of its split are engraved, under the beats that ASAP annotates
(`performance`): a note that the pianist played is held against the written note of its key within 0.2 s; others are
left out, as are performances whose beats do not pair with the score's, or of which less than 0.7 is written.

hand: share of notes on the staff that they are written on; duration, onset: whose length and place, in quarter notes,
are the written ones; spelling: which have the written name; matched: which were compared. voices: the F-measure of
which notes follow which in their voice (McLeod and Steedman 2018, "Evaluating automatic polyphonic music
transcription", section 3.2, with notes that begin together in a voice as one cluster). Means over files, with 95 %
bootstrap intervals.

One JSON line a case.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arietta.errors import ScoreError
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notation import Score, read_score
from arietta.music.notes import Notes
from arietta.render.score import score_musicxml
from benchmarks.quality.beats import Times, maestro_performances, written_beats
from benchmarks.quality.performing import match, stretch
from benchmarks.shared.samples import tell

SCORE = "xml_score.musicxml"
FEWEST = 0.7  # of a performance's notes that must be written: others play other repeats
SAME = 0.02  # of a quarter note: what a grace note or a rounded triplet may be off
Figures = dict[str, float]
Voiced = tuple[NDArray[np.int64], NDArray[np.float64]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asap", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--maestro", type=Path, metavar="FOLDER", help="engrave its performances too")
    parser.add_argument("--split", default="test", help="a side of MAESTRO's split (default: %(default)s)")
    parser.add_argument("--most", type=int, default=1000, metavar="N", help="of each kind (default: %(default)s)")
    arguments = parser.parse_args()
    figures = defaultdict(list)
    for path in sorted(arguments.asap.rglob(SCORE))[: arguments.most]:
        score = read_score(path)
        figures["written"].append(engraved(score.notes, score.meter, score, Written.of(score, score.notes)))
        unmeasured = engraved(score.notes, None, score, Written.of(score, score.notes))
        figures["found"].append({name: unmeasured[name] for name in ("hand", "spelling")})
    if arguments.maestro:
        for notes, meter, score, written in performances(arguments.asap, arguments.maestro, arguments.split):
            figures["performance"].append(engraved(notes, meter, score, written))
            if len(figures["performance"]) == arguments.most:
                break
    for name, rows in figures.items():
        tell(f"engraving/{name}", files=len(rows), **summary(rows))


class Written:
    """Which note of a score each note of its playing is, int64 [N], -1 for one that is none."""

    @staticmethod
    def of(score: Score, notes: Notes) -> NDArray[np.int64]:
        """Find them in the playing of the score as it is written."""
        first = {}
        for index in np.lexsort((-score.length, score.pitch, score.start)).tolist():
            first.setdefault((round(float(score.meter.seconds(score.start[index])), 6), int(score.pitch[index])), index)
        keys = zip(notes.onset.round(6).tolist(), notes.pitch.tolist(), strict=True)
        return np.array([first.get(key, -1) for key in keys])


def performances(asap: Path, maestro: Path, split: str) -> Iterator[tuple[Notes, Meter, Score, NDArray[np.int64]]]:
    """Give what pianists played of scores, the metre of that by the annotated beats, the score, and its notes in it."""
    for name, notes, beats in maestro_performances(asap, maestro, split):
        path = asap / Path(name).parent / SCORE
        if not path.exists():
            continue
        score = read_score(path)
        written = written_beats(score.meter, float(score.notes.onset.max()))
        if len(written) != len(beats):
            continue
        heard = score.notes
        onset, release = (stretch(times, written, beats) for times in (heard.onset, heard.release))
        timed = Notes.of(onset, np.maximum(release - onset, 0.01), heard.pitch, heard.velocity)
        numbers = Written.of(score, heard)[np.lexsort((heard.pitch, onset))]
        partner, index = match(timed, notes), np.full(len(notes), -1)
        index[partner[partner >= 0]] = numbers[partner >= 0]
        if (index >= 0).mean() >= FEWEST:
            yield notes, played_meter(score.meter, written, beats), score, index


def played_meter(meter: Meter, written: Times, beats: Times) -> Meter:
    """Return the metre of a score as it was played: its beats, at `written` seconds, came at those of `beats`."""
    quarters = np.diff(meter.quarters(written))
    tempos = [
        Tempo(float(begin), float(length)) for begin, length in zip(beats, np.diff(beats) / quarters, strict=False)
    ]
    seconds = stretch(np.array([mark.seconds for mark in meter.signatures]), written, beats)
    early = beats[0] - (written[0] - meter.signatures[0].seconds) / (written[1] - written[0]) * (beats[1] - beats[0])
    marks = [
        replace(mark, seconds=max(float(at), float(early))) for mark, at in zip(meter.signatures, seconds, strict=True)
    ]
    marks[0] = replace(marks[0], seconds=float(early))
    return Meter(tuple(_distinct(marks)), (replace(tempos[0], seconds=float(early)), *tempos[1:]))


def _distinct(marks: list[TimeSignature]) -> Iterator[TimeSignature]:
    last = -np.inf
    for mark in marks:
        if mark.seconds > last:
            yield mark
        last = max(last, mark.seconds)


def engraved(notes: Notes, meter: Meter | None, score: Score, index: NDArray[np.int64]) -> Figures:
    """Engrave notes and hold what is written against the notes of a score that they are."""
    text = score_musicxml(notes, meter=meter)
    try:
        again = read_score(text.encode())
    except ScoreError as error:
        raise SystemExit(f"an engraved score cannot be read: {error}") from error
    partner = in_order(notes, again)
    both = (index >= 0) & (partner >= 0)
    ours, theirs = partner[both], index[both]
    return {
        "hand": float(np.mean((again.staff[ours] == 1) == (score.staff[theirs] == 1))),
        "duration": float(np.mean(np.abs(again.length[ours] - score.length[theirs]) <= SAME)),
        "onset": float(np.mean(np.abs(again.start[ours] - score.start[theirs]) <= SAME)),
        "spelling": float(np.mean(again.name[ours] == score.name[theirs])),
        "voices": voices_alike((again.voice[ours], again.start[ours]), (score.voice[theirs], score.start[theirs])),
        "matched": float(both.mean()),
    }


def voices_alike(ours: Voiced, theirs: Voiced) -> float:
    """Return the F-measure of what follows each note in its voice, two times the shared over all, mean over chords.

    Both are the same notes' voices and starts [N].
    """
    agreement = weight = 0.0
    for (chord, following), (_, written) in zip(followers(*ours), followers(*theirs), strict=True):
        if following or written:
            agreement += 2 * len(following & written) / (len(following) + len(written)) / len(chord)
            weight += 1 / len(chord)
    return agreement / weight if weight else 1.0


def followers(voice: NDArray[np.int64], start: NDArray[np.float64]) -> list[tuple[set[int], set[int]]]:
    """Return for each note those that begin with it in its voice, and those of the next chord of that voice."""
    chords: dict[int, dict[float, set[int]]] = defaultdict(lambda: defaultdict(set))
    for note in np.argsort(start, kind="stable").tolist():
        chords[int(voice[note])][round(float(start[note]), 3)].add(note)
    found: list[tuple[set[int], set[int]]] = [(set(), set())] * len(voice)
    for row in chords.values():
        for chord, following in zip_longest(row.values(), list(row.values())[1:], fillvalue=set[int]()):
            for note in chord:
                found[note] = chord, following
    return found


def in_order(notes: Notes, score: Score) -> NDArray[np.int64]:
    """Return which note of an engraved score each note is: those of each key are written in their order."""
    partner = np.full(len(notes), -1)
    for pitch in np.unique(notes.pitch).tolist():
        mine, theirs = np.flatnonzero(notes.pitch == pitch), np.flatnonzero(score.pitch == pitch)
        if len(mine) == len(theirs):
            partner[mine] = theirs
    return partner


def summary(rows: list[Figures]) -> dict[str, object]:
    """Return the means over files, with intervals."""
    means: dict[str, object] = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        resampled = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(axis=1)
        means |= {name: float(values.mean()), f"{name}_95": np.percentile(resampled, [2.5, 97.5]).tolist()}
    return means


if __name__ == "__main__":
    main()

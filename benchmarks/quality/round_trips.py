"""What files keep of music: seconds under a tempo map, scores beside their MIDI files, bars that are gone on from.

    python -m benchmarks.quality.round_trips --maestro maestro-v3.0.0 --files 500
    python -m benchmarks.quality.round_trips --asap asap-dataset
    python -m benchmarks.quality.round_trips --written grieg --model grieg

Performances, drawn evenly from all of MAESTRO, are written as MIDI under the metre that is found in them (`found`),
under 90 beats a minute (`90`), and under none (`none`), and read back. An onset or a release that moves by more than
a millisecond is a violation, and so is a note that is not there. `worst_ms` is the farthest that any moved.

ASAP's scores have the same music as MusicXML and as MIDI, which a notation program played from it. Of each note of
either, by place (quarter notes from the beginning, repeats unfolded) and key: `same`, the share of the MIDI file's
notes that are read at their place; `moved`, at another place within a quarter note (grace notes, broken chords);
`ornaments`, notes of the MIDI file alone within a whole tone of one that sounds (trills and turns, which a score only
signs); `midi` and `score`, others of one file alone. Files of which less than half is the same are named: they play
other repeats, or are not the same edition.

The first eight bars of sequenced pieces are gone on from by eight bars of a model. `kept` are those whose file then has
the bar lines of the piece where they were, to a millisecond, in its metre, key and tempo; `whole` those that have
sixteen bars and end on a bar line, to 0.06 s: models count lengths in steps. Pieces in 3/4 also by themselves.

One JSON line a case.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import arietta
from arietta.music.beats.accents import find_accented_meter
from arietta.music.meter import Meter
from arietta.music.midi import midi_bytes, read_meter, read_midi, write_midi
from arietta.music.midi.smf import TEMPO, parse
from arietta.music.midi.tempo_map import TempoMap
from arietta.music.notation import read_score
from arietta.music.notes import Notes
from benchmarks.shared.samples import tell

MOST = 0.001 + 1e-9  # seconds that an onset or a release may move
SCORE, MIDI = "xml_score.musicxml", "midi_score.mid"
BARS = 8
STEP = 0.06  # seconds from a bar line to an end that is on it: lengths are composed in steps, long ones in longer ones
SAME_PLACE, NEAR = 0.05, 1.0  # quarter notes
ORNAMENT = 2  # semitones
Floats = NDArray[np.float64]
Placed = tuple[Floats, NDArray[np.uint8], Floats]  # places in quarter notes, keys, and ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maestro", type=Path, metavar="FOLDER")
    parser.add_argument("--files", type=int, default=500, metavar="N", help="of MAESTRO (default: %(default)s)")
    parser.add_argument("--asap", type=Path, metavar="FOLDER")
    parser.add_argument("--written", type=Path, metavar="FOLDER", help="MIDI files that carry their metre")
    parser.add_argument("--model", default="grieg")
    options = parser.parse_args()
    if options.maestro:
        paths = sorted(options.maestro.rglob("*.midi"))
        chosen = np.linspace(0, len(paths) - 1, min(options.files, len(paths))).round().astype(int)
        lay_tempo_maps([paths[index] for index in chosen])
    if options.asap:
        compare_scores(sorted(options.asap.rglob(SCORE)))
    if options.written:
        go_on_from(sorted(options.written.rglob("*.mid")), options.model)


# Tempo maps


def lay_tempo_maps(paths: Sequence[Path]) -> None:
    """Write performances under each grid, read them back, and tell what moved."""
    moved: dict[str, list[tuple[int, float]]] = {"found": [], "90": [], "none": []}
    count = 0
    for path in tqdm(paths, desc="tempo maps", unit="file", mininterval=5):
        notes = read_midi(path)
        count += len(notes)
        grids: dict[str, Meter | float | None] = {"found": find_accented_meter(notes), "90": 90.0, "none": None}
        for name, grid in grids.items():
            moved[name].append(violations(notes, read_midi(midi_bytes(notes, grid=grid))))
    for name, rows in moved.items():
        worst = 1000 * max((far for _, far in rows), default=0.0)
        tell(f"tempo map/{name}", files=len(paths), notes=count, violations=sum(n for n, _ in rows), worst_ms=worst)


def violations(notes: Notes, back: Notes) -> tuple[int, float]:
    """Count what moved too far, and notes that are not there; return also the farthest that any moved (s)."""
    count, farthest = 0, 0.0
    for pitch in np.union1d(notes.pitch, back.pitch).tolist():
        mine, theirs = notes.pitch == pitch, back.pitch == pitch
        if mine.sum() != theirs.sum():
            count += abs(int(mine.sum()) - int(theirs.sum()))
            continue
        for before, after in ((notes.onset, back.onset), (notes.release, back.release)):
            distance = np.abs(before[mine] - after[theirs])
            count += int((distance > MOST).sum())
            farthest = max(farthest, float(distance.max(initial=0.0)))
    return count, farthest


# Scores


def compare_scores(paths: Sequence[Path]) -> None:
    """Hold scores against their MIDI files, note for note, and tell the differences by kind."""
    totals, odd, lengths = Counter[str](), [], []
    for path in tqdm(paths, desc="scores", unit="file", mininterval=5):
        score = read_score(path)
        written, played = placed(score.notes, score.meter), placed_by_ticks(path.with_name(MIDI))
        kinds, length = differences(written, played)
        if kinds["same"] < kinds["notes"] / 2:
            odd.append(path.parent.as_posix().split("/")[-3:])
            print(f"{path.parent}: {dict(kinds)}")
        else:
            totals.update(kinds)
            lengths.append(length)
    shares = {kind: totals[kind] / totals["notes"] for kind in ("same", "moved", "ornaments", "midi", "score")}
    exact = sum(length == 1.0 for length in lengths)
    tell("scores read", files=len(paths), other=len(odd), notes=totals["notes"], exact=exact, **shares)


def placed(notes: Notes, meter: Meter) -> Placed:
    return meter.quarters(notes.onset), notes.pitch, meter.quarters(notes.release)


def placed_by_ticks(path: Path) -> Placed:
    """Place the notes of a MIDI file by its ticks: some files have a metre that `read_meter` does not trust."""
    file, notes = parse(path.read_bytes()), read_midi(path)
    changes = {0: 500_000}  # microseconds a beat, until told otherwise (SMF 1.0)
    for tick, kind, payload in sorted(event for track in file.tracks for event in track.metas):
        if kind == TEMPO:
            changes[tick] = int.from_bytes(payload, "big")
    tempo_map = TempoMap(file.ticks_per_beat, np.array(list(changes)), np.array(list(changes.values())))
    onset, release = (tempo_map.ticks(times) / file.ticks_per_beat for times in (notes.onset, notes.release))
    return onset, notes.pitch, release


def differences(written: Placed, played: Placed) -> tuple[Counter[str], float]:
    """Count notes by what became of them; return also the share of the same among those of the larger file."""
    kinds = Counter(notes=len(played[0]))
    partner = np.full(len(played[0]), -1)
    for pitch in np.unique(played[1]).tolist():
        theirs, mine = np.flatnonzero(played[1] == pitch), np.flatnonzero(written[1] == pitch)
        for within in (SAME_PLACE, NEAR):
            _pair(partner, (theirs, played[0]), (mine, written[0]), within)
    gap = np.abs(played[0] - written[0][partner])
    kinds["same"] = int(((partner >= 0) & (gap <= SAME_PLACE)).sum())
    kinds["moved"] = int((partner >= 0).sum()) - kinds["same"]
    for note in np.flatnonzero(partner < 0).tolist():
        sounds = (written[0] <= played[0][note] + NEAR / 4) & (written[2] >= played[0][note] - NEAR / 4)
        near = np.abs(written[1][sounds].astype(int) - int(played[1][note])) <= ORNAMENT
        kinds["ornaments" if near.any() else "midi"] += 1
    kinds["score"] = len(written[0]) - int((partner >= 0).sum())
    return kinds, kinds["same"] / max(kinds["notes"], len(written[0]))


def _pair(
    partner: NDArray[np.int64],
    played: tuple[NDArray[np.int64], Floats],
    written: tuple[NDArray[np.int64], Floats],
    within: float,
) -> None:
    """Pair notes of a key, in their order, that have no partner yet and lie no farther apart than that."""
    theirs = [note for note in played[0].tolist() if partner[note] < 0]
    taken = set(partner.tolist())
    mine = [note for note in written[0].tolist() if note not in taken]
    while theirs and mine:
        gap = played[1][theirs[0]] - written[1][mine[0]]
        if abs(gap) <= within:
            partner[theirs.pop(0)] = mine.pop(0)
        elif gap < 0:
            theirs.pop(0)
        else:
            mine.pop(0)


# Bars


def go_on_from(paths: Sequence[Path], model: str) -> None:
    """Go on from the beginnings of pieces in bars, and tell of how many the bars are kept."""
    rows = []
    for path in tqdm(paths, desc="bars", unit="piece", mininterval=5):
        notes, meter = read_midi(path), read_meter(path)
        if meter is not None and len(meter.bar_lines(notes.seconds)) > BARS:
            rows.append(((meter.signatures[-1].beats, meter.signatures[-1].unit), *longer(notes, meter, model)))
    for name, chosen in (("all", rows), ("in 3/4", [row for row in rows if row[0] == (3, 4)])):
        tell(
            f"bars/{name}",
            pieces=len(chosen),
            kept=sum(is_kept for _, is_kept, _ in chosen),
            whole=sum(is_whole for *_, is_whole in chosen),
        )


def longer(notes: Notes, meter: Meter, model: str) -> tuple[bool, bool]:
    """Go on from the first bars of a piece; return whether its file keeps their lines, and has so many more."""
    lines = meter.bar_lines(notes.seconds)[: BARS + 1]
    with tempfile.TemporaryDirectory() as folder:
        given, written = Path(folder) / "given.mid", Path(folder) / "written.mid"
        write_midi(given, notes.between(0.0, float(lines[-1]) - MOST), grid=meter)
        take = arietta.compose(bars=BARS, prompt=given, model=model, seed=0)
        take.save(written)
        before, after = read_meter(given), read_meter(written)
    if before is None or after is None:
        return False, False
    found = after.bar_lines(take.notes.seconds - STEP)
    is_same = np.allclose(found[: BARS + 1], lines, rtol=0, atol=MOST) and same_marks(before, after, float(lines[-1]))
    return is_same, len(found) == 2 * BARS + 1 and abs(float(found[-1]) - take.notes.seconds) <= STEP


def same_marks(before: Meter, after: Meter, until: float) -> bool:
    """Whether signatures and keys are those that stood there before."""
    return [[mark for mark in marks if mark.seconds < until] for marks in (before.signatures, before.keys)] == [
        [mark for mark in marks if mark.seconds < until] for marks in (after.signatures, after.keys)
    ]


if __name__ == "__main__":
    main()

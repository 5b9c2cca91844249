"""Made music for the corpus's tests: tunes that differ by seed, played this way or that, as files in folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from arietta.music.midi import write_midi
from arietta.music.notes import Notes, join


def tune(seed: int, note_count: int = 120) -> Notes:
    """Give a melody of random steps with a random rhythm: no two seeds share a passage of 12 notes."""
    rng = np.random.default_rng(seed)
    onset = np.cumsum(rng.uniform(0.1, 0.4, note_count))
    pitch = 60 + np.cumsum(rng.integers(-9, 10, note_count)) % 36 - 12
    return Notes.of(onset, np.full(note_count, 0.09), pitch, rng.integers(30, 100, note_count), [(0.5, 1.0)])


def play_again(notes: Notes, seed: int) -> Notes:
    """Give another performance: the same pitches, every waiting shorter or longer by up to a third."""
    rng = np.random.default_rng(seed)
    waits = np.diff(notes.onset, prepend=0.0) * rng.uniform(0.7, 1.3, len(notes))
    return Notes.of(np.cumsum(waits), notes.duration, notes.pitch, notes.velocity)


def play_all(*tunes: Notes) -> Notes:
    """Give tunes one after another, as a recording of a whole opus."""
    joined = tunes[0]
    for notes in tunes[1:]:
        joined = join(joined, notes, gap=1.0)
    return joined


def write(path: Path, notes: Notes) -> Path:
    """Write a MIDI file, its folders too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_midi(path, notes)
    return path


def write_maestro(folder: Path, rows: list[tuple[str, str, str, Notes]]) -> Path:
    """Write a folder like MAESTRO's of rows (composer, title, split, notes): a table and a file for each row."""
    lines = ["canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration"]
    for number, (composer, title, split, notes) in enumerate(rows):
        write(folder / "2004" / f"{number}.midi", notes)
        quoted = title.replace('"', '""')
        lines.append(f'{composer},"{quoted}",{split},2004,2004/{number}.midi,2004/{number}.wav,1')
    (folder / "maestro-v3.0.0.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder

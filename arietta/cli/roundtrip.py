"""Measure what a codec, and so a model, keeps of your music: encode it, decode it, compare.

examples:
  arietta roundtrip piece.mid                        one file, figure by figure
  arietta roundtrip maestro-v3.0.0                   all the MIDI files in a folder and below
  arietta roundtrip piece.mid --codec performance    the codec of the Music Transformer, with the pedal folded in

Onset errors are those of single notes; the drift is the error of the last one, so errors that add up would show there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CodecError
from ..names import escape_name
from .output import read_path
from .progress import progress_bar
from .table import facts, table

if TYPE_CHECKING:
    from ..codecs.codec import Codec

COUNTS = {
    "notes": "notes",
    "merged": "merged with another note of their key in the same 10 ms",
    "shortened": "shortened, to end before their key is struck again",
    "outside": "outside the 88 keys of a piano, left out",
    "lost": "lost otherwise",
}
FIGURES = {
    "onset_error_max_ms": ("onset error, largest (ms)", "{:.2f}"),
    "onset_error_median_ms": ("onset error, median (ms)", "{:.2f}"),
    "drift_ms": ("drift at the end (ms)", "{:+.2f}"),
    "length_ratio": ("mean note length, after / before", "{:.4f}"),
    "velocity_difference": ("mean velocity, after - before", "{:+.3f}"),
    "tokens_per_note": ("tokens per note", "{:.3f}"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="FILE|DIR", type=read_path, help="a MIDI file, or a folder of them")
    parser.add_argument(
        "--codec", default="note", metavar="CODEC", help="which codec to measure: note (default), performance"
    )


def run(arguments: argparse.Namespace) -> None:
    from ..codecs import CODECS
    from ..codecs.roundtrip import measure_fidelity
    from ..music.midi import read_midi

    if arguments.codec not in CODECS:
        raise CodecError(f"--codec {arguments.codec}: no such codec; there are {', '.join(CODECS)}")
    path, codec = arguments.path, CODECS[arguments.codec]()
    if path.is_dir():
        print("\n".join(_folder_lines(path, codec)))
        return
    fidelity = measure_fidelity(read_midi(path), codec)
    counts = {title: f"{getattr(fidelity, name):,}" for name, title in COUNTS.items()}
    figures = {title: form.format(getattr(fidelity, name)) for name, (title, form) in FIGURES.items()}
    print(escape_name(f"{path} through the {codec.name} codec"))
    print(facts(counts | figures))


def _folder_lines(path: Path, codec: Codec) -> Iterator[str]:
    """The sums of the counts, and the least, median and most of each figure over the files that have notes."""
    from statistics import median_low

    from ..codecs.roundtrip import measure_files
    from ..corpus.reader import find_files
    from ..errors import MidiError

    paths = [source.path for source in find_files([path])]
    with progress_bar("measuring", "file") as progress:
        fidelities, unreadable = measure_files(paths, codec, progress)
    if not fidelities:
        raise MidiError(f"{path}: none of its {len(paths)} MIDI files can be read; the first: {unreadable[0]}")
    yield escape_name(f"{path} through the {codec.name} codec: {len(fidelities)} of {len(paths)} files")
    yield facts({title: f"{sum(getattr(each, name) for each in fidelities):,}" for name, title in COUNTS.items()})
    with_notes = [fidelity for fidelity in fidelities if fidelity.notes > fidelity.outside]
    rows = []
    for name, (title, form) in FIGURES.items():
        figures = [getattr(fidelity, name) for fidelity in with_notes] or [float("nan")]
        # The lower median is the figure of a file, where the mean of two may be none's.
        rows.append([title, *(form.format(spread(figures)) for spread in (min, median_low, max))])
    yield table(["of each file", "least", "median", "most"], rows)
    yield from (f"  unreadable: {sentence}" for sentence in unreadable)

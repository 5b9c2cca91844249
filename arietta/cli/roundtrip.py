"""Measure what a codec, and so a model, keeps of your music: encode it, decode it, compare.

examples:
  arietta roundtrip piece.mid                        one file, figure by figure
  arietta roundtrip maestro-v3.0.0                   all the MIDI files in a folder and below
  arietta roundtrip piece.mid --codec performance    the codec of the Music Transformer, with the pedal folded in

Onset errors are those of single notes; the drift is the error of the last one, so errors that add up would show there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .progress import bar
from .table import facts, table

if TYPE_CHECKING:
    from ..codecs.codec import Codec
    from ..codecs.roundtrip import Fidelity

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
    parser.add_argument("path", metavar="FILE|DIR", type=Path, help="a MIDI file, or a folder of them")
    parser.add_argument(
        "--codec", default="note", choices=("note", "performance"), help="which codec to measure (default note)"
    )


def run(arguments: argparse.Namespace) -> None:
    from ..codecs import CODECS

    path, codec = arguments.path, CODECS[arguments.codec]()
    lines = _folder_lines(path, codec) if path.is_dir() else _file_lines(path, codec)
    print("\n".join(lines))


def _file_lines(path: Path, codec: Codec) -> Iterator[str]:
    from ..codecs.roundtrip import measure_fidelity
    from ..music.midi import read_midi

    fidelity = measure_fidelity(read_midi(path), codec)
    yield f"{path} through the {codec.name} codec"
    counts = {title: f"{getattr(fidelity, name):,}" for name, title in COUNTS.items()}
    figures = {title: form.format(getattr(fidelity, name)) for name, (title, form) in FIGURES.items()}
    yield facts(counts | figures)


def _folder_lines(path: Path, codec: Codec) -> Iterator[str]:
    from ..codecs.roundtrip import measure_files
    from ..corpus.reader import find_files
    from ..errors import MidiError

    paths = [found.path for found in find_files([path])]
    with bar("measuring", "file") as progress:
        found, unreadable = measure_files(paths, codec, progress)
    if not found:
        raise MidiError(f"{path}: none of its {len(paths)} MIDI files can be read; the first: {unreadable[0]}")
    yield f"{path} through the {codec.name} codec: {len(found)} of {len(paths)} files"
    yield facts({title: f"{sum(getattr(one, name) for one in found):,}" for name, title in COUNTS.items()})
    yield table(["of each file", "least", "median", "most"], list(_spreads(found)))
    yield from (f"  unreadable: {sentence}" for sentence in unreadable)


def _spreads(found: Sequence[Fidelity]) -> Iterator[list[str]]:
    """A row for each figure; files without notes have nothing to say."""
    from statistics import median_low

    heard = [one for one in found if one.notes > one.outside]
    for name, (title, form) in FIGURES.items():
        values = [getattr(one, name) for one in heard] or [float("nan")]
        yield [title, *(form.format(value) for value in (min(values), median_low(values), max(values)))]

"""Compose a piece of exactly the length you ask for, as a MIDI file.

examples:
  arietta compose                                     300 notes into pieces/
  arietta compose --notes 1000 --style chopin         a longer piece, in a composer's style
  arietta compose --seconds 60 --seed 7 -o cue.mid    one minute; the same seed gives the same file
  arietta compose --prompt theme.mid --prompt-notes 40 --count 4 -o takes/
                                                      four ways to go on from a theme's first 40 notes
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..bundle import DEFAULT_MODEL, list_bundles
from ..errors import RequestError
from ..sampling import USUAL, Sampling

if TYPE_CHECKING:
    from ..composing import Request, Take
    from ..engine import OnnxEngine
    from ..notes import Notes

MOST_TAKES = 100
_DICE = (
    ("--temperature", "T", USUAL.temperature, "below 1 tamer, above 1 bolder"),
    ("--top-p", "P", USUAL.top_p, "draw from the likeliest values up to this share"),
    ("--min-p", "P", USUAL.min_p, "drop values less likely than this share of the likeliest"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--notes", metavar="N", type=_whole, help="compose exactly N notes (300)")
    length.add_argument("--seconds", metavar="S", type=_number, help="or S seconds of music, within 2 %%")
    models = ", ".join(list_bundles())
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"one of {models}, or a folder (%(default)s)")
    parser.add_argument("--style", default="any", metavar="COMPOSER", help="a composer the model knows (%(default)s)")
    parser.add_argument("--prompt", metavar="FILE", type=Path, help="a MIDI file to go on from; its notes are kept")
    parser.add_argument("--prompt-notes", metavar="K", type=_whole, help="take only the first K notes of the prompt")
    parser.add_argument("--seed", type=_whole, help="the same seed gives the same piece (drawn if not given)")
    for name, metavar, default, tells in _DICE:
        parser.add_argument(name, metavar=metavar, type=_number, default=default, help=f"{tells} (%(default)s)")
    parser.add_argument(
        "--count", metavar="M", type=_whole, default=1, help="compose M takes, with seeds counted up (%(default)s)"
    )
    parser.add_argument("-o", "--out", metavar="PATH", default="pieces", help="a .mid file or a folder (%(default)s)")
    parser.add_argument("--roll", action="store_true", help="also draw a piano roll beside each file (.png)")


def run(arguments: argparse.Namespace) -> int:
    requests = _requests(arguments)
    from ..bundle import load_bundle
    from ..composing import Piece
    from ..engine import load_engine

    bundle = load_bundle(arguments.model)
    Piece(requests[0], bundle)  # refuses what this model cannot do before any work is done
    paths = _paths(arguments, len(requests))
    engine = load_engine(bundle)
    for request, path in zip(requests, paths, strict=True):
        _compose_one(request, engine, path, has_roll=arguments.roll)
    print("Hear it: open the file in any player or DAW with a piano sound.")
    print("Next:    arietta compose --style chopin --notes 600      arietta compose --help")
    return 0


def _requests(arguments: argparse.Namespace) -> list[Request]:
    from ..composing import Request, draw_seed

    if not 1 <= arguments.count <= MOST_TAKES:
        raise RequestError(f"--count must lie in 1-{MOST_TAKES}, not {arguments.count}")
    notes = 300 if arguments.notes is None and arguments.seconds is None else arguments.notes
    sampling = Sampling(arguments.temperature, arguments.top_p, arguments.min_p)
    seed = draw_seed() if arguments.seed is None else arguments.seed
    prompt = _prompt(arguments)
    return [
        Request(notes, arguments.seconds, arguments.style, prompt, seed + take, sampling)
        for take in range(arguments.count)
    ]


def _prompt(arguments: argparse.Namespace) -> Notes | None:
    if arguments.prompt is None:
        if arguments.prompt_notes is not None:
            raise RequestError("--prompt-notes says how much of --prompt FILE to take: name the file")
        return None
    from ..midi import read_midi
    from ..notes import first

    notes = read_midi(arguments.prompt)
    if arguments.prompt_notes is not None and arguments.prompt_notes < 1:
        raise RequestError(f"--prompt-notes must be 1 or more, not {arguments.prompt_notes}")
    if not len(notes):
        raise RequestError(f"{arguments.prompt}: has no notes to go on from")
    return notes if arguments.prompt_notes is None else first(notes, arguments.prompt_notes)


def _paths(arguments: argparse.Namespace, count: int) -> list[Path]:
    """Where each take goes: the file named by -o, or its folder, where files are named after their takes."""
    out = Path(arguments.out)
    is_file = _is_file(out)
    if is_file and count > 1:
        raise RequestError(f"{out}: {count} takes need a folder, not one file: give -o a folder")
    folder = out.parent if is_file else out
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise RequestError(f"{folder}: is a file; -o takes a .mid file or a folder") from error
    if not os.access(folder, os.W_OK):
        raise RequestError(f"{folder}: you may not write there; -o takes another folder")
    return [out] * count


def _is_file(out: Path) -> bool:
    return out.suffix.lower() in (".mid", ".midi") and not out.is_dir()


def _compose_one(request: Request, engine: OnnxEngine, path: Path, *, has_roll: bool) -> None:
    from ..composing import compose
    from .bar import bar

    begun = time.perf_counter()
    with bar("composing", "note" if request.notes else "s") as progress:
        take = compose(request, engine, progress=progress)
    path = path if _is_file(path) else path / f"{take.title}.mid"
    take.save(path)
    if has_roll:
        from ..render import write_roll

        write_roll(path.with_suffix(".png"), take.notes, title=take.title, prompt_seconds=take.prompt_seconds)
    _tell(take, path, time.perf_counter() - begun)


def _tell(take: Take, path: Path, seconds: float) -> None:
    before = f" after {take.prompt_notes} of the prompt" if take.prompt_notes else ""
    print(f"Composed {take.note_count} notes{before}, {take.notes.seconds:.1f} s of music,")
    speed = take.note_count / take.seconds_taken
    print(f"in {seconds:.2f} s ({speed:.0f} notes/s), with {take.model}, seed {take.request.seed}:")
    print(f"  {path}")


def _whole(text: str) -> int:
    """A whole number, with a sentence for anything else."""
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error

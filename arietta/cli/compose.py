"""Compose a piece of exactly the length you ask for, as a MIDI file.

examples:
  arietta compose                                     300 notes into pieces/
  arietta compose --notes 1000 --style chopin         a longer piece, in a composer's style
  arietta compose --seconds 60 --seed 7 -o cue.mid    one minute; the same seed gives the same file
  arietta compose --prompt theme.mid --prompt-notes 40 --count 4 -o takes/
                                                      four ways to go on from a theme's first 40 notes
  arietta compose --server http://127.0.0.1:8000      the same, composed by a server (arietta serve)
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..bundle import DEFAULT_MODEL, list_bundles
from ..errors import RequestError
from ..sampling import USUAL, Sampling

if TYPE_CHECKING:
    from ..client import ServedTake
    from ..composing import Request, Take
    from ..notes import Notes
    from .bar import Progress

    Work = Callable[[list[Request], Progress], Iterable[Take | ServedTake]]

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
    parser.add_argument("--model", metavar="NAME", help=f"one of {models}, or a folder ({DEFAULT_MODEL})")
    parser.add_argument("--server", metavar="URL", help="let a server compose, with its models ($ARIETTA_API_KEY)")
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
    work = _elsewhere(arguments) if arguments.server else _here(arguments, requests[0])
    _compose(requests, work, _out(arguments, len(requests)), has_roll=arguments.roll)
    print("Hear it: open the file in any player or DAW with a piano sound.")
    print("Next:    arietta compose --style chopin --notes 600      arietta compose --help")
    return 0


def _here(arguments: argparse.Namespace, request: Request) -> Work:
    """Compose on this machine; refuses what the model cannot do before any work is done."""
    from ..bundle import load_bundle
    from ..composing import Piece
    from ..engine import load_engine
    from ..ensemble import compose_together

    bundle = load_bundle(arguments.model or DEFAULT_MODEL)
    Piece(request, bundle)
    engine = load_engine(bundle)
    return lambda requests, progress: compose_together(requests, engine, progress=progress)


def _elsewhere(arguments: argparse.Namespace) -> Work:
    """Let a server compose."""
    from ..client import Client

    client = Client(arguments.server, api_key=os.environ.get("ARIETTA_API_KEY") or None)
    return lambda requests, progress: client.perform(requests, model=arguments.model, progress=progress)


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


def _out(arguments: argparse.Namespace, count: int) -> Path:
    """Where takes go: the file named by -o, or its folder, where files are named after their takes."""
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
    return out


def _is_file(out: Path) -> bool:
    return out.suffix.lower() in (".mid", ".midi") and not out.is_dir()


def _compose(requests: list[Request], work: Work, out: Path, *, has_roll: bool) -> None:
    """Let all of them be composed, save each as it is done, and tell of them in their order."""
    from .bar import bar

    begun, made = time.perf_counter(), []
    with bar("composing", "note" if requests[0].notes else "s") as progress:
        for take in work(requests, progress):
            made.append((take, _save(take, out, has_roll=has_roll)))
    seconds = time.perf_counter() - begun
    spent = made[0][0].seconds_taken if len(made) == 1 else seconds
    speed = sum(take.note_count for take, _ in made) / spent
    company = f"beside {len(made) - 1} more " if len(made) > 1 else ""
    for take, path in sorted(made, key=lambda one: one[0].request.seed):
        before = f" after {take.prompt_notes} of the prompt" if take.prompt_notes else ""
        print(f"Composed {take.note_count} notes{before}, {take.notes.seconds:.1f} s of music,")
        print(f"{company}in {seconds:.2f} s ({speed:.0f} notes/s), with {take.model}, seed {take.request.seed}:")
        print(f"  {path}")


def _save(take: Take | ServedTake, out: Path, *, has_roll: bool) -> Path:
    path = out if _is_file(out) else out / f"{take.title}.mid"
    take.save(path)
    if has_roll:
        from ..render import write_roll

        write_roll(path.with_suffix(".png"), take.notes, title=take.title, prompt_seconds=take.prompt_seconds)
    return path


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

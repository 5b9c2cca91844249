"""What verbs share: numbers, times and files read from the command line, takes written to files, and where it runs."""

from __future__ import annotations

import argparse
import itertools
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MidiError, RequestError
from ..files import write_file
from ..model.bundle import DEFAULT_MODEL, list_bundles
from ..names import escape_name
from ..program import command

if TYPE_CHECKING:
    from ..client.take import ServedTake
    from ..generation.request import Take
    from ..music.reading import ReadPiece

MAX_TAKES = 100
SURPRISE = "the lower its surprise, the more a take is what the model expects"
KEEP = "left or right hand, top or bottom line, all, pitches as 48-60, or numbers of notes as 0,4,7"


STANDARD = Path("-")  # standard output, where a file would be written; standard input, where one would be read
STANDARD_INPUT = Path("/dev/stdin")
LONGEST_ORIGIN = 48  # characters, of up to four bytes: names of files have at most 255 bytes


def read_path(text: str) -> Path:
    """Read the name of a file to read; - is standard input."""
    return STANDARD_INPUT if text == str(STANDARD) else Path(text)


@contextmanager
def standard_output(ending: str) -> Iterator[Path]:
    """Give a file to write, of the kind that `ending` says, which then goes to standard output."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"piece{ending}"
        yield path
        # Not sys.stdout, which may be redirected so that what is printed does not mix with the file.
        assert sys.__stdout__ is not None
        sys.__stdout__.flush()
        sys.__stdout__.buffer.write(path.read_bytes())
        sys.__stdout__.flush()


def printed_beside(out: Path) -> AbstractContextManager[object]:
    """Let what is printed go to standard error while the file itself goes to standard output."""
    return redirect_stdout(sys.stderr) if out == STANDARD else nullcontext()


def read_integer(text: str) -> int:
    """Read a whole number; argparse shows the sentence for anything else."""
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error


def read_number(text: str) -> float:
    """Read a number; argparse shows the sentence for anything else."""
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error


def read_seconds(text: str) -> float:
    """Read a length in seconds, or in minutes as 1:30; argparse shows the sentence for anything else."""
    from ..music.times import read_time

    if ":" not in text:
        return read_number(text)
    try:
        return read_time(text)
    except RequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Add the flag that names a cluster for what `open_map` maps."""
    parser.add_argument(
        "--cluster", default="", metavar="ADDRESS", help="measure on a Ray cluster: auto, HOST:PORT or local"
    )


@contextmanager
def open_map(address: str) -> Iterator[Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]]:
    """Give the built-in `map`, or, with the address of a cluster, one that calls there; results keep their order."""
    if not address:
        yield map
        return
    from ..cluster.tasks import cluster_map

    with cluster_map(address) as map_calls:
        yield map_calls


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the flag that chooses a model."""
    models = ", ".join(list_bundles())
    parser.add_argument("--model", metavar="NAME", help=f"one of {models}, or a folder (default {DEFAULT_MODEL})")


def add_wishes(parser: argparse.ArgumentParser, *, has_density: bool = True) -> None:
    """Add the flags for density, loudness and key; what has no density is refused it with a sentence, and hides it."""
    density = "notes per second, or over time as 4@0:00,9@0:30" if has_density else argparse.SUPPRESS
    parser.add_argument("--density", metavar="N", help=density)
    parser.add_argument("--loudness", metavar="V", help="mean velocity or pppp to ffff, or over time as pp@0:00,f@0:30")
    parser.add_argument("--key", metavar="KEY", help='such as "C minor" or "E flat major"')


def add_takes(parser: argparse.ArgumentParser, *, can_transpose: bool = True, has_density: bool = True) -> None:
    """Add what all verbs take that work on music there is: wishes, model, seed, how many takes, and where to."""
    add_wishes(parser, has_density=has_density)
    if can_transpose:
        add_transpose(parser)
    else:
        parser.set_defaults(transpose=False)
    parser.add_argument("--style", default="any", metavar="COMPOSER", help="a composer the model knows")
    parser.add_argument(
        "--guidance", metavar="G", type=read_number, help="how strongly style and wishes are followed, 1-10"
    )
    add_model(parser)
    parser.add_argument("--seed", type=read_integer, help="the same seed gives the same piece (drawn if not given)")
    parser.add_argument(
        "--count",
        metavar="M",
        type=read_integer,
        default=1,
        help="write M takes, the likeliest first (default %(default)s)",
    )
    add_output(parser)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where takes go, and under which tempo."""
    parser.add_argument(
        "-o",
        "--out",
        metavar="PATH",
        default="pieces",
        help="a file of any kind, by its ending, a folder, or - for MIDI to standard output (default %(default)s)",
    )
    add_grid(parser, "the metre of the music that was given")


def add_grid(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the flag that lays MIDI files under a tempo; `default` says what they have without it."""
    parser.add_argument(
        "--grid",
        metavar="BPM",
        type=_read_grid,
        help="lay a .mid under a tempo, for a project at that tempo, none, or found: the bars that the beat network is "
        f"sure of, to be looked over; it sounds the same (default: {default})",
    )


def _read_grid(text: str) -> float | str:
    """Read what follows --grid: beats a minute, 0 for none, or what is found."""
    from ..music.beats import FOUND
    from ..music.midi.tempo_map import constant_tempo_map

    if text == FOUND:
        return FOUND
    try:
        beats = 0.0 if text == "none" else float(text)
        constant_tempo_map(beats)
    except MidiError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of beats a minute nor none or found") from error
    return beats


def add_transpose(parser: argparse.ArgumentParser) -> None:
    """Add the flag that moves given music to the key that is asked for."""
    parser.add_argument(
        "--transpose", action="store_true", help="first move the given music to --key, by the smallest interval"
    )


def check_transpose(arguments: argparse.Namespace) -> None:
    """Raise RequestError where --transpose has no --key to move music to."""
    if arguments.transpose and arguments.key is None:
        raise RequestError('--transpose moves the given music to a key: say which, as --key "D minor"')


def print_transposed(semitones: int | None) -> None:
    """Say on stderr by how much given music was moved, if it was."""
    if semitones is not None:
        print(f"What was given is transposed by {semitones:+d} semitones.", file=sys.stderr)


def read_music(path: Path, purpose: str) -> ReadPiece:
    """Read a file and say on stderr what was left out; raises RequestError where it has no notes."""
    from ..music.reading import read_piece

    piece = read_piece(path)
    remarks = " ".join(piece.remarks)
    if not len(piece.notes):
        raise RequestError(f"{path}: has no notes {purpose}. {remarks}".rstrip(". "))
    if remarks:
        print(escape_name(f"{path}: {remarks}"), file=sys.stderr)
    return piece


def check_count(count: int) -> None:
    """Raise RequestError for a number of takes that is none, or more than are made at once."""
    if not 1 <= count <= MAX_TAKES:
        raise RequestError(f"--count must lie in 1-{MAX_TAKES}, not {count}")


def find_output(out: Path, count: int, sources: Sequence[Path] = ()) -> Path:
    """Return where so many takes go: a file, or a folder, which is made. Raises RequestError for one of `sources`."""
    from ..render.formats import ENDINGS

    # A name such as takes.v2 is a folder's; two letters or more are meant to be a kind of file.
    ending = out.suffix.lower()
    if re.fullmatch(r"\.[a-z]{2,9}\d?", ending) and ending not in ENDINGS and not out.exists():
        raise RequestError(f"{out}: a piece is saved as {', '.join(ENDINGS)}, by the ending of its name")
    is_file = _is_file(out)
    if is_file and count > 1:
        raise RequestError(f"{out}: {count} takes need a folder, not one file: give -o a folder")
    if out == STANDARD:
        return out
    folder = out.parent if is_file else out
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise RequestError(f"{folder}: is a file; -o takes a .mid file or a folder") from error
    if not os.access(folder, os.W_OK):
        raise RequestError(f"{folder}: you may not write there; -o takes another folder")
    if is_file and out.exists() and any(out.samefile(source) for source in sources):
        raise RequestError(f"{out}: is the music that was given, and would be lost: give -o another name")
    return out


def name_origin(verb: str, sources: Sequence[Path]) -> str:
    """Return what the name begins with of what a verb makes of `sources`: Main-Title-extend; "" without sources.

    What no shell or system minds is kept of their names, and so little of long ones that the whole stays a name.
    """
    share = LONGEST_ORIGIN // max(1, len(sources))
    words = ("-".join(re.findall(r"[\w.]+", source.stem))[:share].strip("-.") for source in sources)
    known = [word for word, source in zip(words, sources, strict=True) if word and source != STANDARD_INPUT]
    return "-".join(["-and-".join(known), verb]) if known else ""


def save_take(
    take: Take | ServedTake,
    out: Path,
    *,
    origin: str = "",
    endings: Sequence[str] = (),
    grid: float | str | None = None,
) -> Path:
    """Save a take as a file's ending says, in a folder as MIDI, and beside it as kinds that end in `endings`.

    In a folder its name begins with its `origin`, as `name_origin` gives it.
    There it takes the place of no other piece: where another has its name, as with one seed and another
    temperature, it gets a number, and the same piece the same name.
    """
    if out == STANDARD:
        with standard_output(".mid") as path:
            take.save(path, grid=grid)
        return out
    if _is_file(out):
        path = out
        take.save(path, grid=grid)
    else:
        content = take.to_bytes(grid=grid)
        path = _free_path(out, f"{origin}-{take.title}" if origin else take.title, content)
        write_file(path, content, MidiError)
    for ending in endings:
        take.save(path.with_suffix(ending))
    return path


def _free_path(folder: Path, title: str, content: bytes) -> Path:
    """Return the first of title.mid, title-2.mid, title-3.mid ... that is not there, or is this very piece."""
    paths = (folder / f"{title}{'' if number == 1 else f'-{number}'}.mid" for number in itertools.count(1))
    return next(path for path in paths if not path.exists() or (path.is_file() and path.read_bytes() == content))


def write_takes(
    arguments: argparse.Namespace, sources: Sequence[Path], work: Callable[..., list[Take]], task: str
) -> int:
    """Let `work` write takes with what `add_takes` reads, save them, and say what each is."""
    from .progress import progress_bar

    check_count(arguments.count)
    check_transpose(arguments)
    out, began = find_output(Path(arguments.out), arguments.count, sources), time.perf_counter()
    names = ("style", "density", "loudness", "key", "transpose", "guidance", "model", "seed")
    asked: dict[str, Any] = {name: getattr(arguments, name) for name in names}
    with progress_bar(task, "s") as progress:
        takes = work(n=arguments.count, progress=progress, **asked)
    taken = time.perf_counter() - began
    print_transposed(takes[0].request.transposed)
    origin = name_origin(arguments.verb, sources)
    paths = [save_take(take, out, origin=origin, grid=arguments.grid) for take in takes]
    with printed_beside(out):
        for take, path in zip(takes, paths, strict=True):
            nats = f"{take.nats[2]:.2f} nats per token" if take.nats else f"{take.nll:.2f} nats per note"
            counts = f"{take.note_count} new notes of {len(take.notes)}"
            print(f"{counts}, seed {take.request.seed}, surprise {nats}: {escape_name(path)}")
        order = ", the likeliest first" if len(takes) > 1 else ""
        print(f"Written in {taken:.2f} s with {escape_name(takes[0].model)}{order}: {SURPRISE}.")
        print_how_to_hear(paths[0])
    return 0


def print_how_to_hear(path: Path) -> None:
    """Print the command that plays a file, where it is a MIDI file."""
    if path.suffix.lower().startswith(".mid"):
        print(f"Hear it: {command('play', path)}")


def _is_file(out: Path) -> bool:
    from ..render.formats import ENDINGS

    return out == STANDARD or (out.suffix.lower() in ENDINGS and not out.is_dir())

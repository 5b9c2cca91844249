"""Make sound, a score or a picture of a MIDI file, or MIDI and the rest of a score.

examples:
  arietta render piece.mid --to wav                  the sound of a sampled piano, as piece.wav beside the file
  arietta render piece.mid --to ogg,musicxml,png     several at once: sound to send, score to edit, picture to print
  arietta render piece.mid -o score.pdf              the engraved score (needs the score extra)
  arietta render takes/*.mid --to wav -o sounds/     many files into one folder
  arietta render minuet.mxl --to mid                 a written score as MIDI, with its bars, tempos and keys
  arietta render take.mid -o bars.mid --downbeat 1   found beats as its metre, with bars that begin a beat later
  arietta render take.mid -o bars.mid --downbeat 0   found beats and bars as its metre, as they are
  arietta render take.mid -o bars.mid --taps beats.txt --metre 3/4
                                                     beats that were tapped, a second in each line, in bars of 3/4
  arietta render bars.mid -o new.mid --bar-line 9=0:12.5   bar 9 begins there; the bars beside it stay
  arietta render piece.mid -o at-90.mid --grid 90    the same seconds under a tempo of 90, for a project at 90

docs/use/files.md says what each is good for, and what a score of a performance can and cannot be.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AriettaError, RequestError
from ..files import name_with
from ..names import escape_name
from .output import STANDARD, add_grid, printed_beside, read_integer, read_path, standard_output

if TYPE_CHECKING:
    from ..music.meter import Meter
    from ..music.reading import ReadPiece

KINDS = ("wav", "ogg", "flac", "mp3", "mid", "musicxml", "pdf", "svg", "png")
SCORES = (".musicxml", ".pdf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", type=read_path, help="MIDI files, or scores in MusicXML")
    parser.add_argument(
        "--to",
        metavar="KINDS",
        type=_kinds,
        default=(),
        help=f"kinds of files, separated by commas: {', '.join(KINDS)}",
    )
    parser.add_argument(
        *("-o", "--out"),
        metavar="PATH",
        type=Path,
        help="a file, a folder, or - for one kind to standard output (default: beside each MIDI file)",
    )
    add_grid(parser, "the metre that the file carries")
    parser.add_argument(
        "--beats", choices=("double", "half"), help="correct the metre: twice or half as many beats; a .mid keeps it"
    )
    parser.add_argument(
        "--downbeat",
        metavar="N",
        type=read_integer,
        help="and begin bars N beats later, or earlier, as in --downbeat=-1; 0 keeps those that are found",
    )
    parser.add_argument("--metre", metavar="3/4", help="and count bars of this metre")
    parser.add_argument(
        "--taps", metavar="FILE", type=read_path, help="take beats that were tapped: a text file, a second in each line"
    )
    parser.add_argument(
        "--bar-line", metavar="N=TIME", type=_read_bar_line, help="and let bar N begin at that time, as in 9=0:12.5"
    )
    parser.add_argument("--title", help="the title of scores and pictures (default: the file's name)")


def run(arguments: argparse.Namespace) -> None:
    if arguments.out != STANDARD:
        for source, targets in _plan(arguments.files, arguments.to, arguments.out):
            _render(source, targets, arguments)
        return
    if len(arguments.files) > 1 or len(arguments.to) != 1:
        raise RequestError("-o - is one file: name one to render, and one kind of --to KINDS")
    with standard_output(f".{arguments.to[0]}") as path, printed_beside(STANDARD):
        _render(arguments.files[0], [path], arguments)


def _render(source: Path, targets: list[Path], arguments: argparse.Namespace) -> None:
    """Read one file and write what shall be made of it."""
    from ..music.reading import read_piece

    piece = read_piece(source)
    if piece.remarks:
        print(escape_name(f"{source}: {' '.join(piece.remarks)}"), file=sys.stderr)
    corrections = (arguments.beats, arguments.downbeat, arguments.metre, arguments.taps, arguments.bar_line)
    if any(correction is not None for correction in corrections):
        piece = piece._replace(meter=_corrected(piece, arguments))
    title, faults = escape_name(arguments.title or source.stem), list[AriettaError]()
    for path in targets:
        if path.suffix.lower() == ".mid" and path.exists() and path.samefile(source):
            raise RequestError(f"{path}: is the file that is read, and would be lost: give -o another name")
        try:
            remarks = _write(path, piece, title, arguments.grid)
        except AriettaError as error:  # a package may be missing that the other kinds do without
            faults.append(error)
        else:
            print(escape_name(f"{path}  {'; '.join(remarks)}" if remarks else path))
    if faults:
        raise faults[0] if len(faults) == 1 else RequestError("; ".join(map(str, faults)))


def _corrected(piece: ReadPiece, arguments: argparse.Namespace) -> Meter:
    """The metre of a file, or the one found in its notes, as it is corrected by hand."""
    from ..music.correction import correct_meter, read_taps

    return correct_meter(
        piece.notes,
        piece.meter,
        beats=arguments.beats,
        downbeat=arguments.downbeat,
        taps=None if arguments.taps is None else read_taps(arguments.taps),
        metre=arguments.metre,
        bar_line=arguments.bar_line,
    )


def _read_bar_line(text: str) -> tuple[int, float]:
    """Read what follows --bar-line: a bar and the time at which it begins."""
    from ..generation.wishes import read_time

    number, separator, time = text.partition("=")
    if not separator or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no bar and its time, as 9=0:12.5")
    try:
        return int(number), read_time(time)
    except RequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _kinds(text: str) -> tuple[str, ...]:
    """Read what follows --to: kinds of files between commas, each once."""
    kinds = tuple(dict.fromkeys(part.strip().lower().removeprefix(".") for part in text.split(",")))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(KINDS)}")
    return kinds


def _plan(files: list[Path], kinds: tuple[str, ...], out: Path | None) -> list[tuple[Path, list[Path]]]:
    """Pair each MIDI file with the files to make of it; makes the folder that `out` names."""
    # A folder may be called takes.wav: what is there already decides, the ending only where nothing is.
    ending = out.suffix.lower().removeprefix(".") if out and not out.is_dir() else ""
    if out and ending in KINDS:
        if len(files) > 1 or kinds not in ((), (ending,)):
            raise RequestError(f"{out}: is one file; several need a folder: give -o a folder")
        return [(files[0], [out])]
    if not kinds:
        raise RequestError(f"say what to make: --to KINDS or -o FILE, with {', '.join(KINDS)}")
    if out and ending:
        raise RequestError(f"{out}: ends in none of {', '.join('.' + kind for kind in KINDS)}")
    if out:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise RequestError(f"{out}: is a file; several files need a folder: give -o a folder") from error
    for source in files:
        if out is None and source.is_fifo():
            raise RequestError(f"{source}: a pipe has no folder to write beside: say where with -o FOLDER")
    return [(source, [(out or source.parent) / name_with(source.stem, kind) for kind in kinds]) for source in files]


def _write(path: Path, piece: ReadPiece, title: str, grid: float | str | None) -> list[str]:
    """Write one file and return what is to be said of it, of a score and of bars that were sought.

    The packages for sound, pictures and scores are loaded only where they are needed.
    """
    notes, meter = piece.notes, piece.meter
    kind = path.suffix.lower()
    if kind in SCORES:
        from ..render.score import write_score

        unwritten = write_score(path, notes, title=title, meter=meter)
        remarks = ["bars of the file" if meter else "beats and bars found: a first draft"]
        if unwritten.too_low:
            remarks.append(f"notes left out below C0, MusicXML's lowest octave: {unwritten.too_low}")
        if unwritten.too_fast:
            remarks.append(f"notes faster than thirty-seconds, whose rhythm is not exact: {unwritten.too_fast}")
        return remarks
    if kind == ".mid":
        from ..music.beats import FOUND, choose_grid
        from ..music.midi import write_midi

        chosen = choose_grid(notes, grid, meter)
        write_midi(path, notes, title=title, grid=chosen)
        if grid == FOUND and meter is None:
            return ["no bars are sure enough to be written" if chosen is None else "bars found: look them over"]
    elif kind in (".svg", ".png"):
        from ..render.roll import write_roll

        write_roll(path, notes, title=title, meter=meter)
    else:
        from ..render.audio import write_audio
        from .progress import progress_bar

        with progress_bar(path.name, "s") as progress:
            write_audio(path, notes, progress=progress)
    return []

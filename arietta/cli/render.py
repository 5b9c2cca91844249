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
  arietta render piece.mid -o bars.mid --grid 90 --metre 3/4     and under bars of 3/4 from the beginning

docs/use/files.md says what each is good for, and what a score of a performance can and cannot be.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AriettaError, RequestError
from ..files import name_with
from ..names import escape_name, suggest
from .output import STANDARD, add_grid, printed_beside, read_integer, read_path, standard_output

if TYPE_CHECKING:
    from ..music.meter import Meter
    from ..music.reading import ReadPiece

KINDS = ("wav", "ogg", "flac", "mp3", "mid", "musicxml", "pdf", "svg", "png")
OTHER_KINDS = {"midi": "mid", "xml": "musicxml"}  # as people call them
SCORES = (".musicxml", ".pdf")
SOUNDS = {".wav", ".ogg", ".flac", ".mp3"}
FARTHEST_DOWNBEAT = 64  # beats: the longest bar
CORRECTIONS = ("--taps", "--metre", "--beats", "--downbeat", "--bar-line")


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
    parser.add_argument("--metre", metavar="3/4", help="and count bars of this metre; of a tempo, with --grid 90")
    parser.add_argument(
        "--taps", metavar="FILE", type=read_path, help="take beats that were tapped: a text file, a second in each line"
    )
    parser.add_argument(
        "--bar-line",
        metavar="N=TIME",
        type=_read_bar_line,
        action="append",
        help="and let bar N begin at that time, as in 9=0:12.5; may be given again",
    )
    parser.add_argument(
        "--title", help="the title of scores and pictures (default: the score's own, or the file's name)"
    )


def run(arguments: argparse.Namespace) -> None:
    if arguments.out != STANDARD:
        plan = _plan(arguments.files, arguments.to, arguments.out)
        _check(arguments, {path.suffix.lower() for _, targets in plan for path in targets})
        for source, targets in plan:
            _render(source, targets, arguments)
        return
    if len(arguments.files) > 1 or len(arguments.to) != 1:
        raise RequestError("-o - is one file: name one to render, and one kind of --to KINDS")
    _check(arguments, {f".{arguments.to[0]}"})
    with standard_output(f".{arguments.to[0]}") as path, printed_beside(STANDARD):
        _render(arguments.files[0], [path], arguments)


def _corrections(arguments: argparse.Namespace) -> dict[str, Any]:
    """The flags that correct a metre, in the order in which they do, with what they say; those that are given."""
    named = {name: getattr(arguments, name[2:].replace("-", "_")) for name in CORRECTIONS}
    return {name: value for name, value in named.items() if value is not None}


def _is_constant(arguments: argparse.Namespace) -> bool:
    """Whether bars of a metre are laid under a constant tempo from the beginning, whatever beats the music has."""
    return isinstance(arguments.grid, float) and arguments.grid > 0 and arguments.metre is not None


def _check(arguments: argparse.Namespace, kinds: set[str]) -> None:
    """Raise RequestError for what is said of a metre and would be lost in files with these endings."""
    given = _corrections(arguments)
    if arguments.grid is not None:
        is_tempo = isinstance(arguments.grid, float) and arguments.grid > 0
        is_lost = is_tempo or (arguments.grid == 0 and kinds <= {".mid", *SOUNDS})  # a .mid without bars has none
        allowed = CORRECTIONS if not is_lost else ("--metre", "--downbeat") if _is_constant(arguments) else ()
        if clash := [name for name in given if name not in allowed]:
            raise RequestError(
                f"--grid and {clash[0]} each say where beats lie, and one would be lost: leave one out; what goes "
                "together is a tempo and a metre, as --grid 90 --metre 3/4, and there --downbeat"
            )
        if not given and ".mid" not in kinds:
            raise RequestError("--grid lays a .mid under a tempo: add mid to --to; bars need --metre 3/4 too")
    if given and kinds <= SOUNDS:
        raise RequestError(f"{next(iter(given))} is about bars, and sound has none: make a .mid, a score or a picture")
    if abs(arguments.downbeat or 0) > FARTHEST_DOWNBEAT:
        raise RequestError(f"--downbeat must lie within {FARTHEST_DOWNBEAT} beats, not {arguments.downbeat}")
    for name in ("--taps", "--bar-line"):
        if name in given and len(arguments.files) > 1:
            raise RequestError(f"{name} is of one piece: name one file, not {len(arguments.files)}")


def _render(source: Path, targets: list[Path], arguments: argparse.Namespace) -> None:
    """Read one file and write what shall be made of it."""
    from ..music.reading import read_piece

    piece = read_piece(source)
    if piece.remarks:
        print(escape_name(f"{source}: {' '.join(piece.remarks)}"), file=sys.stderr)
    bars = _tell_bars(piece, arguments)
    if _corrections(arguments):
        piece = piece._replace(meter=_corrected(piece, arguments))
    grid = None if _is_constant(arguments) else arguments.grid
    title, faults = escape_name(arguments.title or piece.heading.title or source.stem), list[AriettaError]()
    for path in targets:
        if path.suffix.lower() == ".mid" and path.exists() and path.samefile(source):
            raise RequestError(f"{path}: is the file that is read, and would be lost: give -o another name")
        try:
            remarks = _write(path, piece, title, grid=grid, bars=bars)
        except AriettaError as error:  # a package may be missing that the other kinds do without
            faults.append(error)
        else:
            print(escape_name(f"{path}  {'; '.join(remarks)}" if remarks else path))
    if faults:
        raise faults[0] if len(faults) == 1 else RequestError("; ".join(map(str, faults)))


def _tell_bars(piece: ReadPiece, arguments: argparse.Namespace) -> str:
    """Say whose bars a score of the piece has."""
    if _is_constant(arguments):
        return f"bars of {arguments.metre} at {arguments.grid:g} from the beginning: the playing keeps its own time"
    given = list(_corrections(arguments))
    bars = "bars of the file" if piece.meter else "beats and bars found"
    if "--taps" in given:
        given.remove("--taps")
        bars = "beats that were tapped"
    if given:
        return f"{bars}, corrected by {', '.join(given)}"
    return f"{bars}: a first draft" if bars == "beats and bars found" else bars


def _corrected(piece: ReadPiece, arguments: argparse.Namespace) -> Meter:
    """The metre of a file, or the one found in its notes, as it is corrected by hand."""
    from ..music.correction import correct_meter, move_downbeat, read_taps
    from ..music.meter import Meter, TimeSignature

    if _is_constant(arguments):
        constant = Meter.constant(arguments.grid, TimeSignature.read(arguments.metre))
        return move_downbeat(constant, arguments.downbeat or 0)
    meter = correct_meter(
        piece.notes,
        piece.meter,
        beats=arguments.beats,
        downbeat=arguments.downbeat,
        taps=None if arguments.taps is None else read_taps(arguments.taps),
        metre=arguments.metre,
    )
    for bar_line in arguments.bar_line or ():
        meter = correct_meter(piece.notes, meter, bar_line=bar_line)
    return meter


def _read_bar_line(text: str) -> tuple[int, float]:
    """Read what follows --bar-line: a bar and the time at which it begins."""
    from ..music.times import read_time

    number, separator, time = text.partition("=")
    if not separator or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no bar and its time, as 9=0:12.5")
    try:
        return int(number), read_time(time)
    except RequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _kinds(text: str) -> tuple[str, ...]:
    """Read what follows --to: kinds of files between commas, each once."""
    typed = [part.strip().lower().removeprefix(".") for part in text.split(",")]
    kinds = tuple(dict.fromkeys(OTHER_KINDS.get(kind, kind) for kind in typed))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(KINDS)}{suggest(unknown[0], KINDS)}")
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


def _write(path: Path, piece: ReadPiece, title: str, *, grid: float | str | None, bars: str) -> list[str]:
    """Write one file and return what is to be said of it, of a score and of bars that were sought.

    The packages for sound, pictures and scores are loaded only where they are needed.
    """
    notes, meter = piece.notes, piece.meter
    kind = path.suffix.lower()
    if kind in SCORES:
        from ..render.score import write_score

        unwritten = write_score(path, notes, title=title, composer=piece.heading.composer, meter=meter)
        remarks = [bars]
        if unwritten.too_low:
            remarks.append(f"notes left out below C0, MusicXML's lowest octave: {unwritten.too_low}")
        if unwritten.too_fast:
            remarks.append(f"notes faster than thirty-seconds, whose rhythm is not exact: {unwritten.too_fast}")
        return remarks
    if kind == ".mid":
        from ..music.beats import FOUND, choose_grid
        from ..music.midi import write_midi

        chosen = choose_grid(notes, grid, meter)
        write_midi(path, notes, title=title, texts=piece.heading.composer_texts, grid=chosen)
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

"""Measure a piece: how likely it is, how surprising, how regular, how original.

examples:
  arietta judge piece.mid                                 under the default model
  arietta judge piece.mid --style chopin --roll piece.svg its most surprising notes framed on a piano roll
  arietta judge my-midi/                                  all pieces in a folder, and how likely they are together
  arietta judge takes/ --index index                      all takes in a folder, and what they share with a corpus
  arietta judge takes/ --json --cluster auto              the same on the machines of a Ray cluster
  arietta judge piece.mid --report piece.html             a page of it all beside real music, with a roll that plays
  arietta judge piece.mid --structure structure.svg       each moment against each other, as a picture
  arietta judge --model piano --pieces 200 --report piano.html
                                                          the takes of a model beside real music, by seed

The likelihood says how much each note surprises the model, in nats: lower is more expected (docs/glossary.md).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RequestError
from ..model.bundle import DEFAULT_MODEL
from ..names import escape_name
from .output import add_cluster, open_map, read_integer, read_path
from .progress import progress_bar
from .table import facts, table

if TYPE_CHECKING:
    from ..evaluation.page.piece import TitledReport
    from ..evaluation.report import Report
    from ..model.engine import OnnxEngine
    from ..music.notes import Notes
    from ..originality.index import PassageIndex

NOTHING, NOTES = "none", 300
PIECES = 100  # of a set that takes are held against
FILES_PER_TASK = 16  # of a cluster, so that loading the model is a small part


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        metavar="FILE",
        nargs="*",
        type=read_path,
        help="MIDI files, scores, or folders of MIDI files",
    )
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help=f"the model to judge by, a folder of one, or {NOTHING} (default %(default)s)",
    )
    parser.add_argument(
        "--style", default="any", metavar="COMPOSER", help="the composer that the model is told (default %(default)s)"
    )
    parser.add_argument(
        "--index", type=Path, metavar="INDEX", help="look passages up in this index (default: the model's own, if any)"
    )
    parser.add_argument(
        "--roll", type=Path, metavar="FILE", help="draw a piano roll with surprising notes framed (.svg)"
    )
    parser.add_argument("--structure", type=Path, metavar="FILE", help="draw where the piece repeats itself (.svg)")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write everything on a page, with a roll that plays (.html)"
    )
    parser.add_argument(
        "--pieces", type=read_integer, metavar="N", help="judge a model instead, by its takes with seeds 1 to N"
    )
    parser.add_argument(
        "--notes", type=read_integer, default=NOTES, metavar="N", help="notes in each take (default %(default)s)"
    )
    parser.add_argument(
        "--against", metavar="SET", help="with --pieces: compare the takes with a folder, or CORPUS:SPLIT"
    )
    parser.add_argument("--json", action="store_true", help="print all as JSON, one line per file")
    add_cluster(parser)


def run(arguments: argparse.Namespace) -> None:
    for drawing in (arguments.roll, arguments.structure):
        if drawing is not None and (len(arguments.paths) != 1 or drawing.suffix.lower() != ".svg"):
            raise RequestError(f"{drawing}: one piece at a time is drawn, as .svg")
    if arguments.report is not None and arguments.report.suffix.lower() != ".html":
        raise RequestError(f"{arguments.report}: a report is a page, .html")
    if bool(arguments.paths) == (arguments.pieces is not None):
        raise RequestError("name the MIDI files to judge, or with --pieces how many takes of a model")
    if arguments.against is not None and arguments.pieces is None:
        raise RequestError("--against goes with --pieces; `arietta compare` sets files against a folder or a corpus")
    if arguments.cluster and (arguments.pieces or arguments.roll or arguments.structure or arguments.report):
        raise RequestError("--cluster prints what it finds of files: --roll, --structure, --report, --pieces stay here")
    arguments.paths = [file for path in arguments.paths for file in _files_of(path)]
    if arguments.cluster:
        _judge_on_cluster(arguments)
    elif arguments.paths:
        _judge_files(arguments)
    else:
        _judge_model(arguments)


def _files_of(path: Path) -> list[Path]:
    """List the MIDI files of a folder; anything else is a file."""
    if not path.is_dir():
        return [path]
    from ..corpus.reader import find_files

    return [path / source.file for source in find_files([path])]


def _judge_files(arguments: argparse.Namespace) -> None:
    from ..evaluation.page.piece import report_html
    from ..files import write_file

    engine = _engine(arguments.model)
    index = _index(arguments.index, engine)
    judged, likely = [], []
    for path in arguments.paths:
        piece = _judge(path, arguments.style, engine, index)
        print(_text(path, piece.report, as_json=arguments.json))
        likely.append(_likely(piece.report))
        _draw(arguments, piece)
        if arguments.report is not None:
            judged.append(piece)
    if judged:
        write_file(arguments.report, report_html(judged).encode())
    if not arguments.json:
        _print_together(likely, arguments.model)


def _likely(report: Report) -> tuple[float, int]:
    """Nats and notes of a piece that was scored; no notes where it was not."""
    return (0.0, 0) if report.scored is None else (float(report.scored.nll.sum()), report.scored.note_count)


def _print_together(likely: Sequence[tuple[float, int]], model: str) -> None:
    """Say how likely several pieces are together; nothing of one, or where no model judged."""
    from ..evaluation.likelihood import add_up
    from ..evaluation.words import together_sentence

    together = add_up([nats for nats, _ in likely], [notes for _, notes in likely])
    if sentence := together_sentence(together, model):
        print("\n" + escape_name(sentence))


def _judge_on_cluster(arguments: argparse.Namespace) -> None:
    # A machine of the cluster has another working directory.
    if Path(arguments.model).is_dir():
        arguments.model = str(Path(arguments.model).absolute())
    arguments.index = arguments.index and arguments.index.absolute()
    paths = arguments.paths
    shares = [paths[first : first + FILES_PER_TASK] for first in range(0, len(paths), FILES_PER_TASK)]
    options = {name: getattr(arguments, name) for name in ("model", "index", "style", "json")}
    out = sys.stdout
    with open_map(arguments.cluster) as map_calls, progress_bar("judging", "file") as progress:
        judge = partial(_judge_share, Path.cwd(), options)
        likely = []
        for number, pieces in enumerate(map_calls(judge, shares), 1):
            print("\n".join(text for text, _ in pieces), file=out)
            likely += [of_piece for _, of_piece in pieces]
            progress(min(number * FILES_PER_TASK, len(paths)), len(paths))
    if not arguments.json:
        _print_together(likely, arguments.model)


def _judge_share(
    folder: Path, options: Mapping[str, Any], paths: Sequence[Path]
) -> list[tuple[str, tuple[float, int]]]:
    """Judge files, named from `folder` on, where a task of a cluster runs."""
    engine = _engine(options["model"])
    index = _index(options["index"], engine)
    judged = [(path, _judge(folder / path, options["style"], engine, index)) for path in paths]
    return [(_text(path, piece.report, as_json=options["json"]), _likely(piece.report)) for path, piece in judged]


def _judge(path: Path, style: str, engine: OnnxEngine | None, index: PassageIndex | None) -> TitledReport:
    from ..evaluation.page.piece import TitledReport
    from ..evaluation.report import report_on
    from ..generation.request import read_request_text
    from ..music.midi import read_texts
    from ..music.notation.document import is_score
    from ..music.reading import read_music_bytes, read_piece_bytes

    data = read_music_bytes(path)  # once: it may be a pipe
    piece = read_piece_bytes(data, name=str(path))
    notes, meter = piece.notes, piece.meter
    request = None if is_score(data) else read_request_text(read_texts(data))
    report = report_on(notes, engine=engine, style=style, index=index, meter=meter, request=request)
    return TitledReport(escape_name(path.stem), notes, report, meter)


def _text(path: Path, report: Report, *, as_json: bool) -> str:
    from ..evaluation.words import report_json

    if as_json:
        return json.dumps({"file": str(path)} | report_json(report), allow_nan=False)
    return "\n".join([escape_name(path), *_lines(report)])


def _judge_model(arguments: argparse.Namespace) -> None:
    from ..evaluation.model_report import against_set, report_on_model
    from ..evaluation.page.model import model_html
    from ..evaluation.words import model_words
    from ..files import write_file

    engine = _engine(arguments.model)
    if engine is None:
        raise RequestError("--pieces judges the takes of a model: name one with --model")
    windows = _set(arguments.against, arguments.notes) if arguments.against is not None else []
    with progress_bar("composing", "note") as progress:
        report, takes = report_on_model(
            engine,
            takes=arguments.pieces,
            note_count=arguments.notes,
            style=arguments.style,
            index=_index(arguments.index, engine),
            progress=progress,
        )
    if windows:
        report = replace(report, against=against_set(takes, windows, arguments.against))
    print(f"{escape_name(report.model)}: {report.takes} takes of {report.note_count} notes, seeds from 1 on")
    print(facts(model_words(report)))
    if arguments.report is not None:
        write_file(arguments.report, model_html(report).encode())


def _set(name: str, note_count: int) -> list[Notes]:
    """Read a window of each piece of a set; raises RequestError where there are too few."""
    from ..corpus.windows import read_windows
    from ..evaluation.comparison import check_window_count
    from ..evaluation.words import unread_sentence

    unread: list[Path] = []
    windows = list(read_windows(name, note_count, PIECES, unread))
    if unread:
        print(escape_name(unread_sentence(name, unread)), file=sys.stderr)
    check_window_count(name, len(windows), note_count)
    return windows


def _engine(model: str) -> OnnxEngine | None:
    if model == NOTHING:
        return None
    from ..model.bundle import load_bundle
    from ..model.engine import load_engine

    return load_engine(load_bundle(model))


def _index(path: Path | None, engine: OnnxEngine | None) -> PassageIndex | None:
    """Open the index at `path`, or else the one that the model came with."""
    from ..originality.index import find_index, open_index

    if path is not None:
        return open_index(path)
    return None if engine is None else find_index(engine.bundle.index_folder)


def _lines(report: Report) -> Iterator[str]:
    from ..evaluation.words import NOTHING_TO_JUDGE, name_of, number, plain_words
    from ..render.roll import format_onset, pitch_name

    said = plain_words(report)
    if not said:
        yield f"  {NOTHING_TO_JUDGE}"
        return
    yield facts(said)
    if report.surprises:
        rows = []
        for surprise in report.surprises:
            note, nats, pitch_nats = surprise.note, surprise.nats, surprise.pitch_nats
            rows.append([format_onset(note.onset), pitch_name(note.pitch), f"{nats:.1f}", f"{pitch_nats:.1f}"])
        yield "\n" + table(["most surprising notes", "pitch", "surprise in nats", "of these for the pitch"], rows)
    rows = [[name_of(name), number(value)] for name, value in report.figures.items()]
    yield "\n" + table(["measure", "value"], rows)


def _draw(arguments: argparse.Namespace, piece: TitledReport) -> None:
    from ..evaluation.page.plots import structure_svg
    from ..files import write_file
    from ..render.roll import roll_svg

    report, title = piece.report, piece.title
    if arguments.roll is not None:
        # The notes that were scored lie on the codec's grid, and surprises are counted among them.
        drawn = piece.notes if report.scored is None else report.scored.notes_in_file
        surprising = {surprise.index for surprise in report.surprises}
        write_file(arguments.roll, roll_svg(drawn, title=title, marked=surprising, meter=piece.meter).encode())
    if arguments.structure is not None:
        write_file(arguments.structure, structure_svg(piece.notes, title=title).encode())

"""Find what a piece shares with a corpus: which passages, of which work, and whether people's works share as much.

examples:
  arietta originality piece.mid                               what the piece shares with the default model's own music
  arietta originality --build corpus --out index              an index of a corpus's training pieces, once
  arietta originality piece.mid --index index                 what the piece shares with them
  arietta originality piece.mid --index index --corpus corpus --roll shared.svg
                                                              the longest passage and its source, as two piano rolls
  arietta originality --build corpus --out small --at-most 8  an index of 8 MB, which finds less: it says how much

Passages are found in any key and tempo, with notes changed or added. The figures are compared with what works of people
share with each other: they say how common such a likeness is, not whether anybody copied.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RequestError
from ..model.bundle import DEFAULT_MODEL
from ..names import escape_name
from .output import read_number, read_path
from .progress import progress_bar
from .table import WIDTH, table

if TYPE_CHECKING:
    from ..corpus.store import Store
    from ..music.notes import Notes
    from ..originality.baseline import Percentiles
    from ..originality.index import PassageIndex
    from ..originality.search import Overlap, Passage

MOST_LISTED = 20
LEAST_MEGABYTES, MOST_MEGABYTES = 1, 100_000  # of an index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="FILE", nargs="?", type=read_path, help="the MIDI file or score to look up")
    parser.add_argument("--index", metavar="INDEX", type=Path, help="the index in which to look it up")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="or the model whose index is used (default %(default)s)")
    parser.add_argument(
        "--corpus", metavar="CORPUS", type=Path, help="the corpus that was indexed: makes counts exact; --roll needs it"
    )
    parser.add_argument("--roll", metavar="FILE", type=Path, help="draw the longest passage and its source (.svg)")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--build", metavar="CORPUS", type=Path, help="build an index of this corpus instead")
    parser.add_argument("--out", metavar="INDEX", type=Path, help="the index to write")
    parser.add_argument(
        "--split",
        default="train",
        metavar="S,S",
        help="index pieces of these splits, separated by commas (default %(default)s)",
    )
    parser.add_argument(
        "--corpora", metavar="C,C", help="index only pieces of these corpora in it, such as giantmidi (default all)"
    )
    parser.add_argument(
        "--at-most",
        default=150.0,
        type=read_number,
        metavar="MB",
        help="the most that the index may take on disk (default %(default)g)",
    )


def run(arguments: argparse.Namespace) -> None:
    if arguments.build is not None:
        if arguments.path is not None or arguments.out is None:
            raise RequestError("--build CORPUS makes an index: it takes --out INDEX and no MIDI file")
        _build(arguments)
    elif arguments.path is None:
        raise RequestError("name a MIDI file to look up, or make an index with --build CORPUS")
    else:
        _report(arguments)


# Building an index


def _build(arguments: argparse.Namespace) -> None:
    from ..corpus.store import open_store
    from ..errors import CorpusError
    from ..originality.build import THINNED_BYTES, build_index, longest_of_each_work, measure_index
    from ..originality.index import IndexedPiece, extend_description

    splits, corpora = (names.split(",") if names else [] for names in (arguments.split, arguments.corpora))
    if not LEAST_MEGABYTES <= arguments.at_most <= MOST_MEGABYTES:
        raise RequestError(f"--at-most must lie in {LEAST_MEGABYTES}-{MOST_MEGABYTES}, not {arguments.at_most:g}")
    size = round(arguments.at_most * 1e6)
    store = open_store(arguments.build).select(corpora)
    names = ("index", "file", "corpus", "composer", "title", "work")
    pieces = [
        IndexedPiece(**{name: getattr(piece, name) for name in names}, start=0, notes=piece.notes, first=0.0, last=0.0)
        for piece in store.pieces
        if piece.split in splits
    ]
    if not pieces:
        known = ", ".join(sorted({piece.split for piece in store.pieces}))
        raise CorpusError(f"{store.path}: no pieces in split {','.join(splits)}; it has {known}")
    if size < THINNED_BYTES:
        pieces = longest_of_each_work(pieces)

    def read(number: int) -> Notes:
        return store.notes(pieces[number].index)

    with progress_bar("indexing", "piece") as progress:
        index = build_index(arguments.out, pieces, read, corpus=store.fingerprint, at_most=size, progress=progress)
    with progress_bar("comparing people's works", "window") as progress:
        works = [piece.work for piece in store.pieces]
        index = measure_index(
            index, read, works, lambda number: store.notes(store.pieces[number].index), progress=progress
        )
    index = extend_description(index, {"splits": splits, "corpora": corpora})
    print("\n".join(_index_lines(index)))


def _index_lines(index: PassageIndex) -> Iterator[str]:
    size = sum(file.stat().st_size for file in index.path.iterdir())
    yield f"{escape_name(index.path)}: {len(index.pieces):,} pieces, {size / 1e6:.1f} MB"
    lengths = sorted({int(length) for row in index.description["recall"].values() for length in row})
    if lengths:
        yield "planted copies found, and in brackets what of all that was reported there was right"
        rows = [
            [
                kind,
                *(
                    f"{row[str(length)]['found']:.0%} ({row[str(length)]['right']:.0%})" if str(length) in row else ""
                    for length in lengths
                ),
            ]
            for kind, row in index.description["recall"].items()
        ]
        yield table(["copy", *(f"{length} notes" for length in lengths)], rows)
    for window, figures in index.description["baseline"].items():
        # Percentiles are stored in steps of a half: these are the 50th and the 97.5th.
        middle, most = figures["longest"][100], figures["longest"][195]
        yield f"of people's works, {window} notes share {middle:.0f} with another work (median), seldom over {most:.0f}"


# A piece


def _report(arguments: argparse.Namespace) -> None:
    from ..evaluation.words import index_sentence
    from ..music.reading import read_piece
    from ..originality.baseline import describe_overlap, measure_percentiles
    from ..originality.search import find_passages

    index = asked_index(arguments.index, arguments.model)
    store = _corpus_of(index, arguments.corpus)
    notes = read_piece(arguments.path).notes
    likeness = find_passages(notes, index)
    percentiles = measure_percentiles(likeness, index)
    if arguments.json:
        described = describe_overlap(likeness, percentiles) | {"index": index_sentence(index)}
        print(json.dumps(described, indent=2))
    else:
        print(escape_name(arguments.path))
        print("\n".join(_piece_lines(notes, likeness, percentiles, store)))
        print("\n".join(textwrap.wrap(index_sentence(index), WIDTH, initial_indent="  ", subsequent_indent="  ")))
    if arguments.roll is not None:
        _draw(arguments.roll, notes, likeness, store)


def asked_index(path: Path | None, model: str) -> PassageIndex:
    """Open the index at `path`, or else the model's own; raises RequestError where it came with none."""
    from ..generation.original import require_index
    from ..model.bundle import load_bundle
    from ..originality.index import open_index

    return require_index(load_bundle(model)) if path is None else open_index(path)


def _corpus_of(index: PassageIndex, path: Path | None) -> Store | None:
    """Open the corpus; raises CorpusError where the index was made from another."""
    from ..corpus.store import open_store
    from ..errors import CorpusError

    if path is None:
        return None
    store = open_store(path)
    if store.fingerprint != index.corpus:
        raise CorpusError(f"{path}: is corpus {store.fingerprint}, and {index.path} was built from {index.corpus}")
    return store


def _piece_lines(
    notes: Notes, likeness: Overlap, percentiles: Percentiles | None, store: Store | None
) -> Iterator[str]:
    from ..evaluation.words import percentile_sentences
    from ..render.roll import format_time

    if not len(notes):
        yield "  It has no notes, so it shares none."
        return
    if not likeness.passages:
        yield f"  None of its {len(notes):,} notes stand in a passage of 16 notes or more that the corpus has."
        return
    best = likeness.passages[0]
    there = f"{escape_name(best.piece.name)} at {format_time(best.there_seconds[0])}"
    yield f"  Its longest shared passage has {best.shared} notes or more, from {there}."
    yield f"  {likeness.share:.0%} of its {len(notes):,} notes stand in passages that the corpus has too."
    yield from (f"  {line}" for line in percentile_sentences(percentiles))
    rows = [_passage_row(passage, notes, store) for passage in likeness.passages[:MOST_LISTED]]
    same = "same" if store else "same, at least"
    yield "\n" + table(["work", "here", "notes", "there", "notes", same, "key", "elsewhere"], rows)
    if len(likeness.passages) > MOST_LISTED:
        yield f"  and {len(likeness.passages) - MOST_LISTED} shorter ones (--json has them all)"


def _passage_row(passage: Passage, notes: Notes, store: Store | None) -> list[str]:
    from ..originality.alignment import shared_notes
    from ..render.roll import format_time

    same = passage.shared
    if store is not None:
        same = len(shared_notes(*_excerpts(passage, notes, store), passage.semitones))
    spans = [
        ["-".join(format_time(moment) for moment in span), f"{first + 1}-{last}"]
        for span, first, last in (
            (passage.seconds, passage.start, passage.stop),
            (passage.there_seconds, passage.there_start, passage.there_stop),
        )
    ]
    key = f"{passage.semitones:+d}" if passage.semitones else "same"
    return [passage.piece.name, *spans[0], *spans[1], str(same), key, str(passage.elsewhere or "")]


def _excerpts(passage: Passage, notes: Notes, store: Store) -> tuple[Notes, Notes]:
    """Cut a passage out of the piece and out of its source."""
    from ..music.notes import excerpt

    here = excerpt(notes, passage.start, passage.stop)
    return here, excerpt(store.notes(passage.piece.index), passage.there_start, passage.there_stop)


def _draw(path: Path, notes: Notes, likeness: Overlap, store: Store | None) -> None:
    from ..files import write_file
    from ..originality.alignment import pair_svg

    if store is None:
        raise RequestError(f"{path}: to draw what is shared, give the indexed corpus with --corpus")
    if path.suffix.lower() != ".svg":
        raise RequestError(f"{path}: two passages are drawn as .svg")
    if not likeness.passages:
        print("  Nothing is shared, so nothing was drawn.")
        return
    best = likeness.passages[0]
    titles = f"This piece, from note {best.start + 1}", f"{best.piece.name}, from note {best.there_start + 1}"
    write_file(path, pair_svg(*_excerpts(best, notes, store), best.semitones, titles).encode())
    print(f"\n  the longest passage and its source in {escape_name(path)}; framed notes differ")

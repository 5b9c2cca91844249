"""Compose a piece of exactly the length you ask for, as a MIDI file.

examples:
  arietta compose                                     300 notes into pieces/
  arietta compose --notes 1000 --style chopin         a longer piece, in a composer's style
  arietta compose --seconds 60 --seed 7 -o cue.mid    one minute; the same seed gives the same file
  arietta compose --prompt theme.mid --prompt-notes 40 --count 4 -o takes/
                                                      four ways to go on from a theme's first 40 notes
  arietta compose --count 8 --best 2 -o takes/        eight takes, of which the two nearest to real music are kept
  arietta compose --bars 16 --bpm 90 --metre 3/4      in a tempo and a metre: the best fitting of eight takes
  arietta compose --original                          composed again while it shares too much with what exists
  arietta compose --server http://127.0.0.1:8000      the same, composed by a server (arietta serve)
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..errors import RequestError
from ..model.bundle import DEFAULT_MODEL
from ..model.config import ANY, NO_STYLE
from ..model.sampling import Sampling
from ..names import escape_name
from ..program import command
from .output import (
    STANDARD,
    add_model,
    add_output,
    add_transpose,
    add_wishes,
    check_count,
    check_transpose,
    find_output,
    name_origin,
    print_how_to_hear,
    print_transposed,
    printed_beside,
    read_integer,
    read_music,
    read_number,
    read_path,
    read_seconds,
    save_take,
)
from .table import table

if TYPE_CHECKING:
    from ..client.take import ServedTake
    from ..evaluation.ranking import Ranked
    from ..generation.request import Request, Take
    from ..model.bundle import Bundle
    from ..music.heading import Heading
    from ..music.meter import Meter
    from ..music.notes import Notes
    from ..originality.index import PassageIndex
    from .progress import Progress

T = TypeVar("T", "Take", "ServedTake")

_SAMPLING = (
    ("--temperature", "T", "below 1 tamer, above 1 bolder; of every field, or time=1,symbol=0.9"),
    ("--top-p", "P", "draw from the likeliest values up to this share; of every field but time, or time=0.98"),
    ("--min-p", "P", "drop values less likely than this share of the likeliest; of every field but time, or by name"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--notes", metavar="N", type=read_integer, help="compose exactly N notes (default 300)")
    length.add_argument("--seconds", metavar="S", type=read_seconds, help="or S seconds of music, within 2 %%")
    length.add_argument(
        "--bars", metavar="N", type=read_integer, help="or N bars of the prompt's metre, or of --metre, to a bar line"
    )
    parser.add_argument("--bpm", metavar="N", type=read_number, help="in this tempo: beats a minute, 40-200")
    parser.add_argument(
        "--metre",
        metavar="3/4",
        help="and in this metre: the best fitting of eight takes, stretched; bars are seldom sure enough to be written",
    )
    add_model(parser)
    parser.add_argument("--server", metavar="URL", help="let a server compose, with its models ($ARIETTA_API_KEY)")
    parser.add_argument(
        "--style", default="any", metavar="COMPOSER", help="a composer the model knows, or none (default %(default)s)"
    )
    parser.add_argument("--prompt", metavar="FILE", type=read_path, help="a file to go on from; its notes are kept")
    parser.add_argument(
        "--prompt-notes", metavar="K", type=read_integer, help="take only the first K notes of the prompt"
    )
    parser.add_argument("--seed", type=read_integer, help="the same seed gives the same piece (drawn if not given)")
    for name, metavar, tells in _SAMPLING:
        parser.add_argument(name, metavar=metavar, help=f"{tells} (default: the model's own)")
    parser.add_argument(
        "--guidance",
        metavar="G",
        type=read_number,
        help="how strongly to follow style and wishes, 1 as the model does, more brings them out (default: its own)",
    )
    add_wishes(parser)
    add_transpose(parser)
    parser.add_argument(
        "--count",
        metavar="M",
        type=read_integer,
        default=1,
        help="compose M takes, with seeds counted up (default %(default)s)",
    )
    parser.add_argument(
        "--best", metavar="K", type=read_integer, help="of these keep the K nearest to real music (default all)"
    )
    parser.add_argument(
        "--original", action="store_true", help="compose again what shares more with other music than people's works do"
    )
    parser.add_argument("--index", metavar="INDEX", type=Path, help="and look it up in this index (the model's own)")
    parser.add_argument("--no-ending", action="store_true", help="stop as if the music went on, without a close")
    add_output(parser)
    parser.add_argument("--roll", action="store_true", help="also draw a piano roll beside each file (.png)")
    parser.add_argument("--sound", action="store_true", help="also write its sound beside each file (.ogg)")


def run(arguments: argparse.Namespace) -> int:
    if arguments.best is not None and not 1 <= arguments.best <= arguments.count:
        most = f"1-{arguments.count}, as many as --count composes"
        raise RequestError(f"--best must lie in {most}, not {arguments.best}")
    if Path(arguments.out) == STANDARD and (arguments.roll or arguments.sound):
        raise RequestError("-o - is one file: --roll and --sound need a folder, or a name")
    requests = _requests(arguments)
    with printed_beside(Path(arguments.out)):
        if arguments.server:
            _compose(arguments, requests, RemoteComposer(arguments))
        else:
            _compose(arguments, requests, LocalComposer(arguments, requests[0]))
        # For who begins: whoever has named a composer, a theme or a model has found out what comes next.
        if arguments.style == ANY and not (arguments.prompt or arguments.model or arguments.server):
            print(f"Next:    {command('compose', '--style', 'chopin', '--notes', '600')}")
            print(f"         {command('compose', '--help')}")
    return 0


class Composer(Protocol[T]):
    """Composes takes of one kind and ranks them; `messages` says what was composed again.

    `done_count` takes are composed so far, those too of which another is kept.
    """

    messages: list[str]
    done_count: int

    def compose(self, requests: list[Request], progress: Progress) -> Iterator[T]: ...

    def rank(self, takes: list[T], best: int) -> list[Ranked[T]]: ...


class LocalComposer:
    """Composes and ranks on this machine; refuses what the model cannot do before any work is done."""

    def __init__(self, arguments: argparse.Namespace, request: Request) -> None:
        if arguments.index is not None and not arguments.original:
            raise RequestError("--index is where --original looks: say --original too")
        from ..generation.loop import Generation
        from ..model.bundle import load_bundle
        from ..model.engine import load_engine

        bundle = load_bundle(arguments.model or DEFAULT_MODEL)
        # Refuses a request that the model cannot meet before its graphs are loaded.
        Generation(replace(request, pulse=None), bundle)
        self._engine = load_engine(bundle)
        self._index = _index(arguments, bundle)
        self._is_original = arguments.original
        self.messages: list[str] = []
        self.done_count = 0

    def compose(self, requests: list[Request], progress: Progress) -> Iterator[Take]:
        """Yield the takes as they are done; with --original `messages` gathers what was composed again."""
        from ..generation.scores.takes import generate_takes

        def count(_: Take) -> None:
            self.done_count += 1

        index = self._index if self._is_original else None
        takes = generate_takes(requests, self._engine, index=index, progress=progress, composed=count)
        for take, originality in takes:
            if originality is not None:
                from ..evaluation.words import retry_sentences  # late: it loads all of evaluation

                self.messages += retry_sentences(take.request.seed, originality)
            yield take

    def rank(self, takes: list[Take], best: int) -> list[Ranked[Take]]:
        """Rank takes by how near they are to real music, and choose the best."""
        from ..evaluation.ranking import rank_takes, typical_nats
        from ..generation.original import measure_originality

        def is_original(take: Take) -> bool | None:
            return None if self._index is None else measure_originality(take, self._index).is_inside

        return rank_takes(takes, best, typical_nats=typical_nats(self._engine.bundle), is_original=is_original)


class RemoteComposer:
    """Lets a server compose, and ranks here what it composed."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        if arguments.index is not None:
            raise RequestError("--index is a folder of this machine: a server looks in the index of its own model")
        from ..client import Client

        self._client = Client(arguments.server, api_key=os.environ.get("ARIETTA_API_KEY") or None)
        self._model, self._is_original = arguments.model, arguments.original
        self.messages: list[str] = []
        self.done_count = 0

    def compose(self, requests: list[Request], progress: Progress) -> Iterator[ServedTake]:
        """Yield the takes in order; with --original `messages` gathers what was composed again."""
        from ..evaluation.words import retry_sentences
        from ..generation.scores.in_time import takes_done

        take_count = sum(request.take_count for request in requests)

        def count(done: float, total: float) -> None:
            self.done_count = takes_done(done, total, take_count)
            progress(done, total)

        options = {"model": self._model, "original": self._is_original}
        for take in self._client.compose_all(requests, **options, progress=count):
            if self._is_original and take.originality is not None:
                self.messages += retry_sentences(take.request.seed, take.originality)
            yield take

    def rank(self, takes: list[ServedTake], best: int) -> list[Ranked[ServedTake]]:
        """Rank takes by how near they are to real music, with what the server knows of them, and choose the best."""
        from ..evaluation.ranking import rank_takes

        def is_original(take: ServedTake) -> bool | None:
            return None if take.originality is None else take.originality.is_inside

        nats = {model["name"]: model["nats_per_note"] for model in self._client.models()}
        return rank_takes(takes, best, typical_nats=nats.get(takes[0].model), is_original=is_original)


def _index(arguments: argparse.Namespace, bundle: Bundle) -> PassageIndex | None:
    """Open the index that tells what is original, where that is asked for or helps to choose."""
    if not arguments.original and not arguments.best:
        return None
    from ..generation.original import require_index
    from ..originality.index import find_index, open_index

    if arguments.index is not None:
        return open_index(arguments.index)
    return require_index(bundle) if arguments.original else find_index(bundle.index_folder)


def _requests(arguments: argparse.Namespace) -> list[Request]:
    from ..generation.request import DEFAULT_NOTES, Request, draw_seed
    from ..generation.scores.pulse import Pulse, find_length
    from ..generation.wishes import read_wishes

    check_count(arguments.count)
    sampling = Sampling.read(arguments.temperature, arguments.top_p, arguments.min_p, arguments.guidance)
    seed = draw_seed() if arguments.seed is None else arguments.seed
    (prompt, meter, semitones), heading = _prompt(arguments)
    length = arguments.notes, arguments.seconds, arguments.bars
    pulse = Pulse.read(arguments.bpm, arguments.metre, arguments.bars)
    notes, seconds = find_length(pulse, length, given=(prompt, meter), usual=DEFAULT_NOTES, original=arguments.original)
    print_transposed(semitones)
    wishes = read_wishes(density=arguments.density, loudness=arguments.loudness, key=arguments.key)
    return [
        Request(
            notes,
            seconds,
            arguments.style,
            prompt,
            seed + take,
            sampling,
            ending=not arguments.no_ending,
            wishes=wishes,
            transposed=semitones,
            meter=meter,
            pulse=pulse,
            heading=heading,
        )
        for take in range(arguments.count)
    ]


def _prompt(arguments: argparse.Namespace) -> tuple[tuple[Notes | None, Meter | None, int | None], Heading]:
    """The notes to go on from, their metre, and by how many semitones they were moved, None without, and whose."""
    from ..music.heading import UNKNOWN

    if arguments.prompt is None:
        if arguments.transpose:
            raise RequestError("--transpose moves the music of --prompt FILE: name the file")
        if arguments.prompt_notes is not None:
            raise RequestError("--prompt-notes says how much of --prompt FILE to take: name the file")
        return (None, None, None), UNKNOWN
    from ..generation.conversion import take_in
    from ..music.notes import first

    if arguments.prompt_notes is not None and arguments.prompt_notes < 1:
        raise RequestError(f"--prompt-notes must be 1 or more, not {arguments.prompt_notes}")
    check_transpose(arguments)
    piece = read_music(arguments.prompt, "to go on from")
    if arguments.prompt_notes is not None:
        piece = piece._replace(notes=first(piece.notes, arguments.prompt_notes))
    return take_in(piece, arguments.key, transpose=arguments.transpose), piece.heading


def _compose(arguments: argparse.Namespace, requests: list[Request], composer: Composer[T]) -> None:
    """Compose all requests, save each take as it is done, or in the end the best of them, and report what is saved."""
    from .progress import progress_bar

    best: int | None = arguments.best
    # The folder is created here, once the composer has refused what it cannot do.
    endings = [ending for ending, is_wanted in ((".png", arguments.roll), (".ogg", arguments.sound)) if is_wanted]
    prompts = [] if arguments.prompt is None else [arguments.prompt]
    out = find_output(Path(arguments.out), best or len(requests), prompts)
    origin = name_origin(arguments.verb, prompts)
    save = partial(save_take, out=out, origin=origin, endings=endings, grid=arguments.grid)
    began, takes, paths = time.perf_counter(), list[T](), dict[int, Path]()
    take_count = sum(request.take_count for request in requests)

    def task() -> str:
        done = f", {composer.done_count} done" if composer.done_count else ""
        return "composing" if take_count == 1 else f"composing {take_count} takes{done}"

    with progress_bar(task, "note" if requests[0].notes else "s") as progress:
        for take in composer.compose(requests, progress):
            takes.append(take)
            if best is None:
                paths[take.request.seed] = save(take)
    seconds = takes[0].seconds_taken if len(takes) == 1 else time.perf_counter() - began
    takes.sort(key=lambda take: take.request.seed)
    for line in composer.messages:
        print(escape_name(line))
    if best is not None:
        ranking = composer.rank(takes, best)
        takes = [ranked.take for ranked in ranking]
        paths = {ranked.take.request.seed: save(ranked.take) for ranked in ranking if ranked.is_chosen}
        print(f"{_ranking_table(ranking)}\n")
    _report(takes, paths, endings, seconds)


def _ranking_table(ranking: Sequence[Ranked[Take] | Ranked[ServedTake]]) -> str:
    """A row per take, the best first: its score, the parts of it that all takes have, and whether it is kept."""
    names = [name for name in ranking[0].parts if all(name in ranked.parts for ranked in ranking)]
    rows = [
        [
            f"seed {ranked.take.request.seed}",
            f"{ranked.score:.2f}",
            *(f"{ranked.parts[name]:.2f}" for name in names),
            "kept" if ranked.is_chosen else "",
        ]
        for ranked in ranking
    ]
    return table(["nearest to real music first", "score", *names, ""], rows)


def _report(takes: Sequence[Take | ServedTake], paths: dict[int, Path], endings: Sequence[str], seconds: float) -> None:
    from .fit import fit_sentences

    speed = sum(take.note_count for take in takes) / seconds
    company = f"beside {len(takes) - 1} more " if len(takes) > 1 else ""
    saved = [take for take in takes if take.request.seed in paths]
    for take in saved:
        before = f" after {take.prompt_notes} of the prompt" if take.prompt_notes else ""
        print(f"Composed {take.note_count} notes{before}, {take.notes.seconds:.1f} s of music,")
        style = "" if take.request.style in (ANY, NO_STYLE) else f" in the style of {take.request.style}"
        means = escape_name(f"{take.model}{style}")
        pulse = take.request.pulse
        pace = f"{speed:.0f} notes/s" if pulse is None else f"{pulse.takes} takes, of which this one fits best"
        print(f"{company}in {seconds:.2f} s ({pace}), with {means}, seed {take.request.seed}:")
        path = paths[take.request.seed]
        for file in (path, *(path.with_suffix(ending) for ending in endings)):
            print(f"  {escape_name(file)}")
        for sentence in fit_sentences(take, path):
            print(sentence)
        if take.interventions:
            from ..evaluation.words import guard_sentence  # late, as above

            print(guard_sentence(take.interventions))
    print_how_to_hear(paths[saved[0].request.seed])

"""The `arietta` command: one verb per file, each loaded only when it is called.

A verb's module has `add_arguments(parser)` and `run(arguments) -> int | None`. Results go to stdout, progress and
errors to stderr. Exit codes: 0 done, 2 the request or its input was at fault, 130 interrupted, by SIGTERM too.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from ..errors import AriettaError, explain
from ..names import escape_name

VERBS = {
    "compose": "compose a piece of exactly the length you ask for",
    "regenerate": "write a passage of a piece anew",
    "extend": "go on from the end of a piece, or from a moment of it",
    "connect": "write what leads from one piece to another",
    "lead-in": "write what leads into a piece",
    "accompany": "write what goes with a melody",
    "vary": "write phrases of a piece anew under their top line",
    "perform": "play a written score with touch",
    "play": "play a MIDI file on a piano",
    "render": "make sound, a score or a picture of a MIDI file",
    "serve": "open the studio in a browser, and compose over HTTP",
    "models": "list the models that are here and that can be fetched",
    "styles": "list the composers in whose style a model composes",
    "inspect": "show a MIDI file, a corpus or a model",
    "judge": "measure a piece: how likely, how regular, how original",
    "compare": "compare two sets of pieces by their musical statistics",
    "originality": "find what a piece shares with a corpus",
    "roundtrip": "measure how closely the codecs reproduce your MIDI files",
    "ingest": "turn folders of MIDI files into a corpus",
    "download": "fetch a public corpus (maestro, giantmidi) or a model",
    "train": "train a model on a corpus (needs the train extra)",
    "finetune": "teach a model your own pieces (needs the train extra)",
    "export": "turn a training run into a model that composes (needs the train extra)",
    "doctor": "say what is installed, what is missing, and whether it composes",
    "completion": "complete verbs, flags and names in your shell",
}
# Of flags that other programs have, what they are called here: the first that the verb has.
OTHER_NAMES = {
    "--tempo": ("--bpm", "--grid 90"),
    "--bpm": ("--grid 90",),
    "--double": ("--beats double",),
    "--half": ("--beats half",),
    "--format": ("--to",),
    "--meter": ("--metre",),
    "--signature": ("--metre",),
    "--time-signature": ("--metre",),
    "--output": ("--out",),
    "--length": ("--notes",),
    "--duration": ("--seconds",),
    "--composer": ("--style",),
    "--takes": ("--count",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "_ARGCOMPLETE" in os.environ:  # a shell that `arietta completion` has set up asks what may be typed next
        from .completion import complete

        complete(make_parser)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot encode is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    try:
        with _ended_in_order():
            return _run(words)
    except AriettaError as error:
        print(f"arietta: {escape_name(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has left; Python would print another error at exit
        return 0
    except OSError as error:
        name = error.filename if error.filename is not None else "system"
        print(f"arietta: {escape_name(name)}: refused {escape_name(explain(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("arietta: interrupted; nothing was left half-written", file=sys.stderr)
        return 130


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM interrupt as Ctrl-C does, so that what is half-written goes; not where somebody else sees to it."""
    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def join_bars(words: Sequence[str]) -> list[str]:
    """Make one word of `bar 9` after an option, where it is typed without quotes."""
    joined: list[str] = []
    for word in words:
        if joined[-1:] == ["bar"] and word.isdigit() and len(joined) > 1 and joined[-2].startswith("--"):
            joined[-1] = f"bar {word}"
        else:
            joined.append(word)
    return joined


def _run(words: list[str]) -> int:
    words = join_bars(words)
    parser = make_parser(words)
    arguments = parser.parse_args(words)
    if arguments.version:
        from .. import __version__

        print(f"arietta {__version__}")
        return 0
    if not arguments.verb:
        from .greeting import greet

        return greet(main)
    return _module(arguments.verb).run(arguments) or 0


class GuessingParser(argparse.ArgumentParser):
    """A parser that says what a mistyped verb, choice or flag may have meant; `flags` are those that there are.

    What has another name here is looked up in `OTHER_NAMES` first.
    """

    flags: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        """Refuse what was typed in two lines, and name what there is that is spelled nearly so."""
        import difflib

        unknown, names = message.partition("unrecognized arguments: ")[2], self.flags
        is_file = os.path.isfile(unknown)  # noqa: PTH113 - that of Path raises where a name is too long
        word = unknown if is_file else unknown.partition(" ")[0]  # a file's name may have spaces
        if choice := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message, re.DOTALL):
            word, names = choice[1], re.findall(r"[\w-]+", choice[2])
        word = word.partition("=")[0]
        meant = [name for name in OTHER_NAMES.get(word, ()) if name.partition(" ")[0] in names]
        if word and not choice and (flag := _flag_of(word)) in names:
            meant.append(f'{flag} "{word}"' if " " in word else f"{flag} {word}")
        meant = meant or difflib.get_close_matches(word, names, n=1)
        said = f"{message}; did you mean {meant[0]}?" if meant else message
        self.exit(2, f"usage: {self.prog} --help\n{self.prog}: error: {said}\n")


def _flag_of(word: str) -> str:
    """Return the flag that a word without one may have wanted: of a length, of a file to go on from, of a composer."""
    if word.isdecimal():
        return "--notes"
    if word.lower().endswith((".mid", ".midi", ".musicxml", ".mxl")):
        return "--prompt"
    return "--style" if word.isalpha() else ""


class VerbParser(GuessingParser):
    """A parser whose help begins with what the verb does and its examples; the usage is at the end."""

    def format_help(self) -> str:
        usage = self.format_usage()
        return f"{super().format_help().removeprefix(usage).lstrip()}\n{usage}"


def make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of the command; of the verbs only the one that `words` begin with has its arguments."""
    parser = GuessingParser(prog="arietta", description="Compose expressive piano music as MIDI.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = parser.add_subparsers(
        dest="verb",
        metavar="VERB",
        title="verbs (arietta VERB --help explains one, with examples)",
        parser_class=VerbParser,
    )
    for name, summary in VERBS.items():
        verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if words[:1] == [name]:
            module = _module(name)
            verb.description = module.__doc__ or verb.description
            verb.formatter_class = argparse.RawDescriptionHelpFormatter
            module.add_arguments(verb)
            # argparse lets the whole command refuse the flags that a verb does not know.
            parser.prog, parser.flags = verb.prog, re.findall(r"--[\w-]+", verb.format_help())
    return parser


def _module(verb: str) -> Any:
    """Load the file of a verb."""
    return importlib.import_module(f".{verb.replace('-', '_')}", __name__)

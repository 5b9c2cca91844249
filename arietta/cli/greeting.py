"""What `arietta` says when nothing is asked of it: three things to do, which it does when their number is typed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from ..program import command, install_command

CHOICES: Sequence[tuple[Sequence[str], str]] = (
    (("compose", "--sound", "--roll"), "compose a piece into pieces/: a MIDI file, its sound and its picture"),
    (("play",), "hear the newest piece on a piano"),
    (("serve",), "open the studio: press a button, and a piano begins to play"),
)


def greet(run: Callable[[Sequence[str]], int]) -> int:
    """Show the choices and, at a terminal, `run` the words of those that are typed; return the exit code."""
    from .serve import missing_packages  # late: it loads what lists models

    print("Arietta composes expressive piano music as MIDI. Three things to do:\n")
    lines = [command(*words) for words, _ in CHOICES]
    width = max(len(line) for line in lines)
    for number, (line, (_, meaning)) in enumerate(zip(lines, CHOICES, strict=True), 1):
        print(f"  {number}  {line.ljust(width)}   {meaning}")
    if missing_packages():
        print(f"\n3 needs packages that are not installed yet: {install_command('serve')}")
    print(f"\n{command('--help')} lists all verbs, {command('doctor')} says whether all is installed.")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return 0
    while True:
        try:
            typed = input("\n1, 2 or 3, or Enter to leave: ").strip()
        except EOFError:
            typed = ""
        if not typed:
            return 0
        if typed in ("1", "2", "3"):
            words = CHOICES[int(typed) - 1][0]
            print(f"> {command(*words)}", flush=True)
            if code := run(words):
                return code

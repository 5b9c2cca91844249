"""Print what makes a shell complete the verbs, flags, models and composers of arietta.

examples:
  arietta completion bash       then, in ~/.bashrc:      eval "$(arietta completion bash)"
  arietta completion zsh        in ~/.zshrc:             eval "$(arietta completion zsh)"
  arietta completion fish       in config.fish:          arietta completion fish | source
  arietta completion powershell in the profile:          arietta completion powershell | Out-String | Invoke-Expression
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Sequence

SHELLS = ("bash", "zsh", "fish", "powershell")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to complete")


def run(arguments: argparse.Namespace) -> None:
    from argcomplete.shell_integration import shellcode

    print(shellcode(["arietta"], shell=arguments.shell))


def complete(make_parser: Callable[[Sequence[str]], argparse.ArgumentParser]) -> None:
    """Answer a shell with what may follow the words typed so far, and exit."""
    import argcomplete

    try:
        words = shlex.split(os.environ.get("COMP_LINE", ""))[1:]
    except ValueError:  # a quote that is still open
        words = []
    parser = make_parser(words)
    _name_values(parser)
    argcomplete.autocomplete(parser)


def _name_values(parser: argparse.ArgumentParser) -> None:
    """Give models and composers by their names to the flags that take them."""
    from ..model.bundle import list_bundles
    from ..model.composers import offered_composers
    from ..model.registry import known_models

    composers = offered_composers(sorted({name for model in known_models().values() for name in model.composers}))
    # A surname is enough, and needs no quotes.
    keep = ["left", "right", "top", "bottom", "all"]
    values = {
        "keep": keep,
        "model": list_bundles(),
        "style": [name.split()[-1] for name in composers],
        "name": list(known_models()),
    }
    for action in parser._actions:  # argparse has no other way to walk them
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                _name_values(verb)
        elif action.dest in values and not action.choices:
            action.completer = lambda prefix, names=values[action.dest], **_: names  # type: ignore[attr-defined]

"""List the composers in whose style a model composes.

examples:
  arietta styles                          those of the default model
  arietta styles --model concert --all    of another, with composers who may be living
  arietta styles chopin                   which models know a composer, by any spelling of the name

Composers who may be living are left out unless --all asks for them: nobody of whom no year of death is known is offered
by himself. How often a classifier names the composer of a take, first or among five, is in the model's card where it
was measured (docs/method.md says how).
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..errors import RequestError
from ..model.bundle import DEFAULT_MODEL
from ..names import match_names, nearest_names
from .table import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("composer", nargs="?", metavar="COMPOSER", help="say which models know this composer")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME", help="a model (default %(default)s)")
    parser.add_argument("--all", action="store_true", help="list those too who may be living")
    parser.add_argument("--json", action="store_true", help="print one JSON object per composer")


def run(arguments: argparse.Namespace) -> None:
    if arguments.composer is not None:
        _show_who_knows(arguments.composer)
        return
    from ..model.bundle import load_bundle
    from ..model.composers import death_years, offered_composers

    bundle = load_bundle(arguments.model)
    recognised: dict[str, dict[str, float]] = bundle.card.get("recognised", {})
    composers = list(bundle.model.composers) if arguments.all else offered_composers(bundle.model.composers)
    if not composers:
        raise RequestError(f"{bundle.name} was trained without composers: it has one style, and --style stays at any")
    years = death_years()
    if arguments.json:
        for name in composers:
            print(json.dumps({"composer": name, "died": years.get(name), "recognised": recognised.get(name)}))
        return
    heading = (f"{len(composers)} styles of {bundle.name}", "died", "named first", "among five")
    print(table(heading, [(name, years.get(name, ""), *_shares(recognised.get(name))) for name in composers]))
    left_out = len(bundle.model.composers) - len(composers)
    if left_out:
        print(f"\n{left_out} more, who may be living: --all lists them.")


def _shares(figures: dict[str, Any] | None) -> tuple[str, str]:
    return ("", "") if figures is None else (f"{figures['first']:.0%}", f"{figures['among_five']:.0%}")


def _show_who_knows(composer: str) -> None:
    from ..model.registry import known_models

    models = known_models().values()
    rows = [(name, model.name) for model in models for name in match_names(composer, model.composers)]
    if not rows:
        everybody = sorted({name for model in models for name in model.composers})
        raise RequestError(
            f"no model knows {composer!r}; nearest: {nearest_names(composer, everybody)} (`arietta styles` lists all)"
        )
    print(table(("composer", "model"), rows))

"""List the models: those that are here, and those that can be fetched.

examples:
  arietta models                                   name, where it is, size, licence, what it learned from
  arietta models piano                             what a model may be used for, what it learned from, its limits
  arietta models --json                            the same for programs, with fingerprints and folders
  arietta download concert --url https://example.org/models     fetches one; arietta inspect concert shows its card

Every model says under which licence it may be used; docs/use/models.md has their cards.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

from ..errors import AriettaError
from ..names import escape_name
from ..program import command
from .table import facts, table

PIECES = (
    "We claim no right in what you compose. Whether the licence of a model reaches its pieces is settled nowhere: to "
    "be on the safe side, keep to it for them too, with a credit that names the model and what it learned from."
)
OWN = "a model of yours"
ITEMS = "docs/use/models/items.jsonl.xz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="a model, by name or folder: may I use it, and for what"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per model")


def run(arguments: argparse.Namespace) -> None:
    if arguments.name is not None:
        _show_model(arguments.name)
        return
    from ..files import CHECKOUT
    from ..model.bundle import SHIPPED, find_bundle, list_bundles
    from ..model.registry import URL_VARIABLE, known_models, models_url

    known = known_models()
    models = [_describe(find_bundle(name)) for name in list_bundles()]
    here = [model.name for model in models]
    models += [
        _Model(model.name, None, model.bytes, model.licence, model.fingerprint)
        for model in known.values()
        if model.name not in here
    ]
    if arguments.json:
        for model in models:
            print(json.dumps(model._asdict()))
        return
    places = {str(SHIPPED): "in the package", str(CHECKOUT / "models"): "in this checkout"}
    rows = []
    for model in models:
        folder = str(Path(model.path).parent) if model.path else ""
        where = places.get(folder, "your models") if folder else "to be fetched"
        rows.append((model.name, where, f"{model.bytes / 1e6:.1f}", model.licence))
    print(table(("model", "where", "MB", "licence"), rows))
    print()
    print(facts({model.name: known[model.name].summary if model.name in known else OWN for model in models}))
    print(f"\n{_beats_sentence()}")
    if len(here) < len(models):
        url = models_url()
        source = f"from {url}" if url else f"once somebody publishes them: --url or ${URL_VARIABLE} says where"
        print(f"\nFetched by `{command('download', 'NAME')}`, {source}.")


def _beats_sentence() -> str:
    """Say by what beats and bars are found, and under which licence."""
    from ..music.beats.network import installed_network, network_licence

    folder = installed_network()
    if folder is None:
        return (
            "Beats and bars are found by accents; with `concert` comes a network that finds them better, not for "
            "commercial use."
        )
    return (
        f"Beats and bars are heard by the network that comes with `{escape_name(folder.parent.name)}` "
        f"({escape_name(network_licence(folder))}); ARIETTA_BEATS=accents finds them without it."
    )


def _show_model(name: str) -> None:
    """Say what a model may be used for, from its card, or from the registry where it is not here."""
    from ..evaluation.words import items_sentence
    from ..model.bundle import list_bundles, load_bundle
    from ..model.registry import known_models

    known = known_models().get(name)
    if known is not None and name not in list_bundles():
        print(f"{name}: {known.summary}\n")
        print(facts({"licence": f"{known.licence} ({known.licence_url})", "here": "no: its card comes with it"}))
        return
    card = load_bundle(name).card
    print(escape_name(f"{name}: {card.get('summary', OWN)}") + "\n")
    licence = f"{card.get('licence', 'not said')} {card.get('licence_url', '')}".rstrip()
    answers = {"licence": licence, "may I use it": card.get("allows", ""), "your pieces": PIECES}
    answers["learned from"] = card.get("data", "")
    if card.get("items"):
        answers["every item"] = f"{items_sentence(card['items'])}: {ITEMS} of the checkout has source, licence, SHA-256"
    answers |= {"split": card.get("split", ""), "limits": " ".join(card.get("limits", ()))}
    print(facts({question: answer for question, answer in answers.items() if answer}))


class _Model(NamedTuple):
    name: str
    path: str | None
    bytes: int
    licence: str
    fingerprint: str | None


def _describe(path: Path) -> _Model:
    """Say what is to be said of an installed model; a damaged one is listed with what is wrong with it."""
    from ..model.bundle import load_bundle

    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    try:
        bundle = load_bundle(path)
    except AriettaError as error:
        return _Model(path.name, str(path), size, f"damaged: {error}", None)
    return _Model(path.name, str(path), size, bundle.card.get("licence") or "not said", bundle.fingerprint)

"""A model as hubs of models hold it: weights as safetensors, their network as JSON, and a card with front matter.

    write_hub_folder(load_bundle("piano"), Path("hub/piano"))

model.safetensors    float32 by the names in `train.network`: what the bundle's few bits stand for, as the engine has it
config.json          the network, its codec, and the fingerprint of the bundle
README.md            the card; its front matter is YAML, with the licence under the name that hubs give it
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save

from ...errors import BundleError
from ...files import write_errors_as, write_file
from ...model.bundle import Bundle
from .weights import read_weights

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
# Identifiers of licences that hubs know; any other is "other", with its name and address.
LICENCES = ("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "apache-2.0", "mit")
SECTIONS = {"data": "Learned from", "allows": "May I use it", "split": "Split"}


def write_hub_folder(bundle: Bundle, folder: Path) -> None:
    """Write the three files of a bundle into `folder`; raises BundleError where they cannot be written."""
    config = {
        "arietta_format": bundle.format,
        "bundle": bundle.fingerprint,
        "codec": bundle.codec.describe(),
        "model": bundle.model.describe(),
    }
    with write_errors_as(BundleError, folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / WEIGHTS, save(read_weights(bundle), metadata={"format": "pt"}), BundleError)
    write_file(folder / CONFIG, (json.dumps(config, indent=1) + "\n").encode(), BundleError)
    write_file(folder / CARD, hub_card(bundle.name, bundle.card).encode(), BundleError)


def hub_card(name: str, card: Mapping[str, Any]) -> str:
    """Return a bundle's card in Markdown with front matter."""
    licence = str(card.get("licence", "not said"))
    identifier = licence.lower().replace(" ", "-")
    front: dict[str, Any] = {"license": identifier if identifier in LICENCES else "other"}
    if front["license"] == "other":
        front["license_name"] = licence
        if card.get("licence_url"):
            front["license_link"] = card["licence_url"]
    front |= {"library_name": "arietta", "tags": ["music", "midi", "piano", "symbolic-music"]}
    # Strings and lists are written in YAML as in JSON.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front.items()]
    parts = ["\n".join(["---", *lines, "---"]), f"# {card.get('title', name)}"]
    parts += [str(card["summary"])] if card.get("summary") else []
    for key, heading in SECTIONS.items():
        if card.get(key):
            parts += [f"## {heading}", str(card[key])]
    if figures := card.get("figures"):
        rows = [f"| {music} | {line['nats_per_note']:.2f} | {line['pieces']:,} |" for music, line in figures.items()]
        parts += ["## Figures", "\n".join(["| held-out music | nats per note | pieces |", "|---|--:|--:|", *rows])]
    if limits := card.get("limits"):
        parts += ["## Limits", "\n".join(f"- {limit}" for limit in limits)]
    return "\n\n".join([*parts, "## Compose with it", f"    arietta compose --model {name}"]) + "\n"

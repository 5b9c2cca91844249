"""release/items.py: every item of every model is named, as many as the cards say."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from arietta.model.bundle import SHIPPED
from benchmarks.shared.report import ROOT
from release import items

LICENCES = {"giantmidi": "CC BY 4.0", "maestro": "CC BY-NC-SA 4.0", "piano-midi.de": "CC BY-SA 3.0 DE"}


@pytest.fixture(scope="module")
def every_item() -> list[dict[str, Any]]:
    return items.read_items()


def test_an_item_has_its_source_licence_checksum_and_side(every_item: list[dict[str, Any]]) -> None:
    assert len({item["sha256"] for item in every_item}) == len(every_item) > 10_000
    for item in every_item:
        assert item["licence"] == LICENCES[item["corpus"]] and item["split"] in items.SPLITS and item["file"]
        assert re.fullmatch("[0-9a-f]{64}", item["sha256"]) and set(item["models"]) <= set(items.TRAINED_ON)


@pytest.mark.parametrize("model", items.TRAINED_ON)
def test_the_cards_count_the_items(model: str) -> None:
    folder = SHIPPED / model if (SHIPPED / model).exists() else ROOT / "models" / model
    if not folder.exists():
        pytest.skip(f"needs the model `{model}`, which is not in this checkout")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["items"] == items.count_items(model), "run python -m release.cards"
    stated = card["training"].get("corpus", {}).get("train_pieces")
    assert stated in (None, sum(counts["train"] for counts in card["items"].values()))


def test_only_files_that_were_kept_are_items() -> None:
    entry = dict.fromkeys(items.KEYS, "x") | {"corpus": "piano-midi.de", "composer": items.GRIEG, "state": "kept"}
    lines = [json.dumps(entry), json.dumps(entry | {"state": "rejected"}), json.dumps(entry | {"composer": "Y"})]
    assert [item["models"] for item in items.items(lines)] == [["grieg", "grieg-lstm"], []]

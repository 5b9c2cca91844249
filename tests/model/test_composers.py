"""Composers who may be living are offered to nobody who did not ask for all; each year of death has a source."""

from __future__ import annotations

import json

import pytest

from arietta.model.bundle import SHIPPED, list_bundles, load_bundle
from arietta.model.composers import death_years, may_be_living, offered_composers
from arietta.model.registry import known_models


def test_a_composer_of_whom_nothing_is_known_counts_as_living() -> None:
    assert may_be_living("Nobody Whom Anybody Knows")
    assert not may_be_living("Frédéric Chopin")


def test_an_arrangement_is_offered_only_where_both_are_dead() -> None:
    assert not may_be_living("Johann Sebastian Bach / Ferruccio Busoni")
    assert may_be_living("Pyotr Ilyich Tchaikovsky / Mikhail Pletnev")


def test_the_offer_keeps_the_order_and_leaves_out_the_living() -> None:
    names = ["Franz Liszt", "Nathan Shirley", "Erik Satie"]
    assert offered_composers(names) == ["Franz Liszt", "Erik Satie"]


def test_a_model_of_ones_own_offers_whom_it_knows() -> None:
    assert offered_composers(["Myself", "My Teacher"]) == ["Myself", "My Teacher"]


def test_every_year_has_a_source_that_is_named_and_lies_in_the_past() -> None:
    listed = json.loads((SHIPPED / "composers.json").read_text(encoding="utf-8"))
    assert all(source in listed["sources"] for _, source in listed["died"].values())
    assert all(1500 < year < 2026 for year in death_years().values())


def test_most_of_what_the_shipped_models_know_can_be_offered() -> None:
    for model in known_models().values():
        assert len(offered_composers(model.composers)) >= 0.85 * len(model.composers)


@pytest.mark.parametrize("name", known_models())
def test_no_composer_who_may_be_living_is_drawn_where_no_style_is_asked_for(name: str) -> None:
    if name not in list_bundles():
        pytest.skip(f"needs the model `{name}`, which is not in this checkout")
    assert not [composer for composer in load_bundle(name).sampling_defaults.shares if may_be_living(composer)]

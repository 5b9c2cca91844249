"""Plans: which composers, levels and layouts a network knows, and what a codec cannot say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from arietta.codecs.note import NoteCodec
from arietta.corpus.store import Store
from arietta.errors import ConfigError
from arietta.generation.given import LEFT_THRESHOLDS, ROLES
from arietta.model.conditions import KEYS, LEVELS
from arietta.model.config import Condition, ModelConfig
from arietta.train.config import DataSettings, ModelSettings, RunSettings
from arietta.train.plan import ORDER, plan_run
from arietta.train.pretrained import Pretrained
from tests.support.bundles import TINY, random_model
from tests.support.corpora import make_store

SETTINGS = RunSettings(
    ModelSettings(width=16, layers=1, heads=2, kv_heads=1, context=32), DataSettings(length=32, min_composer_pieces=1)
)


def with_data(**values: object) -> RunSettings:
    return replace(SETTINGS, data=replace(SETTINGS.data, **values))


def conditions_of(model: ModelConfig) -> dict[str, Condition]:
    return {condition.name: condition for condition in model.conditions}


def test_the_model_knows_the_best_represented_composers_at_most(tmp_path: Path) -> None:
    store = make_store(tmp_path, splits=("train",) * 5)
    settings = replace(SETTINGS, data=replace(SETTINGS.data, min_composer_pieces=1, max_composers=1))
    assert plan_run(settings, store).model.composers == ("Edvard Grieg",)


def test_the_model_knows_the_composers_with_enough_training_pieces(store: Store) -> None:
    data = replace(SETTINGS.data, min_composer_pieces=2)
    assert plan_run(replace(SETTINGS, data=data), store).model.composers == ("Edvard Grieg", "Frédéric Chopin")
    few = plan_run(replace(SETTINGS, data=replace(data, min_composer_pieces=3)), store).model
    assert few.composers == () and few.sources == ("sequenced",)


def test_plain_training_knows_composer_and_source_only(store: Store) -> None:
    assert list(conditions_of(plan_run(SETTINGS, store).model)) == ["composer", "source"]


def test_levels_and_layouts_are_conditions_where_the_settings_ask_for_them(store: Store) -> None:
    conditions = conditions_of(plan_run(with_data(measured=True, touch=0.1), store).model)
    assert tuple(conditions) == ORDER
    assert conditions["density"].size == conditions["loudness"].size == LEVELS + 1
    assert all(3 < threshold < 5 for threshold in conditions["density"].thresholds), "scales of four notes a second"
    assert conditions["key"].values == KEYS and conditions["role"].values == ROLES
    assert conditions["left"].thresholds == LEFT_THRESHOLDS


def test_thresholds_of_the_settings_are_taken_as_they_are(store: Store) -> None:
    settings = with_data(measured=True, density_thresholds=(2.0, 9.0), loudness_thresholds=(50.0,))
    conditions = conditions_of(plan_run(settings, store).model)
    assert conditions["density"].thresholds == (2.0, 9.0) and conditions["loudness"].thresholds == (50.0,)
    assert (conditions["density"].size, conditions["loudness"].size) == (4, 3)


def test_a_pretrained_models_levels_stay_and_new_conditions_join_in_their_order(store: Store) -> None:
    own = Condition("density", 4, thresholds=(1.0, 2.0))
    config = replace(TINY, conditions=(*TINY.conditions, own))
    pretrained = Pretrained("old", config, NoteCodec(), random_model(config).state_dict(), "f")
    model = plan_run(with_data(measured=True, fill=0.2), store, pretrained).model
    assert tuple(conditions_of(model)) == ORDER and conditions_of(model)["density"] == own


@pytest.mark.parametrize("values", [{"fill": 0.1}, {"measured": True}])
def test_a_codec_of_events_has_neither_layouts_nor_levels(store: Store, values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="the codec 'performance' of this model has no symbols for given music"):
        plan_run(with_data(codec="performance", **values), store)


def test_the_first_note_codec_stays_until_layouts_are_asked_for(store: Store) -> None:
    old = NoteCodec(1)
    config = replace(TINY, field_sizes=old.field_sizes)
    pretrained = Pretrained("old", config, old, random_model(config).state_dict(), "f")
    stays, widens = (plan_run(with_data(**values), store, pretrained) for values in ({"measured": True}, {"keep": 0.1}))
    assert "key" in conditions_of(stays.model) and stays.model.field_sizes == old.field_sizes
    assert "role" in conditions_of(widens.model) and widens.model.field_sizes == NoteCodec().field_sizes


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"fill": 0.6, "touch": 0.6}, r"add up to 1\.2"),
        ({"keep": -0.1}, r"data\.keep must be at least 0"),
        ({"density_thresholds": (3.0, 2.0)}, r"data\.density_thresholds must rise"),
        ({"longest_silence": -1.0}, r"data\.longest_silence must be at least 0"),
    ],
)
def test_impossible_shares_and_thresholds_are_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        DataSettings(**values)

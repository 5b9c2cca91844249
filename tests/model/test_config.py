from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.errors import ConfigError, RequestError
from arietta.model.config import KINDS, POSITIONS, Condition, ModelConfig
from tests.support.bundles import COMPOSERS, SOURCES, TINY

NAMES = st.lists(st.text(max_size=12), max_size=4, unique=True).map(tuple)
LEVELS = st.lists(st.floats(0, 100), max_size=9).map(sorted).map(tuple)
CONDITIONS = st.builds(
    lambda name, values, levels: Condition(name, max(len(values) + 1, len(levels) + 2), values, levels),
    st.text(max_size=12),
    NAMES,
    LEVELS,
)
CONFIGS = st.builds(
    ModelConfig,
    kind=st.sampled_from(KINDS),
    field_sizes=st.lists(st.integers(1, 200), min_size=1, max_size=5).map(tuple),
    width=st.sampled_from([8, 64, 384]),
    layers=st.integers(1, 12),
    context=st.sampled_from([2, 64, 1024]),
    heads=st.sampled_from([2, 4]),
    kv_heads=st.sampled_from([1, 2]),
    dropout=st.floats(0, 0.9),
    positions=st.sampled_from(POSITIONS),
    conditions=st.lists(CONDITIONS, max_size=4, unique_by=lambda condition: condition.name).map(tuple),
    network=st.sampled_from(["", "mine"]),
)


@given(CONFIGS)
def test_a_description_survives_json(config: ModelConfig) -> None:
    assert ModelConfig.from_description(json.loads(json.dumps(config.describe()))) == config
    assert ("network" in config.describe()) == bool(config.network), "earlier versions read those of their own networks"


def test_ids_count_from_one_in_the_models_order() -> None:
    for composer, name in enumerate(COMPOSERS, start=1):
        for source, origin in enumerate(SOURCES, start=1):
            assert TINY.condition_ids(composer=name, source=origin) == (composer, source)


@pytest.mark.parametrize(("composer", "source"), [("any", "any"), ("Nobody", ""), ("edvard grieg", "Measured")])
def test_names_that_are_not_exactly_known_are_any(composer: str, source: str) -> None:
    assert TINY.condition_ids(composer=composer, source=source) == (0, 0)


def test_a_number_is_an_id_which_the_model_must_have() -> None:
    assert TINY.condition_ids(source=2) == (0, 2) and TINY.condition_ids() == (0, 0)
    with pytest.raises(RequestError, match="source 3 is not to be had: the model has source 0 to 2"):
        TINY.condition_ids(source=3)
    with pytest.raises(RequestError, match="density 4 is not to be had: the model knows no density"):
        TINY.condition_ids(density=4)
    assert TINY.condition_ids(density=0) == (0, 0)


def test_a_measurement_has_the_id_of_the_thresholds_it_has_reached() -> None:
    density = Condition("density", 9, thresholds=(5.0, 6.8, 8.2))
    assert density.ids_of([0.0, 4.9, 5.0, 7.0, 99.0]).tolist() == [1, 1, 2, 3, 4]
    with pytest.raises(ConfigError, match="condition 'density' has 4 ids, and its values need 5"):
        replace(density, size=4)


def test_guidance_leads_away_from_wishes_and_leaves_facts() -> None:
    names = ("composer", "source", "density", "loudness", "key", "role", "left")
    config = replace(TINY, conditions=tuple(Condition(name, 9) for name in names))
    assert config.unconditional((1, 2, 3, 4, 5, 6, 7)) == (0, 2, 0, 0, 0, 6, 7)


def test_a_description_of_the_first_release_has_composer_and_source() -> None:
    description = TINY.describe()
    del description["conditions"]
    old = ModelConfig.from_description(description | {"composers": list(COMPOSERS), "sources": list(SOURCES)})
    assert old == TINY and (old.composers, old.sources) == (COMPOSERS, SOURCES)
    nameless = ModelConfig.from_description(description)
    assert [(condition.name, condition.size) for condition in nameless.conditions] == [("composer", 1), ("source", 1)]


def test_heads_share_the_width() -> None:
    assert TINY.head_width == 16


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"kind": "gru"}, "model kind 'gru' is unknown; choose one of lstm, transformer"),
        ({"positions": "circular"}, "positions 'circular' are unknown; choose one of relative, "),
        ({"heads": 3}, r"heads \(3\) must divide width \(64\)"),
        ({"kv_heads": 3}, r"kv_heads \(3\) must divide heads"),
        ({"context": 63}, r"context \(63\) must be even"),
        ({"conditions": (Condition("key", 3), Condition("key", 3))}, "no two conditions of one name: key, key"),
        ({"width": 0}, "width must be a whole number from 1 to [0-9]+, not 0"),
        ({"layers": -2}, "layers must be a whole number from 1 to [0-9]+, not -2"),
        ({"heads": 0}, "heads must be a whole number from 1 to [0-9]+, not 0"),
        ({"kv_heads": 0}, "kv_heads must be a whole number from 1 to [0-9]+, not 0"),
        ({"network": 3}, "network must be a name, not 3"),
        ({"context": 0}, "context must be a whole number from 1 to [0-9]+, not 0"),
    ],
)
def test_impossible_values_are_refused_in_a_sentence(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        replace(TINY, **wrong)
    with pytest.raises(ConfigError, match=sentence):
        ModelConfig.from_description(TINY.describe() | json.loads(json.dumps(wrong, default=asdict)))


def test_an_lstm_does_not_care_for_heads() -> None:
    assert replace(TINY, kind="lstm", heads=3, context=63).kind == "lstm"


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="a model has no setting 'widht'"):
        ModelConfig.from_description(TINY.describe() | {"widht": 3})


def test_a_missing_setting_is_named() -> None:
    description = TINY.describe()
    del description["layers"]
    with pytest.raises(ConfigError, match=r"incomplete.*layers"):
        ModelConfig.from_description(description)

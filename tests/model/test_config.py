from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.errors import ConfigError
from arietta.model.config import KINDS, POSITIONS, ModelConfig
from tests.support.bundles import COMPOSERS, SOURCES, TINY

NAMES = st.lists(st.text(max_size=12), max_size=4, unique=True).map(tuple)
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
    composers=NAMES,
    sources=NAMES,
)


@given(CONFIGS)
def test_a_description_survives_json(config: ModelConfig) -> None:
    assert ModelConfig.from_description(json.loads(json.dumps(config.describe()))) == config


def test_ids_count_from_one_in_the_models_order() -> None:
    for composer, name in enumerate(COMPOSERS, start=1):
        for source, origin in enumerate(SOURCES, start=1):
            assert TINY.condition_ids(name, origin) == (composer, source)


@pytest.mark.parametrize(("composer", "source"), [("any", "any"), ("Nobody", ""), ("edvard grieg", "Measured")])
def test_names_that_are_not_exactly_known_are_any(composer: str, source: str) -> None:
    assert TINY.condition_ids(composer, source) == (0, 0)


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
        ({"width": 0}, "width must be 1 or more, not 0"),
        ({"layers": -2}, "layers must be 1 or more, not -2"),
        ({"heads": 0}, "heads must be 1 or more, not 0"),
        ({"kv_heads": 0}, "kv_heads must be 1 or more, not 0"),
        ({"context": 0}, "context must be 1 or more, not 0"),
    ],
)
def test_impossible_values_are_refused_in_a_sentence(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        replace(TINY, **wrong)
    with pytest.raises(ConfigError, match=sentence):
        ModelConfig.from_description(TINY.describe() | wrong)


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

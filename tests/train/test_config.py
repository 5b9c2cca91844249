"""Settings: defaults below a TOML file below flags; what is unknown or impossible is refused by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from arietta.errors import ConfigError
from arietta.train.config import describe_config, load_config, parse_override


@dataclass(frozen=True)
class Oven:
    heat: float = 180.0
    is_fan_on: bool = False

    def __post_init__(self) -> None:
        if self.heat > 300:
            raise ConfigError(f"oven.heat must be at most 300, not {self.heat}")


@dataclass(frozen=True)
class Cake:
    name: str
    eggs: int = 3
    layers: tuple[int, float] = (1, 2.5)
    fillings: tuple[str, ...] = ()
    oven: Oven = field(default_factory=Oven)


def written(folder: Path, text: str) -> Path:
    path = folder / "cake.toml"
    path.write_text(text)
    return path


def test_a_file_overrides_defaults_and_flags_override_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, 'name = "sponge"\neggs = 4\n[oven]\nheat = 200\n')
    cake = load_config(Cake, path, {"eggs": 5, "oven.is_fan_on": True})
    assert cake == Cake("sponge", eggs=5, oven=Oven(heat=200.0, is_fan_on=True))


def test_without_a_file_flags_override_defaults() -> None:
    assert load_config(Cake, None, {"name": "plain"}) == Cake("plain")


def test_a_flag_may_name_a_table_that_the_file_lacks(tmp_path: Path) -> None:
    assert load_config(Cake, written(tmp_path, 'name = "a"'), {"oven.heat": 90}).oven == Oven(90.0)


def test_whole_numbers_become_floats_where_a_setting_is_one() -> None:
    heat = load_config(Cake, None, {"name": "a", "oven.heat": 90}).oven.heat
    assert type(heat) is float and heat == 90.0


def test_lists_become_tuples_of_the_kinds_asked_for() -> None:
    cake = load_config(Cake, None, {"name": "a", "layers": [2, 3], "fillings": ["jam", "cream", "jam"]})
    assert cake.layers == (2, 3.0) and type(cake.layers[1]) is float
    assert cake.fillings == ("jam", "cream", "jam")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "a"\negs = 2', "egs is not a setting; the nearest are eggs"),
        ('name = "a"\nheat = 2', "heat is not a setting; the nearest are oven.heat"),
        ('name = "a"\n[oven]\nheet = 2', "oven.heet is not a setting; the nearest are heat"),
        ("eggs = 2", "name is missing"),
        ('name = "a"\neggs = "two"', "eggs must be a whole number, not 'two'"),
        ('name = "a"\neggs = 2.5', "eggs must be a whole number, not 2.5"),
        ('name = "a"\neggs = true', "eggs must be a whole number, not True"),
        ('name = "a"\n[oven]\nheat = "hot"', "oven.heat must be a number, not 'hot'"),
        ('name = "a"\n[oven]\nis_fan_on = 1', "oven.is_fan_on must be true or false, not 1"),
        ("name = 7", "name must be a text, not 7"),
        ('name = "a"\nlayers = [1]', "layers must have 2 values, not 1"),
        ('name = "a"\nlayers = 1', "layers must be a list, not 1"),
        ('name = "a"\noven = 3', "oven must be a table of settings, not 3"),
        ('name = "a"\n[oven]\nheat = 301', "oven.heat must be at most 300, not 301.0"),
        ("name = ", "not a TOML file"),
    ],
)
def test_a_bad_file_is_refused_in_a_sentence_that_names_it_once(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load_config(Cake, path)
    assert said in str(error.value)
    assert str(error.value).count(str(path)) == 1


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load_config(Cake, tmp_path / "none.toml")


def test_a_flag_below_a_plain_value_is_refused() -> None:
    with pytest.raises(ConfigError, match="eggs has a value of its own"):
        load_config(Cake, None, {"name": "a", "eggs": 3, "eggs.size": 2})


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("train.steps=100", ("train.steps", 100)),
        ("rate=1e-3", ("rate", 0.001)),
        ("data.transpose=[-6, 5]", ("data.transpose", [-6, 5])),
        ("model.kind=lstm", ("model.kind", "lstm")),
        ('model.kind="lstm"', ("model.kind", "lstm")),
        ("compile=false", ("compile", False)),
        (" name = a b ", ("name", "a b")),
    ],
)
def test_an_override_reads_its_value_as_toml_or_as_bare_text(text: str, parsed: tuple[str, object]) -> None:
    assert parse_override(text) == parsed


@pytest.mark.parametrize("text", ["steps", "steps=", "=3", ""])
def test_an_override_without_a_name_or_a_value_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="NAME=VALUE"):
        parse_override(text)


def test_a_description_holds_json_values_and_builds_the_config_again() -> None:
    cake = Cake("a", layers=(1, 2.0), fillings=("jam",), oven=Oven(90.0))
    described = describe_config(cake)
    assert described["layers"] == [1, 2.0] and described["oven"] == {"heat": 90.0, "is_fan_on": False}
    assert load_config(Cake, None, described) == cake

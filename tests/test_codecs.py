"""The codecs there are, built again from the descriptions that bundles and checkpoints carry."""

from __future__ import annotations

import json

import pytest

from arietta.codecs import CODECS, READABLE, PerformanceCodec, add_codec, load_codec
from arietta.codecs.codec import fingerprint
from arietta.errors import CodecError

each_codec = pytest.mark.parametrize("codec", READABLE, ids=fingerprint)


def test_codecs_are_listed_under_the_names_they_describe_themselves_by():
    assert {name: make().describe()["name"] for name, make in CODECS.items()} == {name: name for name in CODECS}


@each_codec
def test_a_codec_is_built_again_from_its_description_as_json(codec):
    again = load_codec(json.loads(json.dumps(codec.describe())))
    assert type(again) is type(codec)
    assert fingerprint(again) == fingerprint(codec)
    assert again.field_sizes == codec.field_sizes


@pytest.mark.parametrize(
    "description", [{}, {"name": None}, {"name": "remi"}, {"name": ["note"]}, {"name": "chord", "symbols": [60]}]
)
def test_an_unknown_codec_is_refused_with_the_known_names(description):
    with pytest.raises(CodecError, match=r"unknown codec .* known are note, performance$"):
        load_codec(description)


def test_a_codec_of_ones_own_takes_the_name_of_no_other():
    with pytest.raises(CodecError, match="there is a codec 'note' already: give yours another name"):
        add_codec(lambda: READABLE[0])


def test_a_codec_of_ones_own_that_is_added_again_is_the_newer_one(monkeypatch):
    monkeypatch.setattr("arietta.codecs.CODECS", dict(CODECS))
    monkeypatch.setattr("arietta.codecs.READABLE", list(READABLE))
    for made in ("first", "again"):  # as a cell of a notebook makes its class anew
        codec = type(
            "Mine", (PerformanceCodec,), {"name": "mine", "describe": lambda _, made=made: {"name": "mine", "v": made}}
        )
        add_codec(codec)
    assert type(load_codec({"name": "mine", "v": "again"})) is codec
    with pytest.raises(CodecError, match="the mine codec of this version is"):
        load_codec({"name": "mine", "v": "first"})


def test_a_model_of_either_version_of_the_note_codec_can_be_read_and_the_later_one_is_trained():
    # The description that every bundle of version 1 carries: runs compare its fingerprint.
    old = load_codec({"name": "note", "version": 1, "field_sizes": [128, 94, 128, 32]})
    new = load_codec({"name": "note", "version": 2, "field_sizes": [128, 104, 128, 32]})
    assert fingerprint(old) == "b26fadc9995ff6e6"
    assert (old.field_sizes, new.field_sizes) == ((128, 94, 128, 32), (128, 104, 128, 32))
    assert CODECS["note"]().describe() == new.describe()


@each_codec
def test_another_version_of_a_codec_is_refused_and_both_are_named(codec):
    with pytest.raises(CodecError, match="the one described is") as caught:
        load_codec(codec.describe() | {"version": 77})
    assert "77" in str(caught.value) and str(codec.describe()) in str(caught.value)


@each_codec
def test_a_description_that_lacks_or_adds_a_setting_is_refused(codec):
    description = codec.describe()
    for changed in ({"name": codec.name}, description | {"tempo": 120}):
        with pytest.raises(CodecError, match="the one described is"):
            load_codec(changed)
    assert load_codec(description).describe() == description

"""What a model makes of a request: the composer that the seed draws, and its own sampling where none is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arietta.errors import BundleError, RequestError
from arietta.generation.loop import generate
from arietta.generation.passage import Edit
from arietta.generation.request import Request
from arietta.generation.scores.performance import Performance
from arietta.generation.wishes import read_wishes
from arietta.model.bundle import Bundle, load_bundle
from arietta.model.engine import OnnxEngine, load_engine
from arietta.model.sampling import Sampling
from arietta.music.notes import Notes

CARD = {
    "temperature": 0.9,
    "guidance": 2.0,
    "composers": {"Edvard Grieg": {"share": 0.5, "guidance": 3.5}, "Frédéric Chopin": {"share": 0.5}},
}


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    """A model whose card tells how it is sampled."""
    return replace(load_bundle(tiny_bundle), card={"sampling": CARD})


def test_the_seed_draws_a_composer_whom_the_take_names(bundle: Bundle) -> None:
    engine = load_engine(bundle)
    takes = [generate(Request(notes=5, seed=seed), engine) for seed in range(8)]
    assert {take.request.style for take in takes} == {"Edvard Grieg", "Frédéric Chopin"}
    again = Request.from_description(takes[3].describe())
    assert again == takes[3].request and generate(again, engine).notes == takes[3].notes


def test_none_and_prompts_are_in_no_style(bundle: Bundle) -> None:
    prompt = Notes.of([0.0], [0.5], [60], [70])
    assert Request(notes=5, style="none").resolve(bundle).style == "none"
    assert Request(notes=5, prompt=prompt).resolve(bundle).style == "any"


def test_a_composer_has_a_guidance_of_its_own_unless_one_is_asked_for(bundle: Bundle) -> None:
    asked = [("grieg", None, 3.5), ("chopin", None, 2.0), ("grieg", 1.5, 1.5), ("none", None, 2.0)]
    for style, guidance, expected in asked:
        resolved = Request(notes=5, style=style, sampling=Sampling(guidance=guidance)).resolve(bundle)
        assert resolved.sampling.guidance == expected
        assert resolved.sampling.temperature == 0.9


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("chopinn", "Frédéric Chopin"),
        ("Chopin, Frederic", "Frédéric Chopin"),
        ("JS Bach", "Johann Sebastian Bach"),
        ("GRIEG", "Edvard Grieg"),
        (" None", "none"),
    ],
)
def test_however_a_composer_is_typed_the_take_has_his_name(typed: str, name: str, bundle: Bundle) -> None:
    take = generate(Request(notes=5, style=typed, seed=1), load_engine(bundle))
    assert take.request.style == take.describe()["style"] == name
    assert take.request == Request(notes=5, style=name, seed=1).resolve(bundle)


def test_waits_have_a_temperature_of_their_own_in_passages_and_wishes_a_guidance(
    bundle: Bundle, filling_engine: OnnxEngine
) -> None:
    onset = np.arange(40) * 0.25
    edit = Edit(Notes.of(onset, np.full(40, 0.2), np.full(40, 60), np.full(40, 64)), 4.0, 8.0)
    bundle = replace(filling_engine.bundle, card={"sampling": {**CARD, "passage_time": 1.08}})
    resolved = Request(edit=edit).resolve(bundle)
    assert resolved.sampling.temperature == {"time": 1.08, "symbol": 0.9, "duration": 0.9, "velocity": 0.9}
    assert resolved.resolve(bundle) is resolved
    assert Request(notes=5, style="none").resolve(bundle).sampling.temperature == 0.9
    assert Request(edit=edit, sampling=Sampling(temperature=1.0)).resolve(bundle).sampling.temperature == 1.0
    wished = Request(notes=5, style="none", wishes=read_wishes(density=5))
    assert wished.resolve(bundle).sampling.guidance == 4.0
    assert replace(wished, sampling=Sampling(guidance=1.5)).resolve(bundle).sampling.guidance == 1.5


def test_loudness_and_lengths_of_a_played_score_are_likely_ones_and_wishes_are_followed(
    filling_engine: OnnxEngine,
) -> None:
    bundle = replace(filling_engine.bundle, card={"sampling": {**CARD, "passage_time": 1.08}})
    score = Performance.of(Notes.of([0.0, 0.5], [0.5, 0.5], [60, 62], [64, 64]))
    resolved = Request(edit=score, style="grieg").resolve(bundle)
    assert resolved.sampling.temperature == {"time": 0.9, "symbol": 0.9, "duration": 0.2, "velocity": 0.2}
    assert resolved.sampling.guidance == 1.0 and resolved.resolve(bundle) is resolved
    assert Request(edit=score, wishes=read_wishes(loudness=50)).resolve(bundle).sampling.guidance == 4.0
    asked = Request(edit=score, sampling=Sampling(temperature=1.0, guidance=2.0)).resolve(bundle).sampling
    assert (asked.temperature, asked.guidance) == (1.0, 2.0)
    # Without touch what is likeliest is far too short (benchmarks/quality/performing.py).
    unlearned = replace(bundle, card={**bundle.card, "training": {"settings": {"data": {"touch": 0.0}}}})
    assert Request(edit=score).resolve(unlearned).sampling.temperature["velocity"] == 0.9  # type: ignore[index]


def test_what_is_resolved_stays_as_it_is(bundle: Bundle) -> None:
    resolved = Request(notes=5).resolve(bundle)
    assert resolved.resolve(bundle) is resolved


def test_older_models_draw_nobody_and_sample_one_field(bundle: Bundle) -> None:
    old = replace(bundle, card={}, format=3)
    resolved = Request(notes=5).resolve(old)
    assert (resolved.style, resolved.sampling) == ("any", Sampling(0.95, 0.95, 0.0, 4.0))
    with pytest.raises(RequestError, match="temperature cannot be set for 'time': this model has it for symbol"):
        Request(notes=5, sampling=Sampling(temperature={"time": 1.0})).resolve(old)


def test_a_card_with_a_stranger_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "strange"
    folder.mkdir()
    for file in tiny_bundle.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "card.json").write_text('{"sampling": {"composers": {"Nobody": {"share": 1}}}}')
    with pytest.raises(BundleError, match="has the sampling of Nobody, a composer whom the model does not know"):
        load_bundle(folder)

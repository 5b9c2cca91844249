"""Guidance: a style followed more strongly than the model would, and exactly the model where it asks for nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arietta.codecs.codec import Masks
from arietta.errors import RequestError
from arietta.generation.loop import Generation, generate, start
from arietta.generation.request import Request
from arietta.model import engine as engines
from arietta.model.bundle import load_bundle
from arietta.model.engine import OnnxEngine
from arietta.model.sampling import Guide, Sampling
from tests.model.test_engine import NOTE_CODEC, noise_for
from tests.support.bundles import engine_of


@pytest.fixture(scope="module", params=["tiny_bundle", "tiny_bundle_32", "tiny_lstm"])
def engine(request: pytest.FixtureRequest) -> OnnxEngine:
    folder: Path = request.getfixturevalue(request.param)
    return engine_of(folder)


def test_guidance_leads_away_from_what_no_style_would_do(engine: OnnxEngine) -> None:
    """With nothing in the dice, a time is the likeliest by log p(any) + g (log p(style) - log p(any))."""
    sizes, ways, differing = NOTE_CODEC.field_sizes, [Sampling(guidance=8.0)] * 3, 0
    free = Masks(np.ones(sum(sizes), dtype=np.bool_), np.zeros(sizes[1], dtype=np.int64))
    cache, silence = engine.start([(0, 0), (1, 0), (0, 0)]), np.zeros((3, sum(sizes)), dtype=np.float32)
    for _ in range(60):
        rows = engine.decode(cache, silence, [free] * 3, ways, [Guide(0), Guide(2, 8.0), Guide(1, -7.0)])
        alone, styled, plain = cache.logits[:, : sizes[0]].astype(np.float64)
        assert np.array_equal(rows[1], rows[2])
        assert rows[0, 0] == alone.argmax()
        guided = plain + 8 * (styled - plain)
        assert guided[rows[1, 0]] >= guided.max() - 1e-4
        differing += int(rows[1, 0] != styled.argmax())
    assert differing


@pytest.mark.parametrize("guides", [[], [Guide(0), Guide(1)], [Guide(1), Guide(0, 0.0)]], ids=["none", "own", "one"])
def test_guidance_of_one_and_slots_without_a_partner_are_the_models_own(
    engine: OnnxEngine, guides: list[Guide]
) -> None:
    guided, plain, rng = engine.start([(1, 0), (0, 0)]), engine.start([(1, 0)]), np.random.default_rng(3)
    decoder = NOTE_CODEC.decoder()
    for _ in range(40):
        noise, masks = noise_for(rng, NOTE_CODEC), decoder.masks()
        rows = engine.decode(guided, np.repeat(noise, 2, axis=0), [masks] * 2, [Sampling()] * 2, guides)
        alone = engine.decode(plain, noise, [masks], [Sampling()])
        assert np.array_equal(rows[0], alone[0])
        assert np.array_equal(guided.nll[0], plain.nll[0])
        engine.replace_last(guided, 1, alone[0].tolist())
        decoder.push(alone[0].tolist())


def test_only_a_style_is_followed(engine: OnnxEngine) -> None:
    strong, own = Sampling(guidance=3.0), Sampling(guidance=1.0)
    for style, sampling, places in (("any", strong, 1), ("grieg", own, 1), ("grieg", strong, 2)):
        piece = Generation(Request(notes=5, style=style, sampling=sampling), engine.bundle)
        assert len(start(piece, engine)[1]) == places
    assert (
        generate(Request(notes=20, sampling=strong), engine).notes
        == generate(Request(notes=20, sampling=own), engine).notes
    )


def test_a_guided_take_says_so_and_comes_again(engine: OnnxEngine) -> None:
    request = Request(notes=60, style="grieg", seed=3, sampling=Sampling(guidance=6.0))
    take = generate(request, engine)
    assert take.describe()["guidance"] == 6.0 and Sampling.from_description(take.describe()) == take.request.sampling
    assert take.notes == generate(request, engine).notes
    assert take.notes != generate(replace(request, sampling=Sampling(guidance=1.0)), engine).notes
    assert np.isfinite(take.nll)


@pytest.mark.parametrize("guidance", [0.5, 10.5, float("nan")])
def test_guidance_outside_its_range_is_refused(guidance: float) -> None:
    with pytest.raises(RequestError, match="guidance must lie in 1-10"):
        Sampling(guidance=guidance)


def test_plain_attention_is_for_the_step_alone_and_leaves_the_process_as_it_was(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    monkeypatch.setattr(engines, "_session", lambda *_: seen.append(os.environ.get(engines.PLAIN_ATTENTION)))
    monkeypatch.delenv(engines.PLAIN_ATTENTION, raising=False)
    made = OnnxEngine(load_bundle(tiny_bundle))
    assert made._feed is None and seen == ["1", None] and engines.PLAIN_ATTENTION not in os.environ
    monkeypatch.setenv(engines.PLAIN_ATTENTION, "0")
    OnnxEngine(load_bundle(tiny_bundle))
    assert seen[2:] == ["0"] and os.environ[engines.PLAIN_ATTENTION] == "0"

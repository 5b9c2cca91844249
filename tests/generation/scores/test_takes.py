"""Requests are composed in the way that they ask for, and each way gives what it gives by itself."""

from __future__ import annotations

from pathlib import Path

from arietta.generation.batch import generate_all
from arietta.generation.original import generate_original, require_index
from arietta.generation.request import Request, Take
from arietta.generation.scores.in_time import generate_in_time
from arietta.generation.scores.pulse import Pulse
from arietta.generation.scores.takes import generate_takes
from arietta.model.bundle import load_bundle
from arietta.model.engine import OnnxEngine, load_engine


def test_each_way_of_composing_has_its_own_takes(tiny_engine: OnnxEngine) -> None:
    plain, in_time = Request(notes=20, seed=3), Request(notes=20, seed=3, pulse=Pulse.read(90, "3/4", takes=2))
    for request, compose in ((plain, generate_all), (in_time, generate_in_time)):
        composed: list[Take] = []
        ((take, originality),) = generate_takes([request], tiny_engine, composed=composed.append)
        assert take == next(compose([request], tiny_engine)) and originality is None
        assert len(composed) == request.take_count


def test_with_an_index_what_shares_too_much_is_composed_again(model_knowing_two: Path) -> None:
    engine = load_engine(load_bundle(model_knowing_two))
    index, request = require_index(engine.bundle), Request(notes=100, seed=7)
    told: list[float] = []
    pairs = generate_takes([request], engine, index=index, progress=lambda done, _: told.append(done))
    ((take, originality),) = pairs
    assert (take, originality) == next(generate_original([request], engine, index))
    assert take.request.seed == 207 and told[-1] == 300

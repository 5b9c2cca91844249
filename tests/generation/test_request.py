"""Requests and takes as values: what is refused, how they are described and read back, what takes are called."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.errors import RequestError
from arietta.generation.request import MAX_NOTES, Request, Take, midi_texts, read_request_text
from arietta.generation.scores.bars import MAX_SECONDS
from arietta.model.sampling import Sampling
from arietta.music.notes import Notes
from tests.support.strategies import SEEDS

PROMPT = Notes.of(onset=[0.0, 0.5], duration=[0.5, 0.5], pitch=[60, 64], velocity=[70, 60])
samplings = st.builds(
    Sampling,
    temperature=st.floats(0.05, 3.0),
    top_p=st.floats(0.01, 1.0),
    min_p=st.floats(0.0, 0.99),
    guidance=st.floats(1.0, 10.0),
)
lengths = st.one_of(
    st.integers(1, MAX_NOTES).map(lambda notes: {"notes": notes}),
    st.floats(1.0, MAX_SECONDS).map(lambda seconds: {"seconds": seconds}),
)


@given(
    length=lengths,
    style=st.sampled_from(["any", "Frédéric Chopin", "grieg"]),
    prompt=st.sampled_from([None, PROMPT]),
    seed=SEEDS,
    sampling=samplings,
)
def test_a_request_is_read_back_from_its_description(
    length: dict[str, Any], style: str, prompt: Notes | None, seed: int, sampling: Sampling
) -> None:
    request = Request(**length, style=style, prompt=prompt, seed=seed, sampling=sampling)
    description = {"model": "concert", "bundle": "0" * 16} | request.describe()
    again = Request.from_description(description, prompt)
    assert again == request and again.describe() == request.describe()


def test_a_description_names_a_prompt_by_its_length_alone() -> None:
    assert Request(notes=5, prompt=PROMPT).describe()["prompt_notes"] == 2
    assert "prompt_notes" not in Request(notes=5).describe()


@pytest.mark.parametrize("text", ["arietta [1, 2]", "arietta " + "[" * 10_000, "arietta {", "arietta NaN", "Etude"])
def test_a_text_of_a_stranger_is_no_description(text: str) -> None:
    assert read_request_text([text]) == {}
    assert read_request_text([text, *midi_texts({"notes": 3})]) == {"notes": 3}


def test_numbers_of_numpy_are_numbers() -> None:
    asked = Request(notes=np.int64(10), seed=np.uint32(3))  # type: ignore[arg-type]
    assert asked == Request(notes=10, seed=3) and type(asked.notes) is int
    assert Request(seconds=np.float32(2.5)) == Request(seconds=2.5)
    with pytest.raises(RequestError, match="notes must be a whole number, not True"):
        Request(notes=True)


def test_takes_are_compared_by_what_they_are() -> None:
    take = Take(PROMPT, np.zeros((2, 4), np.uint16), 0, 0, Request(notes=2), "m", "b", 1.0, 0.5, np.ones(2, np.bool_))
    assert replace(take, seconds_taken=9.0, is_new=take.is_new.copy()) == take
    assert replace(take, nll=2.0) != take and replace(take, notes=PROMPT[:1]) != take

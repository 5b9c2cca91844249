"""The arguments of the client's `compose` make the request that they make in Python."""

from __future__ import annotations

import pytest

from arietta.client.options import make_request
from arietta.errors import RequestError
from arietta.generation.scores.pulse import Pulse


def test_options_make_a_request() -> None:
    assert make_request(None, {}).notes == 300
    request = make_request(None, {"bars": 8, "bpm": 90, "metre": "3/4", "style": "chopin", "seed": 4})
    assert request.pulse == Pulse.read(90, "3/4", 8) and request.notes is None
    assert request.seconds == request.pulse.seconds_composed and (request.style, request.seed) == ("chopin", 4)


def test_what_cannot_be_asked_for_is_refused() -> None:
    with pytest.raises(TypeError, match="compose has no argument 'sweetness'"):
        make_request(5, {"sweetness": 1})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(TypeError, match=r"'meter' \(did you mean metre\?\)"):
        make_request(5, {"meter": "3/4"})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(RequestError, match=r"is a stored piece: client.extend\('0123456789abcdef', bars=8\)"):
        make_request(None, {"bars": 8, "prompt": "0123456789abcdef"})
    with pytest.raises(RequestError, match="bpm and metre go together"):
        make_request(5, {"bpm": 90})
    with pytest.raises(RequestError, match="leave it out, or bpm and metre"):
        make_request(5, {"bpm": 90, "metre": "3/4", "original": True})

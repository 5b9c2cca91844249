"""Clusters that do not answer: a sentence, and soon."""

from __future__ import annotations

import time

import pytest

from arietta.cluster.connection import open_cluster
from arietta.errors import AriettaError


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        ("127.0.0.1:9", "nobody answers there"),
        ("somewhere", "names no port"),
        ("127.0.0.1:port", "write HOST:PORT"),
    ],
)
def test_a_cluster_that_does_not_answer_is_a_sentence(address: str, refusal: str) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install '.[cluster]'")
    begun = time.monotonic()
    with pytest.raises(AriettaError, match=refusal), open_cluster(address):
        pass
    assert time.monotonic() - begun < 20

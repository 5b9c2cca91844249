"""A corpus of tunes for the embedding to learn from: two composers in turn, and settings of a few steps."""

from __future__ import annotations

import pytest

from arietta.corpus.store import Store
from arietta.train.embedding.data import Library, long_pieces, read_library
from arietta.train.embedding.training import EmbeddingSettings
from tests.support.corpora import COMPOSERS, make_store
from tests.support.tunes import tune

PIECES = 10
SMALL = EmbeddingSettings(steps=4, pieces=4, warm_up=1)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Tunes by two composers in turn, each tune at its own height, and one that is too short."""
    pieces = [tune(seed, 140 + 20 * seed) for seed in range(PIECES)] + [tune(99, 60)]
    return make_store(tmp_path_factory.mktemp("made") / "corpus", pieces=pieces, splits=("train",) * (PIECES + 1))


@pytest.fixture(scope="session")
def library(store: Store) -> Library:
    return read_library(store, long_pieces(store, "own", "train"), tuple(sorted(COMPOSERS)))

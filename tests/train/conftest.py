"""What the tests of training share: a corpus of a few scales, and torch on one thread."""

from __future__ import annotations

import pytest
import torch

from arietta.corpus.store import Store
from tests.support.corpora import make_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Give a corpus, as each module of tests makes its own."""
    return make_store(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def one_thread() -> None:
    torch.set_num_threads(1)

"""The embedding's file: dimensions that count alike, a head as sure as it is right, and what the package reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta.corpus.store import Store
from arietta.evaluation import embedding
from arietta.evaluation.embedding import DIMENSIONS, embed, features, forward, predict_composers
from arietta.music.notes import Notes
from arietta.train.embedding.data import Library
from arietta.train.embedding.export import (
    EmbeddingFile,
    calibrate,
    embed_pieces,
    from_trainer,
    select_composers,
    whiten,
    write_embedding,
)
from arietta.train.embedding.training import EmbeddingTrainer
from tests.support.corpora import COMPOSERS
from tests.support.embedding import PIECES, SMALL

pytestmark = pytest.mark.usefixtures("single_torch_thread")


@pytest.fixture(scope="module")
def learned(library: Library) -> EmbeddingFile:
    trainer = EmbeddingTrainer(SMALL, library)
    trainer.advance()
    trainer.network.eval()
    return from_trainer(trainer)


def logits(file: EmbeddingFile, embeddings: np.ndarray) -> np.ndarray:
    return embeddings @ file.weights["head.weight"] + file.weights["head.bias"]


def test_whitened_embeddings_vary_alike_in_all_dimensions_and_the_head_gives_the_same_logits(
    learned: EmbeddingFile, store: Store
) -> None:
    music = embed_pieces(learned, store, store.pieces[:PIECES])
    whitened = whiten(learned, music, dimensions=PIECES - 1)
    embeddings = embed_pieces(whitened, store, store.pieces[:PIECES])
    assert embeddings.mean(axis=0) == pytest.approx(0, abs=1e-3)
    assert np.cov(embeddings, rowvar=False) == pytest.approx(np.eye(PIECES - 1), abs=0.02)
    assert logits(whitened, embeddings) == pytest.approx(logits(learned, music), abs=1e-3)
    assert np.corrcoef(embeddings[:, 0], music @ learned.weights["contiguity.weight"])[0, 1] == pytest.approx(
        1, abs=1e-3
    )


def test_only_the_selected_composers_can_be_named(learned: EmbeddingFile) -> None:
    selected = select_composers(learned, [learned.composers[1]])
    assert selected.composers == learned.composers[1:2] and selected.weights["head.weight"].shape[1] == 1
    assert selected.weights["head.bias"] == learned.weights["head.bias"][1:2]
    with pytest.raises(ValueError, match="not in tuple"):
        select_composers(learned, ["Nobody"])


def test_calibration_makes_the_head_surer_where_it_is_right_and_less_sure_where_it_is_not() -> None:
    """Three of four right with odds of 1.5 to 1: at 0.75 each it would be right as often as it says."""
    unsure = EmbeddingFile(
        {"head.weight": np.eye(2, dtype=np.float32), "head.bias": np.zeros(2, dtype=np.float32)}, ("A", "B")
    )
    embeddings = np.array([[np.log(1.5), 0.0]] * 4)
    sharp = calibrate(unsure, embeddings, ["A", "A", "A", "B"])
    odds = np.exp(logits(sharp, embeddings)[0])
    assert odds[0] / odds.sum() == pytest.approx(0.75, abs=0.01)
    blunt = calibrate(unsure, 10 * embeddings, ["A", "A", "A", "B"])
    odds = np.exp(logits(blunt, 10 * embeddings)[0])
    assert odds[0] / odds.sum() == pytest.approx(0.75, abs=0.03)


def test_the_written_file_is_what_the_package_reads(
    learned: EmbeddingFile, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whitened = whiten(learned, embed_pieces(learned, store, store.pieces[:PIECES]), dimensions=PIECES - 1)
    write_embedding(tmp_path / "own.npz", whitened)
    monkeypatch.setattr(embedding, "WEIGHTS", tmp_path / "own.npz")
    embedding._shipped.cache_clear()
    try:
        notes: Notes = store.notes(2)
        expected = forward(whitened.weights, features(embedding.overlapping_windows(notes))).mean(axis=0)
        assert embed(notes) == pytest.approx(expected[:DIMENSIONS], abs=0.02)  # rounded to 16 bits
        assert {name for name, _ in predict_composers(notes)} == set(COMPOSERS)
    finally:
        embedding._shipped.cache_clear()


def test_the_seed_says_which_passage_of_a_long_piece_is_embedded(learned: EmbeddingFile, store: Store) -> None:
    short, long = store.pieces[0], store.pieces[PIECES - 1]
    assert short.notes <= 300 < long.notes
    calls: list[tuple[float, float]] = []
    first = embed_pieces(learned, store, [short, long], seed=1, progress=lambda *counts: calls.append(counts))
    assert calls == [(1, 2), (2, 2)]
    assert np.array_equal(first, embed_pieces(learned, store, [short, long], seed=1))
    other = embed_pieces(learned, store, [short, long], seed=2)
    assert np.array_equal(first[0], other[0]) and not np.array_equal(first[1], other[1])


def test_the_file_holds_half_precision_and_is_read_without_pickle(learned: EmbeddingFile, tmp_path: Path) -> None:
    write_embedding(tmp_path / "own.npz", learned)
    with np.load(tmp_path / "own.npz", allow_pickle=False) as arrays:
        assert arrays["composers"].tolist() == list(learned.composers)
        for name, weight in learned.weights.items():
            assert arrays[name].dtype == np.float16
            assert np.array_equal(arrays[name], weight.astype(np.float16)), name

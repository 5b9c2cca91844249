"""Training of the embedding: windows in pairs, a network that numpy can run, runs that go on, a file that ships."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from arietta.corpus.store import Store
from arietta.errors import ConfigError, CorpusError
from arietta.evaluation import embedding
from arietta.evaluation.embedding import DIMENSIONS, FEATURES, WINDOW, embed, features, forward, predict_composers
from arietta.music.notes import Notes
from arietta.train.checkpoint import write_checkpoint
from arietta.train.embedding.data import (
    Library,
    augment,
    composers_with,
    draw_pairs,
    long_pieces,
    read_library,
    windows_at,
)
from arietta.train.embedding.export import (
    EmbeddingFile,
    calibrate,
    embed_pieces,
    from_trainer,
    select_composers,
    whiten,
    write_embedding,
)
from arietta.train.embedding.training import (
    LAST,
    EmbeddingNetwork,
    EmbeddingSettings,
    EmbeddingTrainer,
    fold_norms,
    train_embedding,
)
from tests.support.corpora import COMPOSERS, made_store
from tests.support.tunes import tune

PIECES = 10
SMALL = EmbeddingSettings(steps=4, pieces=4, warm_up=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Tunes by two composers in turn, each tune at its own height, and one that is too short."""
    pieces = [tune(seed, 140 + 20 * seed) for seed in range(PIECES)] + [tune(99, 60)]
    return made_store(tmp_path_factory.mktemp("made") / "corpus", pieces=pieces, splits=("train",) * (PIECES + 1))


@pytest.fixture(scope="module")
def library(store: Store) -> Library:
    return read_library(store, long_pieces(store, "own", "train"), tuple(sorted(COMPOSERS)))


# What it learns from


def test_pieces_that_fill_no_window_are_left_out_and_a_side_without_any_is_refused(store: Store) -> None:
    assert [piece.index for piece in long_pieces(store, "own", "train")] == list(range(PIECES))
    with pytest.raises(CorpusError, match="own/test"):
        long_pieces(store, "own", "test")


def test_composers_are_known_from_so_many_pieces_on(store: Store) -> None:
    pieces = [*store.pieces, replace(store.pieces[0], composer="Somebody Else"), replace(store.pieces[0], composer="")]
    assert composers_with(pieces, 2) == tuple(sorted(COMPOSERS))
    assert "Somebody Else" in composers_with(pieces, 1) and "" not in composers_with(pieces, 1)


def test_the_library_holds_the_notes_of_each_piece(store: Store, library: Library) -> None:
    for index in range(PIECES):
        start, stop = library.spans[index]
        assert np.array_equal(np.sort(library.pitch[start:stop]), np.sort(store.notes(index).pitch))
        assert library.composers[library.composer[index]] == store.pieces[index].composer


@pytest.fixture
def unvaried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arietta.train.embedding.data.augment", lambda windows, _: windows)


def owner(library: Library, window: list[int]) -> int:
    """The piece in which a row of pitches stands; -1 where it stands in none."""
    for index, (start, stop) in enumerate(library.spans):
        piece = library.pitch[start:stop].tolist()
        if any(piece[begin : begin + len(window)] == window for begin in range(len(piece) - len(window) + 1)):
            return index
    return -1


@pytest.mark.usefixtures("unvaried")
def test_both_windows_of_a_pair_are_of_one_piece(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arietta.train.embedding.data.SHUFFLED_PARTS", (1, 2))  # of one part: contiguous
    pairs = draw_pairs(library, 6, np.random.default_rng(0))
    assert pairs.windows.pitch.shape == (12, WINDOW)
    owners = [owner(library, row.tolist()) for row in pairs.windows.pitch]
    assert owners[:6] == owners[6:] and len(set(owners)) == 6
    assert library.composer[owners].tolist() == pairs.composer.tolist()


@pytest.mark.usefixtures("unvaried")
def test_contiguous_windows_stand_in_their_piece_and_shuffled_ones_do_not(library: Library) -> None:
    pairs = draw_pairs(library, PIECES, np.random.default_rng(1))
    assert 4 < np.count_nonzero(pairs.is_contiguous) < 2 * PIECES - 4
    for row, is_contiguous in zip(pairs.windows.pitch, pairs.is_contiguous, strict=True):
        assert (owner(library, row.tolist()) >= 0) == is_contiguous


def test_parts_are_joined_without_a_gap_and_each_note_waits_as_long_as_in_its_piece(library: Library) -> None:
    start = library.spans[3, 0]
    rows = np.concatenate([start + 50 + np.arange(60), start + 5 + np.arange(WINDOW - 60)])[None]
    waits = np.diff(windows_at(library, rows).onset[0])
    assert waits == pytest.approx(np.diff(library.onset, prepend=0)[rows[0, 1:]], abs=1e-4)
    assert waits.min() >= 0


def test_augmented_windows_are_the_same_music_played_in_another_way(library: Library) -> None:
    windows = windows_at(library, library.spans[:, :1] + np.arange(WINDOW))
    varied = augment(windows, np.random.default_rng(0))
    moved = varied.pitch - windows.pitch
    assert np.all(moved == moved[:, :1]) and set(np.abs(moved).ravel().tolist()) <= {0, 1, 2, 3} and np.ptp(moved) > 0
    spans = [np.ptp(each.onset, axis=1) for each in (varied, windows)]
    assert np.all(np.abs(np.log(spans[0] / spans[1])) < 0.25)
    assert np.all(varied.duration > 0)
    assert features(varied).shape == (PIECES, WINDOW, FEATURES)


def test_the_same_generator_draws_the_same_batch(library: Library) -> None:
    first, again = (draw_pairs(library, 4, np.random.default_rng(7)).windows for _ in range(2))
    assert np.array_equal(first.onset, again.onset) and np.array_equal(first.pitch, again.pitch)


# The network


def random_network() -> EmbeddingNetwork:
    torch.manual_seed(3)
    network = EmbeddingNetwork()
    network.train()
    for _ in range(3):
        network(2 * torch.randn(6, WINDOW, FEATURES) + 0.3)  # norms that are no longer 0 and 1
    return network.eval()


@pytest.mark.parametrize("length", [WINDOW, 64, 37])
def test_the_numpy_forward_pass_is_the_networks_own(length: int) -> None:
    network = random_network()
    inputs = torch.randn(3, length, FEATURES)
    with torch.no_grad():
        expected = network(inputs).numpy()
    ours = forward(fold_norms(network), inputs.numpy())
    assert np.abs(ours - expected).max() < 1e-4 < np.ptp(expected)


def test_the_loss_is_least_where_composers_partners_and_contiguity_are_right(library: Library) -> None:
    trainer = EmbeddingTrainer(SMALL, library)
    with torch.no_grad():
        for layer in (trainer.head, trainer.contiguity):
            layer.weight.zero_()
            layer.bias.zero_()
        trainer.head.weight[0, 0] = trainer.head.weight[1, 1] = trainer.contiguity.weight[0, 0] = 100.0
        trainer.contiguity.bias -= 50.0
    embedded = torch.zeros(4, 128)
    embedded[[0, 2], 0] = embedded[[1, 3], 1] = 1.0
    composer, is_contiguous = torch.tensor([0, 1, 0, 1]), torch.tensor([True, False, True, False])
    best, *shares = trainer._loss(embedded, composer, is_contiguous)
    assert shares == [1.0, 1.0, 1.0]
    assert (
        trainer._loss(embedded, torch.tensor([0, 1, -1, -1]), is_contiguous)[1] == 1.0
    )  # those not known do not count
    pairs = torch.tensor([0, 2, 1, 3])
    for number, worse in enumerate(
        [
            trainer._loss(embedded, 1 - composer, is_contiguous),
            trainer._loss(embedded[pairs], composer[pairs], is_contiguous[pairs]),
            trainer._loss(embedded, composer, ~is_contiguous),
        ]
    ):
        assert worse[1 + number] == 0.0 and float(worse[0].detach()) > float(best.detach())


# Runs


def weights_after(library: Library, folder: Path, *stops: int) -> dict[str, np.ndarray]:
    """Train in as many sittings as there are stops, each a new process's trainer; gives the folded weights."""
    for stop in stops:
        trainer = EmbeddingTrainer(SMALL, library)
        if (folder / LAST).exists():
            trainer.restore(folder / LAST)
        while trainer.step < stop:
            trainer.advance()
        folder.mkdir(exist_ok=True)
        trainer.save(folder / LAST)
    return fold_norms(trainer.network)


def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(library: Library, tmp_path: Path) -> None:
    unbroken, halved = (
        weights_after(library, tmp_path / "unbroken", 4),
        weights_after(library, tmp_path / "halved", 2, 4),
    )
    assert all(np.array_equal(unbroken[name], halved[name]) for name in unbroken)


def test_training_reports_finite_losses_learns_and_saves(library: Library, tmp_path: Path) -> None:
    reports = []
    before = fold_norms(EmbeddingTrainer(SMALL, library).network)
    trainer = EmbeddingTrainer(SMALL, library)
    train_embedding(trainer, tmp_path / "run", report=reports.append, every=2)
    assert [report.step for report in reports] == [2, 4] and all(math.isfinite(report.loss) for report in reports)
    assert not np.array_equal(fold_norms(trainer.network)["stem.weight"], before["stem.weight"])
    train_embedding(EmbeddingTrainer(SMALL, library), tmp_path / "run", report=reports.append)
    assert len(reports) == 2  # it was finished


def test_another_run_in_the_same_folder_is_refused(library: Library, tmp_path: Path) -> None:
    EmbeddingTrainer(SMALL, library).save(tmp_path / LAST)
    with pytest.raises(ConfigError, match="another --out"):
        EmbeddingTrainer(replace(SMALL, rate=1.0), library).restore(tmp_path / LAST)
    with pytest.raises(ConfigError, match="another --out"):
        EmbeddingTrainer(SMALL, replace(library, composers=("One", "Two"))).restore(tmp_path / LAST)


@pytest.mark.parametrize("damage", ["empty", "text", "cut off", "another's"])
def test_a_damaged_checkpoint_is_refused_in_one_sentence_that_names_it(
    damage: str, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = import_module("release.train_embedding")
    trainer, path = EmbeddingTrainer(SMALL, library), tmp_path / LAST
    trainer.save(path)
    trainer.restore(path)
    write_checkpoint(tmp_path / "other.pt", {"step": 1})
    contents = {"empty": b"", "text": b"no checkpoint", "cut off": path.read_bytes()[:-900]}
    path.write_bytes(contents.get(damage, (tmp_path / "other.pt").read_bytes()))
    monkeypatch.setattr(benchmark, "run", lambda arguments: trainer.restore(path))
    monkeypatch.setattr("sys.argv", ["train_embedding.py", "--corpus", "corpus", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as refused:
        benchmark.main()
    message = str(refused.value)
    assert message.startswith(f"train_embedding: {path}: damaged") and "\n" not in message


# The file that ships


@pytest.fixture(scope="module")
def learned(library: Library) -> EmbeddingFile:
    trainer = EmbeddingTrainer(SMALL, library)
    trainer.advance()
    trainer.network.eval()
    return from_trainer(trainer)


def logits(file: EmbeddingFile, embeddings: np.ndarray) -> np.ndarray:
    return embeddings @ file.weights["head.weight"] + file.weights["head.bias"]


def test_whitened_embeddings_vary_alike_in_all_dimensions_and_the_head_says_the_same(
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

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
from arietta.train.embedding.data import Library, composers_with, draw, gather, long_enough, vary, windows_at
from arietta.train.embedding.export import Shipped, embed_pieces, keep, sharpen, trained, turn, write_embedding
from arietta.train.embedding.training import LAST, EmbeddingSettings, Learner, Network, folded, rate, train
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
    return gather(store, long_enough(store, "own", "train"), tuple(sorted(COMPOSERS)))


# What it learns from


def test_pieces_that_fill_no_window_are_left_out_and_a_side_without_any_is_refused(store: Store) -> None:
    assert [piece.index for piece in long_enough(store, "own", "train")] == list(range(PIECES))
    with pytest.raises(CorpusError, match="own/test"):
        long_enough(store, "own", "test")


def test_composers_are_known_from_so_many_pieces_on(store: Store) -> None:
    pieces = [*store.pieces, replace(store.pieces[0], composer="Somebody Else"), replace(store.pieces[0], composer="")]
    assert composers_with(pieces, 2) == tuple(sorted(COMPOSERS))
    assert "Somebody Else" in composers_with(pieces, 1) and "" not in composers_with(pieces, 1)


def test_the_library_holds_the_notes_of_each_piece(store: Store, library: Library) -> None:
    for place in range(PIECES):
        start, stop = library.spans[place]
        assert np.array_equal(np.sort(library.pitch[start:stop]), np.sort(store.notes(place).pitch))
        assert library.composers[library.composer[place]] == store.pieces[place].composer


@pytest.fixture
def unvaried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arietta.train.embedding.data.vary", lambda windows, _: windows)


def owner(library: Library, window: list[int]) -> int:
    """The piece in which a row of pitches stands; -1 where it stands in none."""
    for place, (start, stop) in enumerate(library.spans):
        piece = library.pitch[start:stop].tolist()
        if any(piece[begin : begin + len(window)] == window for begin in range(len(piece) - len(window) + 1)):
            return place
    return -1


@pytest.mark.usefixtures("unvaried")
def test_both_windows_of_a_piece_are_of_that_piece(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arietta.train.embedding.data.PARTS", ((1, 2), (1, 2)))  # all are whole
    drawn = draw(library, 6, np.random.default_rng(0))
    assert drawn.windows.pitch.shape == (12, WINDOW)
    owners = [owner(library, row.tolist()) for row in drawn.windows.pitch]
    assert owners[:6] == owners[6:] and len(set(owners)) == 6
    assert library.composer[owners].tolist() == drawn.composer.tolist()


@pytest.mark.usefixtures("unvaried")
def test_whole_windows_stand_in_their_piece_and_the_others_do_not(library: Library) -> None:
    drawn = draw(library, PIECES, np.random.default_rng(1))
    assert 4 < np.count_nonzero(drawn.is_whole) < 2 * PIECES - 4
    for row, is_whole in zip(drawn.windows.pitch, drawn.is_whole, strict=True):
        assert (owner(library, row.tolist()) >= 0) == is_whole


def test_parts_are_joined_without_a_gap_and_each_note_waits_as_long_as_in_its_piece(library: Library) -> None:
    start = library.spans[3, 0]
    rows = np.concatenate([start + 50 + np.arange(60), start + 5 + np.arange(WINDOW - 60)])[None]
    waits = np.diff(windows_at(library, rows).onset[0])
    assert waits == pytest.approx(np.diff(library.onset, prepend=0)[rows[0, 1:]], abs=1e-4)
    assert waits.min() >= 0


def test_varied_windows_are_the_same_music_played_otherwise(library: Library) -> None:
    windows = windows_at(library, library.spans[:, :1] + np.arange(WINDOW))
    varied = vary(windows, np.random.default_rng(0))
    moved = varied.pitch - windows.pitch
    assert np.all(moved == moved[:, :1]) and set(np.abs(moved).ravel().tolist()) <= {0, 1, 2, 3} and np.ptp(moved) > 0
    spans = [np.ptp(each.onset, axis=1) for each in (varied, windows)]
    assert np.all(np.abs(np.log(spans[0] / spans[1])) < 0.25)
    assert np.all(varied.duration > 0)
    assert features(varied).shape == (PIECES, WINDOW, FEATURES)


def test_the_same_generator_draws_the_same_batch(library: Library) -> None:
    one, other = (draw(library, 4, np.random.default_rng(7)).windows for _ in range(2))
    assert np.array_equal(one.onset, other.onset) and np.array_equal(one.pitch, other.pitch)


# The network


def random_network() -> Network:
    torch.manual_seed(3)
    network = Network()
    network.train()
    for _ in range(3):
        network(2 * torch.randn(6, WINDOW, FEATURES) + 0.3)  # norms that are no longer 0 and 1
    return network.eval()


@pytest.mark.parametrize("length", [WINDOW, 64, 37])
def test_the_numpy_forward_pass_is_the_networks_own(length: int) -> None:
    network = random_network()
    heard = torch.randn(3, length, FEATURES)
    with torch.no_grad():
        expected = network(heard).numpy()
    found = forward(folded(network), heard.numpy())
    assert np.abs(found - expected).max() < 1e-4 < np.ptp(expected)


def test_the_loss_is_least_where_composers_fellows_and_wholeness_are_told(library: Library) -> None:
    learner = Learner(SMALL, library)
    with torch.no_grad():
        for layer in (learner.head, learner.wholeness):
            layer.weight.zero_()
            layer.bias.zero_()
        learner.head.weight[0, 0] = learner.head.weight[1, 1] = learner.wholeness.weight[0, 0] = 100.0
        learner.wholeness.bias -= 50.0
    embedded = torch.zeros(4, 128)
    embedded[[0, 2], 0] = embedded[[1, 3], 1] = 1.0
    composer, is_whole = torch.tensor([0, 1, 0, 1]), torch.tensor([True, False, True, False])
    best, *shares = learner._loss(embedded, composer, is_whole)
    assert shares == [1.0, 1.0, 1.0]
    assert learner._loss(embedded, torch.tensor([0, 1, -1, -1]), is_whole)[1] == 1.0  # those not known do not count
    pairs = torch.tensor([0, 2, 1, 3])
    for place, worse in enumerate(
        [
            learner._loss(embedded, 1 - composer, is_whole),
            learner._loss(embedded[pairs], composer[pairs], is_whole[pairs]),
            learner._loss(embedded, composer, ~is_whole),
        ]
    ):
        assert worse[1 + place] == 0.0 and float(worse[0].detach()) > float(best.detach())


def test_the_rate_rises_in_the_warm_up_and_falls_to_a_hundredth() -> None:
    settings = EmbeddingSettings(steps=100, warm_up=10, rate=1.0)
    assert [rate(settings, step) for step in (0, 9, 10)] == pytest.approx([0.1, 1.0, 1.0])
    assert rate(settings, 100) == pytest.approx(0.01)


# Runs


def weights_after(library: Library, folder: Path, *stops: int) -> dict[str, np.ndarray]:
    """Train in as many sittings as there are stops, each a new process's learner; gives the folded weights."""
    for stop in stops:
        learner = Learner(SMALL, library)
        if (folder / LAST).exists():
            learner.restore(folder / LAST)
        while learner.step < stop:
            learner.advance()
        folder.mkdir(exist_ok=True)
        learner.save(folder / LAST)
    return folded(learner.network)


def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(library: Library, tmp_path: Path) -> None:
    whole, halved = weights_after(library, tmp_path / "whole", 4), weights_after(library, tmp_path / "halved", 2, 4)
    assert all(np.array_equal(whole[name], halved[name]) for name in whole)


def test_training_reports_finite_losses_learns_and_saves(library: Library, tmp_path: Path) -> None:
    told = []
    before = folded(Learner(SMALL, library).network)
    learner = Learner(SMALL, library)
    train(learner, tmp_path / "run", report=told.append, every=2)
    assert [one.step for one in told] == [2, 4] and all(math.isfinite(one.loss) for one in told)
    assert not np.array_equal(folded(learner.network)["stem.weight"], before["stem.weight"])
    train(Learner(SMALL, library), tmp_path / "run", report=told.append)
    assert len(told) == 2  # it was finished


def test_another_run_in_the_same_folder_is_refused(library: Library, tmp_path: Path) -> None:
    Learner(SMALL, library).save(tmp_path / LAST)
    with pytest.raises(ConfigError, match="another --out"):
        Learner(replace(SMALL, rate=1.0), library).restore(tmp_path / LAST)
    with pytest.raises(ConfigError, match="another --out"):
        Learner(SMALL, replace(library, composers=("One", "Two"))).restore(tmp_path / LAST)


@pytest.mark.parametrize("damage", ["empty", "text", "cut off", "another's"])
def test_a_damaged_checkpoint_is_refused_in_one_sentence_that_names_it(
    damage: str, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = import_module("release.train_embedding")
    learner, path = Learner(SMALL, library), tmp_path / LAST
    learner.save(path)
    learner.restore(path)
    write_checkpoint(tmp_path / "other.pt", {"step": 1})
    kept = {"empty": b"", "text": b"no checkpoint", "cut off": path.read_bytes()[:-900]}
    path.write_bytes(kept.get(damage, (tmp_path / "other.pt").read_bytes()))
    monkeypatch.setattr(benchmark, "run", lambda arguments: learner.restore(path))
    monkeypatch.setattr("sys.argv", ["train_embedding.py", "--corpus", "corpus", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as refused:
        benchmark.main()
    message = str(refused.value)
    assert message.startswith(f"train_embedding: {path}: damaged") and "\n" not in message


# The file that ships


@pytest.fixture(scope="module")
def learned(library: Library) -> Shipped:
    learner = Learner(SMALL, library)
    learner.advance()
    learner.network.eval()
    return trained(learner)


def logits(shipped: Shipped, heard: np.ndarray) -> np.ndarray:
    return heard @ shipped.weights["head.weight"] + shipped.weights["head.bias"]


def test_turned_embeddings_vary_alike_in_all_dimensions_and_the_head_says_the_same(
    learned: Shipped, store: Store
) -> None:
    music = embed_pieces(learned, store, store.pieces[:PIECES])
    turned = turn(learned, music, dimensions=PIECES - 1)
    heard = embed_pieces(turned, store, store.pieces[:PIECES])
    assert heard.mean(axis=0) == pytest.approx(0, abs=1e-3)
    assert np.cov(heard, rowvar=False) == pytest.approx(np.eye(PIECES - 1), abs=0.02)
    assert logits(turned, heard) == pytest.approx(logits(learned, music), abs=1e-3)
    assert np.corrcoef(heard[:, 0], music @ learned.weights["whole.weight"])[0, 1] == pytest.approx(1, abs=1e-3)


def test_only_the_composers_kept_can_be_named(learned: Shipped) -> None:
    kept = keep(learned, [learned.composers[1]])
    assert kept.composers == learned.composers[1:2] and kept.weights["head.weight"].shape[1] == 1
    assert kept.weights["head.bias"] == learned.weights["head.bias"][1:2]
    with pytest.raises(ValueError, match="not in tuple"):
        keep(learned, ["Nobody"])


def test_the_head_is_made_surer_where_it_is_right_and_less_sure_where_it_is_not() -> None:
    """Three of four right with odds of 1.5 to 1: at 0.75 each it would be right as often as it says."""
    unsure = Shipped(
        {"head.weight": np.eye(2, dtype=np.float32), "head.bias": np.zeros(2, dtype=np.float32)}, ("A", "B")
    )
    heard = np.array([[np.log(1.5), 0.0]] * 4)
    sharp = sharpen(unsure, heard, ["A", "A", "A", "B"])
    odds = np.exp(logits(sharp, heard)[0])
    assert odds[0] / odds.sum() == pytest.approx(0.75, abs=0.01)
    blunt = sharpen(unsure, 10 * heard, ["A", "A", "A", "B"])
    odds = np.exp(logits(blunt, 10 * heard)[0])
    assert odds[0] / odds.sum() == pytest.approx(0.75, abs=0.03)


def test_the_written_file_is_what_the_package_reads(
    learned: Shipped, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = turn(learned, embed_pieces(learned, store, store.pieces[:PIECES]), dimensions=PIECES - 1)
    write_embedding(tmp_path / "own.npz", turned)
    monkeypatch.setattr(embedding, "WEIGHTS", tmp_path / "own.npz")
    embedding._shipped.cache_clear()
    try:
        notes: Notes = store.notes(2)
        expected = forward(turned.weights, features(embedding.cut_windows(notes))).mean(axis=0)
        assert embed(notes) == pytest.approx(expected[:DIMENSIONS], abs=0.02)  # rounded to 16 bits
        assert {name for name, _ in predict_composers(notes)} == set(COMPOSERS)
    finally:
        embedding._shipped.cache_clear()

"""Training of the embedding: a network that numpy can run, a loss of three parts, runs that go on."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from arietta.errors import ConfigError
from arietta.evaluation.embedding import FEATURES, WINDOW, forward
from arietta.train.checkpoint import write_checkpoint
from arietta.train.embedding.data import Library
from arietta.train.embedding.training import LAST, EmbeddingNetwork, EmbeddingTrainer, fold_norms, train_embedding
from tests.support.embedding import SMALL

pytestmark = pytest.mark.usefixtures("single_torch_thread")

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

"""Training of the beat network: numpy hears what torch does, a loss that falls, runs that go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from arietta.errors import ConfigError
from arietta.music.beats.frames import COLUMNS
from arietta.music.beats.network import CARD, HEADS, PACKED, _forward, load_weights
from arietta.train.beats.training import (
    LAST,
    LOSSES,
    BeatNetwork,
    BeatSettings,
    BeatTrainer,
    export_weights,
    train_beats,
    write_network,
)
from tests.support.annotated import annotated_march

pytestmark = pytest.mark.usefixtures("single_torch_thread")
SMALL = BeatSettings(updates=6, stretches=2, steps=100, width=8, warm_up=2)


def test_the_numpy_forward_pass_is_the_networks_own() -> None:
    torch.manual_seed(3)
    network = BeatNetwork(16).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    columns = torch.randn(1, 150, PACKED * COLUMNS)
    with torch.no_grad():
        expected = network(columns)[0].numpy()
    ours = _forward(columns[0].numpy(), export_weights(network))
    assert ours.shape == (150, HEADS)
    assert np.abs(ours - expected).max() < 1e-4 < np.ptp(expected)


def test_the_losses_fall() -> None:
    trainer = BeatTrainer(replace(SMALL, updates=60, rate=1e-2), [annotated_march(), annotated_march(size=3)])
    losses = [trainer.advance() for _ in range(60)]
    assert set(losses[0]) == set(LOSSES)
    for name in ("beat", "period"):
        assert np.mean([loss[name] for loss in losses[-10:]]) < 0.8 * np.mean([loss[name] for loss in losses[:10]])


def test_a_run_that_was_stopped_goes_on_as_an_unbroken_one(tmp_path: Path) -> None:
    whole, broken = (BeatTrainer(SMALL, [annotated_march()]) for _ in range(2))
    reported: list[int] = []
    train_beats(whole, tmp_path / "whole", report=lambda step, losses: reported.append(step), every=3)
    assert reported == [3, 6]
    for _ in range(3):
        broken.advance()
    (tmp_path / "broken").mkdir()
    broken.save(tmp_path / "broken" / LAST)
    again = BeatTrainer(SMALL, [annotated_march()])
    train_beats(again, tmp_path / "broken")
    ours, theirs = (export_weights(trainer.network) for trainer in (again, whole))
    assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_a_run_with_other_settings_or_damaged_is_refused(tmp_path: Path) -> None:
    trainer = BeatTrainer(SMALL, [annotated_march()])
    trainer.save(tmp_path / LAST)
    with pytest.raises(ConfigError, match="other settings or performances"):
        BeatTrainer(replace(SMALL, seed=2), [annotated_march()]).restore(tmp_path / LAST)
    (tmp_path / LAST).write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="damaged, or no checkpoint"):
        trainer.restore(tmp_path / LAST)


def test_what_is_written_is_read_within_the_rounding_of_16_bits(tmp_path: Path) -> None:
    weights = export_weights(BeatNetwork(8))
    write_network(tmp_path, weights, {"licence": "CC BY-NC-SA 4.0"})
    read = load_weights(tmp_path)
    assert all(read[name] == pytest.approx(weights[name], rel=1e-3, abs=1e-6) for name in weights)
    assert json.loads((tmp_path / CARD).read_text())["licence"] == "CC BY-NC-SA 4.0"

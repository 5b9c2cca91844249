"""The beat network: shares that are shares, weights that are checked, and where it is looked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from arietta.errors import BundleError
from arietta.fetch import MissingError
from arietta.music.beats.network import (
    CARD,
    PACKED,
    PERIOD_COUNT,
    WEIGHTS,
    beat_views,
    fetch_network,
    installed_weights,
    load_weights,
    mean_activations,
)
from tests.support.beats import march, random_weights, write_network


def test_every_frame_is_told_of_and_shares_are_shares() -> None:
    notes = march()
    activations = mean_activations(beat_views(notes, random_weights()))
    frames = len(activations.beat)
    assert frames % PACKED == 0 and frames / 50 == pytest.approx(notes.onset[-1] + 2, abs=0.05)
    assert activations.downbeat.shape == activations.compound.shape == (frames,)
    assert activations.period.shape == (frames, PERIOD_COUNT) and activations.size.shape == (frames, 4)
    for shares in (activations.period, activations.size):
        total = np.exp(shares).sum(axis=1)  # a mean of logarithms: 1 where all views agree
        assert (total < 1.001).all() and (total > 0.3).all()


def test_what_comes_later_than_the_network_reaches_changes_nothing() -> None:
    long = march(beats=200)
    early, all_of_it = (
        mean_activations(beat_views(notes, random_weights())).beat for notes in (long.between(0, 60), long)
    )
    assert early[: 30 * 50] == pytest.approx(all_of_it[: 30 * 50], abs=0.02)  # velocities count beside their mean


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ARIETTA_BEATS")
    monkeypatch.setattr("arietta.files.CHECKOUT", tmp_path / "nowhere")
    monkeypatch.setenv("ARIETTA_MODELS", str(tmp_path / "models"))
    return write_network(tmp_path / "models" / "some" / "beats", random_weights())


def test_it_comes_with_a_model_and_may_be_left_out(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = installed_weights()
    assert weights is not None and weights["in.bias"].tolist() == random_weights()["in.bias"].tolist()
    assert installed_weights() is weights, "read once"
    monkeypatch.setenv("ARIETTA_BEATS", "accents")
    assert installed_weights() is None
    monkeypatch.delenv("ARIETTA_BEATS")
    installed.parent.rename(installed.parents[1] / ".some")  # being fetched
    assert installed_weights() is None


@pytest.mark.parametrize("damage", ["altered", "no card", "no JSON", "another shape", "no archive"])
def test_damaged_weights_are_refused_in_a_sentence(damage: str, tmp_path: Path) -> None:
    weights = random_weights()
    if damage == "another shape":
        weights["in.weight"] = weights["in.weight"][:5]
    folder = write_network(tmp_path / "beats", weights)
    if damage == "altered":
        (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes() + b"x")
    elif damage == "no card":
        (folder / CARD).unlink()
    elif damage == "no JSON":
        (folder / CARD).write_text("[")
    elif damage == "no archive":
        (folder / WEIGHTS).write_bytes(b"")
    with pytest.raises(BundleError, match=r"weights\.npz: (altered|damaged).*fetch the model again"):
        load_weights(folder)


def test_a_network_is_fetched_where_a_model_brings_one(tmp_path: Path) -> None:
    published = write_network(tmp_path / "web" / "beats", random_weights())

    def fetch(url: str, path: Path) -> None:
        if not (published.parent / url).exists():
            raise MissingError(url)
        shutil.copy(published.parent / url, path)

    assert fetch_network("beats", tmp_path / "mine", fetch)
    assert load_weights(tmp_path / "mine").keys() == random_weights().keys()
    assert not fetch_network("nothing", tmp_path / "none", fetch) and not (tmp_path / "none").exists()

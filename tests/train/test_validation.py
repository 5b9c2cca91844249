"""Held-out likelihood: nothing skipped, nothing counted twice, and the ratios are those of the totals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from arietta.codecs.note import KEY_COUNT, NoteCodec
from arietta.corpus.store import Store
from arietta.model.config import ModelConfig, style_conditions
from arietta.music.notes import trim
from arietta.train.checkpoint import Trained
from arietta.train.hardware import LAPTOP
from arietta.train.network import build_model
from arietta.train.network.fields import shift_right, token_nll
from arietta.train.validation import Scores, cut_token_windows, evaluate, score, summarise_scores
from tests.support.corpora import make_store

CODEC = NoteCodec()
MODEL = ModelConfig(
    kind="transformer",
    field_sizes=CODEC.field_sizes,
    width=16,
    layers=1,
    heads=2,
    kv_heads=1,
    context=32,
    conditions=style_conditions(("Edvard Grieg",), ("sequenced",)),
)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return build_model(MODEL)


class Certain(nn.Module):
    """Gives every right value probability 1, but every wrong one where the row's number is a multiple of `miss`."""

    def __init__(self, miss: int) -> None:
        super().__init__()
        self.miss = miss

    def forward(self, _: torch.Tensor, targets: torch.Tensor, *__: torch.Tensor) -> list[torch.Tensor]:
        moved = targets.clone()
        moved[:, :: self.miss] += 1
        return [
            20.0 * nn.functional.one_hot(moved[..., field] % size, size).float()
            for field, size in enumerate(CODEC.field_sizes)
        ]


def test_windows_hold_every_row_of_every_piece_once(store: Store) -> None:
    windows = cut_token_windows(CODEC, MODEL, store, split="train", length=64)
    for index in (0, 1, 2, 3):
        rows = CODEC.encode(trim(store.notes(index)))
        mine = windows.piece == index
        assert mine.sum() == -(-len(rows) // 64)
        assert np.array_equal(windows.batch.tokens[mine].reshape(-1, 4)[: len(rows)], rows)
        assert windows.batch.counted[mine].any(axis=-1).sum() == len(rows) - 1, "the start row is given"


def test_notes_and_seconds_of_windows_add_up_to_those_of_the_pieces(store: Store) -> None:
    windows = cut_token_windows(CODEC, MODEL, store, split="train", length=64)
    assert windows.notes.sum() == sum(len(CODEC.quantise(store.notes(index))) for index in range(4))
    per_window = (windows.batch.tokens[..., 1] < KEY_COUNT) & windows.batch.counted[..., 2]
    assert np.array_equal(windows.notes, per_window.sum(axis=1))
    last = [CODEC.quantise(trim(store.notes(index))).onset[-1] for index in range(4)]
    assert windows.seconds.sum() == pytest.approx(sum(last), abs=4 * 0.5)


def test_a_few_windows_are_spread_over_the_pieces_and_always_the_same(store: Store) -> None:
    few = cut_token_windows(CODEC, MODEL, store, split="train", length=32, max_windows=7)
    again = cut_token_windows(CODEC, MODEL, store, split="train", length=32, max_windows=7)
    assert len(few) == 7 and set(few.piece) == {0, 1, 2, 3}
    assert np.array_equal(few.batch.tokens, again.batch.tokens)


def test_conditions_are_those_of_the_piece(store: Store) -> None:
    windows = cut_token_windows(CODEC, MODEL, store, split="train", length=64)
    assert np.array_equal(windows.batch.conditions[:, 0], 1 - windows.piece % 2), "Chopin is not one of this model's"
    assert (windows.batch.conditions[:, 1] == 1).all()


def test_scores_are_the_sums_of_the_rows_likelihoods(store: Store, model: nn.Module) -> None:
    windows = cut_token_windows(CODEC, MODEL, store, split="test", length=64)
    scores = score(model, windows, LAPTOP, batch=2)
    events, counted, conditions = LAPTOP.tensors(windows.batch)
    with torch.no_grad():
        logits = model.eval()(shift_right(events, CODEC.field_sizes), events, conditions)
        expected = token_nll(logits, events, counted).double().sum(dim=1)
    assert np.allclose(scores.nll, expected.numpy(), rtol=1e-5)


def test_a_summary_divides_totals_by_rows_notes_and_seconds(store: Store, model: nn.Module) -> None:
    windows = cut_token_windows(CODEC, MODEL, store, split="test", length=64)
    scores = score(model, windows, LAPTOP)
    summary = summarise_scores(scores, windows, CODEC)
    total = scores.nll.sum()
    assert summary["rows"] == windows.batch.token_count and summary["pieces"] == 1
    assert summary["nats_per_row"] * summary["rows"] == pytest.approx(total)
    assert summary["nats_per_note"] * summary["notes"] == pytest.approx(total)
    assert summary["nats_per_second"] * summary["seconds"] == pytest.approx(total)
    assert sum(summary["by_field"].values()) == pytest.approx(summary["nats_per_row"])
    assert list(summary["by_field"]) == list(CODEC.field_names)
    assert summary["nats_per_note_interval"] is None  # of one piece


def test_several_pieces_have_an_interval_over_pieces(store: Store) -> None:
    windows = cut_token_windows(CODEC, MODEL, store, split="train", length=64)
    nll = np.repeat((windows.piece + 1.0)[:, None], len(CODEC.field_sizes), axis=1)  # each piece dearer than the last
    scores = Scores(nll, np.zeros(len(windows)), windows.batch.counted.any(axis=-1).sum(axis=-1))
    summary = summarise_scores(scores, windows, CODEC)
    low, high = summary["nats_per_note_interval"]
    assert summary["pieces"] == 4 and low < summary["nats_per_note"] < high


@pytest.mark.parametrize(("miss", "share"), [(10**6, 1.0), (2, 0.5), (4, 0.75)])
def test_accuracy_counts_the_rows_whose_what_was_likeliest(store: Store, miss: int, share: float) -> None:
    windows = cut_token_windows(CODEC, MODEL, store, split="test", length=64)
    summary = summarise_scores(score(Certain(miss), windows, LAPTOP), windows, CODEC)
    assert summary["accuracy"] == pytest.approx(share, abs=0.03)


def test_evaluating_equals_cutting_scoring_and_summing_up(store: Store, model: nn.Module) -> None:
    windows = cut_token_windows(CODEC, MODEL, store, split="test", length=64)
    expected = summarise_scores(score(model, windows, LAPTOP), windows, CODEC)
    assert evaluate(Trained(model, MODEL, CODEC), store, split="test", length=64) == expected


def test_evaluating_ignores_dropout(store: Store, model: nn.Module) -> None:
    trained = Trained(model.train(), MODEL, CODEC)
    figures = [evaluate(trained, store, split="test", length=64)["nats_per_row"] for _ in range(2)]
    assert figures[0] == figures[1]


def test_a_window_as_long_as_the_piece_is_the_piece(tmp_path: Path) -> None:
    windows = cut_token_windows(CODEC, MODEL, make_store(tmp_path), split="test", length=1000)
    assert len(windows) == 1

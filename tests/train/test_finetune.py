"""Fine-tuning: what is held out, what is said of a folder, and that it ends no worse than it began."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from arietta.codecs.note import NoteCodec
from arietta.corpus.store import Store, open_store
from arietta.errors import ConfigError, CorpusError
from arietta.generation.given import ROLES
from arietta.model.config import Condition
from arietta.train.checkpoint import read_checkpoint
from arietta.train.finetune import finetune_settings, warnings, with_held_out
from arietta.train.hardware import LAPTOP
from arietta.train.log import read_metrics
from arietta.train.loop import train
from arietta.train.plan import describe_data, plan_run
from arietta.train.pretrained import Pretrained
from tests.support.bundles import TINY, random_model
from tests.support.corpora import make_store, scale

pytestmark = pytest.mark.usefixtures("single_torch_thread")
QUICK = {"train.batch": 2, "train.steps": 6, "train.validate_every": 2, "train.validation_windows": 4}


@pytest.fixture
def pretrained() -> Pretrained:
    return Pretrained("tiny", TINY, NoteCodec(), random_model(TINY).state_dict(), "f" * 16)


def store_of(folder: Path, *splits: str) -> Store:
    return make_store(folder, pieces=[scale(seed, 90) for seed in range(len(splits))], splits=splits)


def test_the_settings_have_the_shape_of_what_they_begin_from(pretrained: Pretrained) -> None:
    settings = finetune_settings(pretrained, {"train.steps": 7})
    assert (settings.model.width, settings.model.layers, settings.data.length) == (64, 2, TINY.context)
    assert settings.train.steps == 7
    with pytest.raises(ConfigError, match="stepz"):
        finetune_settings(pretrained, {"train.stepz": 7})


def test_a_model_that_knows_given_music_is_taught_some_of_it_and_no_other(pretrained: Pretrained) -> None:
    assert sum(finetune_settings(pretrained, {}).data.layout_shares.values()) == 0
    knowing = replace(TINY, conditions=(*TINY.conditions, Condition("role", 4, ROLES)))
    shares = finetune_settings(replace(pretrained, config=knowing), {"data.touch": 0.0}).data.layout_shares
    assert shares["touch"] == 0 and 0.2 < sum(shares.values()) < 0.3


def test_a_model_of_the_older_note_codec_goes_on_with_it(tmp_path: Path) -> None:
    old = NoteCodec(1)
    config = replace(TINY, field_sizes=old.field_sizes)
    pretrained = Pretrained("old", config, old, random_model(config).state_dict(), "f" * 16)
    store = store_of(tmp_path / "corpus", "train", "validation")
    plan = plan_run(finetune_settings(pretrained, {}), store, pretrained)
    assert plan.codec.describe() == old.describe() and plan.model.field_sizes == old.field_sizes


def test_the_first_score_is_of_the_weights_it_began_from(pretrained: Pretrained, tmp_path: Path) -> None:
    store = store_of(tmp_path / "corpus", "train", "train", "validation")
    plan = plan_run(finetune_settings(pretrained, QUICK), store, pretrained)
    train(plan, tmp_path / "run", LAPTOP)
    scores = [line for line in read_metrics(tmp_path / "run") if line["kind"] == "validation"]
    assert [line["step"] for line in scores] == [0, 2, 4, 6]
    assert scores[-1]["nats_per_row"] < scores[0]["nats_per_row"]


def test_a_run_that_only_spoils_keeps_what_it_began_from(pretrained: Pretrained, tmp_path: Path) -> None:
    store = store_of(tmp_path / "corpus", "train", "train", "validation")
    wild = QUICK | {"train.rate": 0.9, "train.warm_up": 0, "train.average": 0.0, "train.patience": 2}
    outcome = train(plan_run(finetune_settings(pretrained, wild), store, pretrained), tmp_path / "run", LAPTOP)
    assert (outcome.best_step, outcome.reason) == (0, "no longer improving")
    best = read_checkpoint(tmp_path / "run" / "best.pt")["model"]
    name = "blocks.0.up.weight"
    assert torch.equal(best[name], pretrained.weights[name])


def test_a_run_from_another_model_is_another_run(pretrained: Pretrained, tmp_path: Path) -> None:
    store = store_of(tmp_path / "corpus", "train", "train", "validation")
    settings = finetune_settings(pretrained, QUICK)
    train(plan_run(settings, store, pretrained), tmp_path / "run", LAPTOP)
    other = Pretrained("other", TINY, NoteCodec(), pretrained.weights, "e" * 16)
    with pytest.raises(ConfigError, match=f"start = {'f' * 16}"):
        train(plan_run(settings, store, other), tmp_path / "run", LAPTOP)


def test_the_new_model_knows_the_old_ones_composers_and_the_folders(pretrained: Pretrained, tmp_path: Path) -> None:
    store = store_of(tmp_path / "corpus", "train", "train", "validation")
    model = plan_run(finetune_settings(pretrained, {}), store, pretrained).model
    assert set(TINY.composers) <= set(model.composers) and "Edvard Grieg" in model.composers
    assert model.sources == tuple(sorted({*TINY.sources, "sequenced"}))


def test_a_corpus_that_holds_pieces_out_is_left_as_it_is(tmp_path: Path) -> None:
    store = store_of(tmp_path / "corpus", "train", "validation", "test")
    assert with_held_out(store) is store


@pytest.mark.parametrize(("works", "held"), [(2, 1), (15, 1), (16, 2)])
def test_otherwise_one_work_in_eight_is_held_out_whole(works: int, held: int, tmp_path: Path) -> None:
    store = with_held_out(store_of(tmp_path / "corpus", *["train"] * works))
    validation = {piece.work for piece in store.pieces if piece.split == "validation"}
    assert len(validation) == held
    assert validation.isdisjoint({piece.work for piece in store.pieces if piece.split == "train"})
    again = with_held_out(open_store(store.path))
    assert [piece.split for piece in again.pieces] == [piece.split for piece in store.pieces]


def test_test_pieces_are_never_trained_on(tmp_path: Path) -> None:
    store = with_held_out(store_of(tmp_path / "corpus", "train", "train", "test"))
    assert [piece.split for piece in store.pieces].count("test") == 1


def test_one_work_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="one work"):
        with_held_out(store_of(tmp_path / "corpus", "train"))


def test_a_small_folder_is_warned_of_and_a_large_one_is_not(tmp_path: Path) -> None:
    (warning,) = warnings(store_of(tmp_path / "small", "train", "train", "validation"))
    assert "2 pieces with 180 notes to learn from" in warning
    large = make_store(tmp_path / "large", pieces=[scale(seed, 1100) for seed in range(10)], splits=("train",) * 10)
    assert list(warnings(large)) == []


def test_a_mixed_folder_is_warned_of(tmp_path: Path) -> None:
    import dataclasses

    store = store_of(tmp_path / "corpus", *["train"] * 12)
    mixed = [dataclasses.replace(piece, composer=f"Composer {piece.index}") for piece in store.pieces]
    assert any("12 composers are many" in warning for warning in warnings(store.with_pieces(mixed)))
    nameless = [dataclasses.replace(piece, composer="" if piece.index else "Grieg") for piece in store.pieces]
    assert any("11 of 12 pieces name no composer" in warning for warning in warnings(store.with_pieces(nameless)))


def test_the_data_are_described_by_pieces_composers_and_licences(tmp_path: Path) -> None:
    said = describe_data(store_of(tmp_path / "corpus", "train", "train", "test"))
    assert said == "2 pieces, 180 notes: Edvard Grieg, Frédéric Chopin. Licences of the files: CC0."

"""A checkpoint to a bundle: whole or not at all, proved against torch, and never over something else."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from arietta.codecs.performance import PerformanceCodec
from arietta.errors import AriettaError, BundleError, ConfigError
from arietta.model.bundle import INDEX, load_bundle
from arietta.model.config import POSITIONS, ModelConfig, style_conditions
from arietta.originality.index import extend_description
from arietta.train.onnx import export as exporting
from arietta.train.onnx.export import PREFILL_TOKENS, export, torch_nll
from tests.support.bundles import CARD, COMPOSERS, TINY, TINY_LSTM, bundle_of, engine_of, random_model, write_checkpoint
from tests.support.indexes import indexed

pytestmark = pytest.mark.usefixtures("single_torch_thread")
FILES = {"model.json", "card.json", "step.onnx", "feed.onnx", "weights.bin", "golden.npz"}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "run" / "best.pt", TINY, random_model(TINY))


def apart(folder: Path) -> tuple[float, float]:
    """How far a bundle's engine is from its golden likelihoods, and how far it may be."""
    engine = engine_of(folder)
    golden = engine.bundle.golden()
    return float(np.abs(engine.score(golden.tokens, golden.condition) - golden.nll).max()), golden.tolerance


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def breaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torch disagree with the graphs by a nat."""
    monkeypatch.setattr(exporting, "torch_nll", lambda *asked: torch_nll(*asked) + 1)


def test_a_bundle_has_its_files_and_no_others(checkpoint: Path, tmp_path: Path) -> None:
    export(checkpoint, tmp_path / "made" / "mine", CARD)
    assert {path.name for path in (tmp_path / "made" / "mine").iterdir()} == FILES
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["mine"]


def test_the_card_is_written_as_given(checkpoint: Path, tmp_path: Path) -> None:
    card = {"title": "Étude", "data": ["Grieg"], "figures": {"nats": 1.5}}
    export(checkpoint, tmp_path / "mine", card)
    assert json.loads((tmp_path / "mine" / "card.json").read_text(encoding="utf-8")) == card
    assert load_bundle(tmp_path / "mine").card == card


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("bits", [4, 8, 32])
def test_every_kind_of_positions_is_exported_and_proved(positions: str, bits: int, tmp_path: Path) -> None:
    folder = bundle_of(tmp_path / "mine", replace(TINY, positions=positions), bits=bits)
    distance, tolerance = apart(folder)
    assert distance <= tolerance
    assert tolerance == 1e-4 if bits == 32 else 0.01 <= tolerance <= 3.0


def test_an_lstm_is_exported_and_proved(tiny_lstm: Path, tmp_path: Path) -> None:
    for folder in (tiny_lstm, bundle_of(tmp_path / "mine", TINY_LSTM, bits=32)):
        distance, tolerance = apart(folder)
        assert distance <= tolerance


def test_a_codec_of_one_field_is_exported_and_proved(tmp_path: Path) -> None:
    codec = PerformanceCodec()
    config = replace(TINY, field_sizes=codec.field_sizes)
    checkpoint = write_checkpoint(tmp_path / "best.pt", config, random_model(config), codec)
    export(checkpoint, tmp_path / "mine", CARD, bits=32)
    distance, tolerance = apart(tmp_path / "mine")
    assert distance <= tolerance
    assert load_bundle(tmp_path / "mine").codec.name == "performance"


def test_a_model_without_conditions_is_exported_too(tmp_path: Path) -> None:
    folder = bundle_of(tmp_path / "mine", replace(TINY, conditions=style_conditions((), ())))
    assert load_bundle(folder).golden().condition == (0, 0)


@pytest.mark.parametrize(("context", "rows"), [(64, 32), (1024, PREFILL_TOKENS), (200, 4), (6, 1)])
def test_prompts_are_taken_in_by_chunks_that_half_windows_are_made_of(context: int, rows: int, tmp_path: Path) -> None:
    folder = bundle_of(tmp_path / "mine", replace(TINY, context=context), bits=32)
    assert load_bundle(folder).prefill_chunk == rows


def test_the_same_checkpoint_gives_the_same_bundle(checkpoint: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(checkpoint, tmp_path / name, CARD)
    assert load_bundle(tmp_path / "one").fingerprint == load_bundle(tmp_path / "two").fingerprint


def test_an_older_bundle_is_replaced_by_the_new_one(checkpoint: Path, tmp_path: Path) -> None:
    export(checkpoint, tmp_path / "mine", CARD, bits=32)
    (tmp_path / "mine" / "notes.txt").write_text("of the old one")
    export(checkpoint, tmp_path / "mine", CARD, bits=8)
    assert {path.name for path in (tmp_path / "mine").iterdir()} == FILES
    assert load_bundle(tmp_path / "mine").bits == 8


def heard(store: str, corpora: list[str]) -> dict[str, Any]:
    """A card that says what its model was trained on."""
    return CARD | {"training": {"store": store, "settings": {"data": {"corpora": corpora}}}}


@pytest.mark.parametrize(
    ("card", "is_kept"),
    [
        (heard("0" * 16, ["own"]), True),
        (heard("1" * 16, ["own"]), False),
        (heard("0" * 16, ["own", "other"]), False),
        (CARD, False),
    ],
)
def test_an_index_goes_over_to_a_newer_model_of_the_same_music_alone(
    card: dict[str, Any], is_kept: bool, checkpoint: Path, tmp_path: Path
) -> None:
    export(checkpoint, tmp_path / "mine", CARD)
    extend_description(indexed(tmp_path / "mine" / INDEX), {"corpora": ["own"]})
    before = contents(tmp_path / "mine" / INDEX)
    export(checkpoint, tmp_path / "mine", card)
    assert (tmp_path / "mine" / INDEX).exists() == is_kept
    assert not is_kept or contents(tmp_path / "mine" / INDEX) == before


def test_graphs_that_differ_from_torch_are_refused_and_leave_no_trace(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch)
    with pytest.raises(BundleError, match=r"mine: in 32 bits the likelihood of music is .* from torch's"):
        export(checkpoint, tmp_path / "made" / "mine", CARD)
    assert not list((tmp_path / "made").iterdir())


@pytest.mark.parametrize(("limit", "bits"), [("LOST", 32), ("RARE", 32)])
def test_bits_that_lose_too_much_give_way_to_more_and_it_is_said(
    limit: str, bits: int, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(exporting, limit, 1e-9)
    assert export(checkpoint, tmp_path / "mine", CARD) == bits
    assert load_bundle(tmp_path / "mine").bits == bits
    assert [record.message[:17] for record in caplog.records] == ["mine: in 4 bits t", "mine: in 8 bits t"]


def test_an_lstm_has_no_layers_for_4_bits(tmp_path: Path) -> None:
    assert load_bundle(bundle_of(tmp_path / "mine", TINY_LSTM, bits=4)).bits == 8


def test_an_export_that_fails_leaves_the_older_bundle_whole(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(checkpoint, tmp_path / "mine", CARD)
    before = contents(tmp_path / "mine")
    breaking(monkeypatch)
    with pytest.raises(BundleError):
        export(checkpoint, tmp_path / "mine", CARD)
    assert contents(tmp_path / "mine") == before


def test_a_folder_of_something_else_is_never_replaced(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "mine.mid").write_bytes(b"MThd")
    with pytest.raises(BundleError, match="exists and is no model"):
        export(checkpoint, tmp_path / "music", CARD)
    assert contents(tmp_path / "music") == {"mine.mid": b"MThd"}


def test_a_file_is_never_replaced(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="exists and is no model"):
        export(checkpoint, checkpoint, CARD)
    assert checkpoint.stat().st_size


def test_a_missing_checkpoint_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such checkpoint"):
        export(tmp_path / "best.pt", tmp_path / "mine", CARD)
    assert not (tmp_path / "mine").exists()


class Spring:
    """Writes a file when it is unpickled, as a stranger's checkpoint might."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.write_text, (self.path, "sprung")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"a song", bytes(5000)])
def test_a_file_that_is_no_checkpoint_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "best.pt").write_bytes(content)
    with pytest.raises(ConfigError, match=r"best\.pt: not a checkpoint of `arietta train`"):
        export(tmp_path / "best.pt", tmp_path / "mine", CARD)


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    torch.save({"model": Spring(tmp_path / "sprung")}, tmp_path / "best.pt")
    with pytest.raises(ConfigError):
        export(tmp_path / "best.pt", tmp_path / "mine", CARD)
    assert not (tmp_path / "sprung").exists()


def altered(path: Path, **changes: Any) -> Path:
    content = torch.load(path, weights_only=True)
    torch.save(content | changes, path)
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"kind": "gru"}},
        {"config": None},
        {"codec": {"name": "runes"}},
        {"model": {"some.weight": torch.zeros(3)}},
    ],
)
def test_a_checkpoint_of_something_else_is_a_sentence(
    changes: dict[str, Any], checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(AriettaError):
        export(altered(checkpoint, **changes), tmp_path / "mine", CARD)
    assert not (tmp_path / "mine").exists()


def test_torchs_likelihood_is_that_of_the_condition(checkpoint: Path) -> None:
    trained = exporting.load_trained(checkpoint)
    events = trained.codec.encode(
        trained.codec.decode(np.array([[0, 91, 0, 0], [5, 40, 30, 16], [0, 93, 0, 0]], dtype=np.uint16))
    )
    likelihoods = [
        torch_nll(trained.model, trained.codec, events, (composer, 1)) for composer in range(len(COMPOSERS) + 1)
    ]
    assert likelihoods[0].shape == events.shape and likelihoods[0].dtype == np.float32
    assert all(np.abs(likelihoods[0] - other).max() > 1e-3 for other in likelihoods[1:])


def test_a_wide_model_of_many_heads_is_exported_and_proved(tmp_path: Path) -> None:
    config = ModelConfig("transformer", TINY.field_sizes, width=96, layers=1, context=32, heads=6, kv_heads=3)
    distance, tolerance = apart(bundle_of(tmp_path / "mine", config, bits=32))
    assert distance <= tolerance
    shutil.rmtree(tmp_path / "mine")

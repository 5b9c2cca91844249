"""Exporting a checkpoint as a bundle: graphs, the golden piece that proves them, description and card."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...codecs.codec import Codec, Tokens
from ...errors import BundleError, ConfigError
from ...generation.loop import generate
from ...generation.request import Request
from ...model.bundle import CARD, DESCRIPTION, INDEX, load_bundle, write_description
from ...model.config import ConditionIds
from ...model.engine import load_engine
from ...originality.index import open_index
from ..checkpoint import RUN, Trained, load_trained
from ..log import METRICS, read_metrics
from ..network.fields import shift_right, token_nll
from .graphs import build_graphs

PREFILL_TOKENS = 128  # that one call of the prefill graph takes, at most
GOLDEN_NOTES = 160
EXACT = 1e-4  # nats that may lie between float32 graphs and torch
ROUNDED = 0.5  # nats that 8-bit weights may move one field of one token; the mean hardly moves
# What run.json tells a model's card.
CARD_FACTS = ("settings", "parameters", "precision", "machine", "versions", "store", "corpus", "begun_from", "outcome")


def export(checkpoint: Path, out: Path, card: Mapping[str, Any], *, bits: int = 8) -> None:
    """Write `out`, a bundle of the checkpoint's weights in `bits` 8 or 32; an older bundle there is replaced.

    An older bundle's index of passages goes over to the new one where the card names the same music. Raises
    ConfigError where the checkpoint is none, BundleError where `out` holds something else or the graphs do not
    reproduce torch's likelihoods, CorpusError where the index is damaged; what was there then stays.
    """
    trained = load_trained(checkpoint)
    if out.exists() and not (out / DESCRIPTION).exists():
        raise BundleError(f"{out}: exists and is no model; name a folder that does not exist yet, or an older model's")
    weights = {name: weight.float().numpy() for name, weight in trained.model.state_dict().items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
        bundle = Path(folder) / out.name
        bundle.mkdir()
        decode, prefill = build_graphs(trained.config, trained.codec, weights, bits=bits)
        decode.save(str(bundle / "step.onnx"), "weights.bin")
        prefill.save(str(bundle / "feed.onnx"), "weights.bin")
        (bundle / "weights.bin").write_bytes(decode.external_bytes())
        text = json.dumps(dict(card), indent=1, ensure_ascii=False) + "\n"
        (bundle / CARD).write_text(text, encoding="utf-8")
        _write_golden(bundle, trained, bits=bits)
        if (out / INDEX).is_dir() and _is_index_of(out / INDEX, card):
            shutil.copytree(out / INDEX, bundle / INDEX)
        if out.exists():
            out.rename(Path(folder) / "older")  # goes with the temporary folder
        bundle.rename(out)


def describe_training(folder: Path) -> dict[str, Any]:
    """Return what a run's folder says of how its model was trained, for the card: settings, machine, best validation.

    Raises ConfigError where the folder holds no run.
    """
    for name in (RUN, METRICS):
        if not (folder / name).exists():
            raise ConfigError(f"{folder}: not a run of `arietta train` ({name} is missing)")
    try:
        run, lines = json.loads((folder / RUN).read_text(encoding="utf-8")), read_metrics(folder)
    except ValueError as error:
        raise ConfigError(f"{folder}: {RUN} or {METRICS} is damaged ({error})") from error
    best = [line for line in lines if line.get("is_best")]
    return {name: run[name] for name in CARD_FACTS if name in run} | {"validation": best[-1] if best else {}}


def torch_nll(model: torch.nn.Module, codec: Codec, tokens: Tokens, condition: ConditionIds) -> NDArray[np.float32]:
    """Score tokens [T, F] in float32 torch, without dropout: nats [T, F], every field counted."""
    model.eval()
    targets = torch.from_numpy(tokens.astype(np.int64))[None]
    with torch.no_grad():
        logits = model(shift_right(targets, codec.field_sizes), targets, torch.tensor([condition]))
        nll = token_nll(logits, targets, torch.ones_like(targets, dtype=torch.bool))
    return np.asarray(nll[0].numpy(), dtype=np.float32)


def _is_index_of(folder: Path, card: Mapping[str, Any]) -> bool:
    """Say whether an index of passages is of the corpora that the model was trained on, as its card tells."""
    index, training = open_index(folder), card.get("training", {})
    corpora = training.get("settings", {}).get("data", {}).get("corpora", [])
    return bool(index.corpus == training.get("store") and index.description.get("corpora", []) == list(corpora))


def _write_golden(folder: Path, trained: Trained, *, bits: int) -> None:
    """Let the new bundle compose a short piece, compare its likelihood with torch's, and store both."""
    config = trained.config
    _describe(folder, trained, bits=bits, golden={})  # a folder is a bundle only with all its files
    engine = load_engine(load_bundle(folder))
    tokens = generate(Request(notes=GOLDEN_NOTES), engine).tokens
    condition = tuple(min(1, condition.size - 1) for condition in config.conditions)
    nll = torch_nll(trained.model, trained.codec, tokens, condition)
    deviation = float(np.abs(engine.score(tokens, condition) - nll).max())
    limit = ROUNDED if bits == 8 else EXACT
    if deviation > limit:
        raise BundleError(
            f"{folder.name}: the exported graphs are {deviation:.2g} nats from torch, at most {limit} is right"
        )
    # A bundle is later checked by this tolerance; twice the deviation leaves room for another machine's arithmetic.
    tolerance = max(2 * deviation, 0.01) if bits == 8 else EXACT
    golden: dict[str, NDArray[Any]] = {
        "events": tokens,
        "nll": nll,
        "condition": np.array(condition),
        "tolerance": np.array(tolerance),
    }
    _describe(folder, trained, bits=bits, golden=golden)


def _describe(folder: Path, trained: Trained, *, bits: int, golden: Mapping[str, NDArray[Any]]) -> None:
    config = trained.config
    # Chunks of half-windows, so that the cache is full, and its older half leaves, at the edge of a chunk.
    prefill_chunk = 1 if config.kind == "lstm" else int(np.gcd(PREFILL_TOKENS, config.context // 2))
    np.savez_compressed(folder / "golden.npz", **golden)  # type: ignore[arg-type]
    write_description(folder, config, trained.codec, bits=bits, prefill_chunk=prefill_chunk)

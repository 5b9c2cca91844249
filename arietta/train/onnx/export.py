"""A checkpoint to a bundle: the graphs, the golden piece that proves them, the description, the card."""

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
from ...errors import BundleError
from ...generation.loop import generate
from ...generation.request import Request
from ...model.bundle import INDEX, load_bundle, write_description
from ...model.engine import load_engine
from ...originality.index import open_index
from ..checkpoint import Trained, load_trained
from ..network.fields import shift_right, token_nll
from .graphs import build_graphs

FEED_ROWS = 128
GOLDEN_NOTES = 160
EXACT = 1e-4  # nats between float32 graphs and torch
ROUNDED = 0.5  # nats that 8-bit weights may move one field of one row; the mean hardly moves


def export(checkpoint: Path, out: Path, card: Mapping[str, Any], *, bits: int = 8) -> None:
    """Write `out`, a bundle of the checkpoint's best weights in `bits` 8 or 32; an older bundle there is replaced.

    Its index of passages goes over to the new one where that is of the same music, as the card says. Raises
    ConfigError where the checkpoint is none, BundleError where `out` holds something else or the graphs do not
    reproduce torch's likelihoods, CorpusError where the index is damaged; what was there then stays.
    """
    trained = load_trained(checkpoint)
    if out.exists() and not (out / "model.json").exists():
        raise BundleError(f"{out}: exists and is no model; name a folder that does not exist yet, or an older model's")
    weights = {name: value.float().numpy() for name, value in trained.model.state_dict().items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
        made = Path(folder) / out.name
        made.mkdir()
        _write_graphs(made, trained, weights, bits=bits)
        text = json.dumps(dict(card), indent=1, ensure_ascii=False) + "\n"
        (made / "card.json").write_text(text, encoding="utf-8")
        _write_golden(made, trained, bits=bits)
        if (out / INDEX).is_dir() and _is_index_of(out / INDEX, card):
            shutil.copytree(out / INDEX, made / INDEX)
        if out.exists():
            out.rename(Path(folder) / "older")
        made.rename(out)


def torch_nll(model: torch.nn.Module, codec: Codec, events: Tokens, condition: tuple[int, int]) -> NDArray[np.float32]:
    """Likelihood of events [T, F] in float32 torch, without dropout: nats [T, F], every field counted."""
    model.eval()
    targets = torch.from_numpy(events.astype(np.int64))[None]
    composer, source = (torch.tensor([value]) for value in condition)
    with torch.no_grad():
        logits = model(shift_right(targets, codec.field_sizes), targets, composer, source)
        nll = token_nll(logits, targets, torch.ones_like(targets, dtype=torch.bool))
    result: NDArray[np.float32] = nll[0].numpy()
    return result


def _is_index_of(folder: Path, card: Mapping[str, Any]) -> bool:
    """Tell whether an index of passages was built from the corpora that the model was trained on, by its card."""
    index, training = open_index(folder), card.get("training", {})
    corpora = training.get("settings", {}).get("data", {}).get("corpora", [])
    return bool(index.corpus == training.get("store") and index.description.get("corpora", []) == list(corpora))


def _write_graphs(folder: Path, trained: Trained, weights: Mapping[str, NDArray[np.float32]], *, bits: int) -> None:
    step, feed = build_graphs(trained.config, trained.codec, weights, bits=bits)
    step.save(str(folder / "step.onnx"), "weights.bin")
    feed.save(str(folder / "feed.onnx"), "weights.bin")
    (folder / "weights.bin").write_bytes(step.external_bytes())


def _write_golden(folder: Path, trained: Trained, *, bits: int) -> None:
    """Let the new bundle compose a short piece, hold its likelihood against torch's, and keep both."""
    config = trained.config
    _describe(folder, trained, bits=bits, golden={})
    engine = load_engine(load_bundle(folder))
    events = generate(Request(notes=GOLDEN_NOTES), engine).tokens
    condition = (min(1, len(config.composers)), min(1, len(config.sources)))
    nll = torch_nll(trained.model, trained.codec, events, condition)
    apart = float(np.abs(engine.score(events, condition) - nll).max())
    limit = ROUNDED if bits == 8 else EXACT
    if apart > limit:
        raise BundleError(
            f"{folder.name}: the exported graphs are {apart:.2g} nats from torch, at most {limit} is right"
        )
    tolerance = max(2 * apart, 0.01) if bits == 8 else EXACT
    golden: dict[str, NDArray[Any]] = {
        "events": events,
        "nll": nll,
        "condition": np.array(condition),
        "tolerance": np.array(tolerance),
    }
    _describe(folder, trained, bits=bits, golden=golden)


def _describe(folder: Path, trained: Trained, *, bits: int, golden: Mapping[str, NDArray[Any]]) -> None:
    config = trained.config
    prefill_chunk = 1 if config.kind == "lstm" else int(np.gcd(FEED_ROWS, config.context // 2))
    np.savez_compressed(folder / "golden.npz", **golden)  # type: ignore[arg-type]
    write_description(folder, config, trained.codec, bits=bits, prefill_chunk=prefill_chunk)

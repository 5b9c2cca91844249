"""Exporting a checkpoint as a bundle: graphs, the pieces that prove them, description and card.

Few bits are proved as float32 is: the new bundle composes pieces, and their likelihood must be torch's. One value that
is far off says little, since the largest of ten thousand differences is of any size; the mean and the 99.9th percentile
say what a listener may notice. Where they are too large the next more bits are taken, so that every model is exported.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...codecs.codec import Codec, Tokens
from ...errors import BundleError, ConfigError
from ...files import atomic_folder
from ...generation.loop import generate
from ...generation.request import Request
from ...model.bundle import BITS, CARD, DESCRIPTION, INDEX, load_bundle, write_description
from ...model.config import ConditionIds
from ...model.engine import load_engine
from ...originality.index import open_index
from ..checkpoint import RUN, Trained, load_trained
from ..log import METRICS, read_metrics
from ..network.fields import shift_right, token_nll
from .graphs import build_graphs

LOG = logging.getLogger(__name__)
PREFILL_TOKENS = 128  # that one call of the prefill graph takes, at most
PROOFS, PROOF_NOTES = 4, 160  # pieces that a new bundle composes; the first becomes its golden piece
EXACT = 1e-4  # nats within which float32 graphs agree with torch; large weights reach more now and then
LOST = 0.01  # share of all nats by which fewer bits may move the likelihood of music
RARE = 1.25  # nats by which they may move all fields of tokens but one in a thousand: real music in 4 bits reaches 0.9
# What run.json tells a model's card.
CARD_FACTS = ("settings", "parameters", "precision", "machine", "versions", "store", "corpus", "begun_from", "outcome")


def export(checkpoint: Path, out: Path, card: Mapping[str, Any], *, bits: int = 4) -> int:
    """Write `out`, a bundle of a checkpoint's weights, as `write_bundle` does; raises ConfigError where it is none."""
    return write_bundle(load_trained(checkpoint), out, card, bits=bits)


def write_bundle(trained: Trained, out: Path, card: Mapping[str, Any], *, bits: int = 4) -> int:
    """Write `out`, a bundle of these weights in `bits` 4, 8 or 32, or more where they lose too much; return the bits.

    In 4 bits are the feed-forward layers alone, and the others in 8. An older bundle is replaced, and its index of
    passages goes over to the new one where the card names the same music. Raises BundleError where `out` holds
    something else or float32 graphs do not reproduce torch's likelihoods, CorpusError where the index is damaged; what
    was there then stays.
    """
    if out.exists() and not (out / DESCRIPTION).exists():
        raise BundleError(f"{out}: exists and is no model; name a folder that does not exist yet, or an older model's")
    weights = {name: weight.float().numpy() for name, weight in trained.model.state_dict().items()}
    try:
        with atomic_folder(out) as bundle:
            text = json.dumps(dict(card), indent=1, ensure_ascii=False) + "\n"
            (bundle / CARD).write_text(text, encoding="utf-8")
            if trained.config.kind == "lstm":
                bits = max(bits, 8)  # it has no feed-forward layers
            for bits in [more for more in BITS if more >= bits]:
                decode, prefill = build_graphs(trained.config, trained.codec, weights, bits=bits)
                decode.save(str(bundle / "step.onnx"), "weights.bin")
                prefill.save(str(bundle / "feed.onnx"), "weights.bin")
                (bundle / "weights.bin").write_bytes(decode.external_bytes())
                if not (complaint := _prove(bundle, trained, out.name, bits=bits)):
                    break
                LOG.warning("%s%s", complaint, "; it is written in more" if bits < max(BITS) else "")
            else:
                raise BundleError(complaint)
            if (out / INDEX).is_dir() and _is_index_of(out / INDEX, card):
                shutil.copytree(out / INDEX, bundle / INDEX)
    except (OSError, shutil.Error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BundleError(f"{out}: cannot be written ({why}); free some room or choose another --out") from error
    return bits


def describe_training(folder: Path) -> dict[str, Any]:
    """Return what a run's folder says of how its model was trained, for the card: settings, machine, best validation.

    Raises ConfigError where the folder holds no run.
    """
    for name in (RUN, METRICS):
        if not (folder / name).exists():
            raise ConfigError(
                f"{folder}: not a run of `arietta train` ({name} is missing); name the folder that its --out named"
            )
    try:
        run, lines = json.loads((folder / RUN).read_text(encoding="utf-8")), read_metrics(folder)
    except ValueError as error:
        raise ConfigError(
            f"{folder}: {RUN} or {METRICS} is damaged ({error}); train again, with another --out"
        ) from error
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


def _prove(folder: Path, trained: Trained, name: str, *, bits: int) -> str:
    """Let the new bundle compose pieces and store the first; return a complaint where torch scores them otherwise."""
    condition = tuple(min(1, condition.size - 1) for condition in trained.config.conditions)
    _describe(folder, trained, bits=bits, golden={})  # a folder is a bundle only with all its files
    engine = load_engine(load_bundle(folder))
    pieces = [generate(Request(notes=PROOF_NOTES, seed=seed), engine).tokens for seed in range(PROOFS)]
    expected = [torch_nll(trained.model, trained.codec, tokens, condition) for tokens in pieces]
    differences = [engine.score(tokens, condition) - nll for tokens, nll in zip(pieces, expected, strict=True)]
    # A bundle is later checked by this tolerance; twice the deviation leaves room for another machine's arithmetic.
    tolerance = max(2 * float(np.abs(differences[0]).max()), 0.01 if bits < 32 else EXACT)
    golden: dict[str, NDArray[Any]] = {
        "events": pieces[0],
        "nll": expected[0],
        "condition": np.array(condition),
        "tolerance": np.array(tolerance),
    }
    _describe(folder, trained, bits=bits, golden=golden)
    lost = abs(float(np.concatenate(differences).sum() / np.concatenate(expected).sum()))
    rare = float(np.quantile(np.abs(np.concatenate(differences)), 0.999))
    limits = (LOST, RARE) if bits < 32 else (EXACT, 10 * EXACT)
    if lost <= limits[0] and rare <= limits[1]:
        return ""
    return (
        f"{name}: in {bits} bits the likelihood of music is {lost:.2%} from torch's, and of one token in a "
        f"thousand {rare:.2g} nats or more; right are at most {limits[0]:.2%} and {limits[1]:g} nats"
    )


def _describe(folder: Path, trained: Trained, *, bits: int, golden: Mapping[str, NDArray[Any]]) -> None:
    config = trained.config
    # Chunks of half-windows, so that the cache is full, and its older half leaves, at the edge of a chunk.
    prefill_chunk = 1 if config.kind == "lstm" else int(np.gcd(PREFILL_TOKENS, config.context // 2))
    np.savez_compressed(folder / "golden.npz", **golden)  # type: ignore[arg-type]
    write_description(folder, config, trained.codec, bits=bits, prefill_chunk=prefill_chunk)

"""Make the models that ship of weights trained on a GPU: piano.npz.xz, and concert-from-piano.npz.xz, a difference.

    python -m release.import_weights WEIGHTS --name piano --out models
    python -m release.import_weights WEIGHTS --name concert --out models --corpus corpus

A weights file is an archive of numpy's inside xz: matrices as NAME.int8 [N, K / 64, 64] with NAME.scale [N, K / 64],
all else as NAME in float16 or float32; `meta` is JSON, the network's description and how it was trained. What a card
says of the training comes from there, what it says of the music from imported_cards.toml. Thresholds of density and
loudness stand in `meta`, those of the time left in `generation/given`: they belong to the weights.

With --corpus the card has each composer's share of the training music, by which a seed draws one.
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import shutil
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from arietta.codecs.note import NoteCodec
from arietta.corpus.store import Store, open_store
from arietta.generation.given import LEFT_THRESHOLDS, ROLES
from arietta.model.bundle import BITS, INDEX, load_bundle
from arietta.model.composers import may_be_living
from arietta.model.conditions import KEYS
from arietta.model.config import Condition, ModelConfig, style_conditions
from arietta.train.checkpoint import Trained
from arietta.train.network import build_model
from arietta.train.onnx.export import write_bundle

Arrays = dict[str, NDArray[np.float32]]
Meta = Mapping[str, Any]
CARDS = Path(__file__).with_name("imported_cards.toml")
CORPORA = {"piano": ("giantmidi",), "concert": ("maestro", "giantmidi")}
FILES = {"piano": "piano.npz.xz", "concert": "concert-from-piano.npz.xz"}
FRESH_ROW = 0.025  # deviation of a row's numbers above which it was trained
# How a run names what the network here calls otherwise.
RENAMED = {
    "embedding.controls.": "embedding.conditions.",
    "embedding.composer.": "embedding.conditions.composer.",
    "embedding.source.": "embedding.conditions.source.",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="the folder of the weights files")
    parser.add_argument("--name", choices=FILES, default="piano")
    parser.add_argument("--out", type=Path, required=True, help="the folder of models; the model's own is inside it")
    parser.add_argument("--bits", type=int, choices=BITS, default=4)
    parser.add_argument("--corpus", type=Path, help="the ingested training music, for the composers' shares")
    parser.add_argument("--index", type=Path, help="an index of the training music that goes with the model")
    arguments = parser.parse_args()
    weights, meta = read_weights(arguments.weights / FILES["piano"])
    if arguments.name == "concert":
        weights, meta = read_weights(arguments.weights / FILES["concert"], weights)
    config = drop_untrained(weights, model_config(meta))
    model = build_model(config)
    model.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
    card = model_card(arguments.name, meta, parameters=sum(weight.size for weight in weights.values()))
    if arguments.corpus:
        card["sampling"]["composers"] = composer_shares(open_store(arguments.corpus), config, arguments.name)
    folder = arguments.out / arguments.name
    write_bundle(Trained(model.eval(), config, NoteCodec()), folder, card, bits=arguments.bits)
    if arguments.index:
        shutil.copytree(arguments.index, folder / INDEX, dirs_exist_ok=True)
    bundle = load_bundle(folder)
    size = (folder / "weights.bin").stat().st_size
    print(f"{folder}: {bundle.fingerprint}, {size / 1e6:.1f} MB of weights in {bundle.precision}")


def read_weights(path: Path, start: Arrays | None = None) -> tuple[Arrays, Meta]:
    """Read a weights file, or the sum of `start` and a difference: float32 arrays by the names of the network here."""
    arrays = np.load(io.BytesIO(lzma.decompress(path.read_bytes())))
    weights: Arrays = {}
    for stored in arrays.files:
        if stored == "meta" or stored.endswith(".scale"):
            continue
        weight = arrays[stored].astype(np.float32)
        plain = stored.removesuffix(".int8")
        if plain != stored:
            weight = (weight * arrays[f"{plain}.scale"].astype(np.float32)[..., None]).reshape(len(weight), -1)
        name = plain
        for old, new in RENAMED.items():
            name = name.replace(old, new)
        weights[name] = weight + start[name] if start else weight
    return weights, json.loads(bytes(arrays["meta"]))


def model_config(meta: Meta) -> ModelConfig:
    """Describe the network with its conditions, in the order in which every model has them."""
    description, edges, sizes = dict(meta["config"]), meta["extra"]["edges"], meta["extra"]["controls"]
    values = {"key": KEYS, "role": ROLES}
    thresholds = {**edges, "left": LEFT_THRESHOLDS}
    measured = [
        Condition(name, size, values.get(name, ()), tuple(float(edge) for edge in thresholds.get(name, ())))
        for name, size in sizes.items()
    ]
    styles = style_conditions(description.pop("composers"), description.pop("sources"))
    sizes_of_fields = tuple(description.pop("field_sizes"))
    return ModelConfig(**description, field_sizes=sizes_of_fields, conditions=(*styles, *measured))


def drop_untrained(weights: Arrays, config: ModelConfig) -> ModelConfig:
    """Take names out that the training music lacks, with their rows in `weights`; return what the model knows.

    A row that nothing was learned for is as short as it began, or shorter by decay: normal numbers of deviation 0.02.
    """
    conditions = []
    for condition in config.conditions:
        name = f"embedding.conditions.{condition.name}.weight"
        if condition.name in ("composer", "source"):
            is_known = np.linalg.norm(weights[name], axis=1) > FRESH_ROW * config.width**0.5
            is_known[0] = True
            values = tuple(value for value, known in zip(condition.values, is_known[1:], strict=True) if known)
            weights[name] = np.ascontiguousarray(weights[name][is_known])
            condition = Condition(condition.name, len(values) + 1, values)
        conditions.append(condition)
    return replace(config, conditions=tuple(conditions))


def model_card(name: str, meta: Meta, *, parameters: int) -> dict[str, Any]:
    """Return a card: what imported_cards.toml says of the music, and what the run says of itself."""
    card: dict[str, Any] = tomllib.loads(CARDS.read_text(encoding="utf-8"))[name]
    run = meta["extra"]
    shape = {key: value for key, value in meta["config"].items() if not isinstance(value, list)}
    training: dict[str, Any] = {
        "settings": {"model": shape, "data": {**run["settings"], "corpora": list(CORPORA[name])}, "run": run["args"]},
        "parameters": parameters,
        "precision": "bfloat16",
        "machine": {"processor": run["device"]},
        "versions": {"torch": run["torch"], "commit": "91ffd15"},
        "reader": run.get("reader", 1),
        "outcome": {"reason": "finished", "step": run["steps"], "rows": run["rows"], "seconds": run["seconds"]},
        "validation": {key: run["validation"][key] for key in ("nats_per_row", "nats_per_note")},
    }
    if "begun_from" in run:
        earlier = run["begun_from"]
        training["begun_from"] = {key: earlier[key] for key in ("name", "steps", "rows", "seconds")}
    if "mean" in meta:  # run -> share of its weights
        training["mean"] = meta["mean"]
    return card | {"training": training}


def composer_shares(store: Store, config: ModelConfig, name: str) -> dict[str, dict[str, float]]:
    """Return the share of each composer whom the model knows, and who is dead, in the notes of its training music."""
    notes: Counter[str] = Counter()
    for piece in store.pieces:
        if piece.split == "train" and piece.corpus in CORPORA[name] and piece.composer in config.composers:
            notes[piece.composer] += piece.notes
    return {
        composer: {"share": round(count / notes.total(), 5)}
        for composer, count in notes.most_common()
        if not may_be_living(composer)  # whose style is a matter of asking for it by name
    }


if __name__ == "__main__":
    main()

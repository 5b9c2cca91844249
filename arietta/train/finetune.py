"""Teaching a model that is there a folder of your own: what to hold out, how long to learn, and what to expect of it.

    start = read_start("piano")
    store = with_held_out(open_store("mine"))
    plan = plan_run(finetune_settings(start, {}), store, start)
    outcome = train(plan, Path("runs/mine"), place)

A folder of 10 to 50 files is learned by heart within minutes, so pieces are held out, scored every few updates, and
the weights that score them best are kept: at worst those that it began from.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..corpus.store import Piece, Store
from ..errors import CorpusError
from .config import load_config
from .pretrained import Start
from .settings import RunSettings

HELD_OUT_SHARE = 8  # one work in so many, where the corpus holds out none
FEW_PIECES, FEW_NOTES = 10, 10_000
MANY_COMPOSERS = 8
MODEL = ("kind", "width", "layers", "heads", "kv_heads", "context", "positions")
# Measured on Grieg (12 to 50 pieces): a fifth of the rate that `piano` learned at betters held-out pieces for about
# 200 updates; the full rate spoils them within 50.
USUAL: dict[str, Any] = {
    "model.dropout": 0.1,
    "data.min_composer_pieces": 1,
    "train.steps": 400,
    "train.batch": 4,
    "train.rate": 0.0002,
    "train.warm_up": 20,
    "train.average": 0.98,
    "train.validate_every": 20,
    "train.validation_windows": 48,
    "train.patience": 5,
}


def finetune_settings(start: Start, overrides: Mapping[str, Any]) -> RunSettings:
    """Settings of a run that begins from `start`: its shape, small steps, an early end; `overrides` by dotted name."""
    config = start.config
    shape = {f"model.{name}": getattr(config, name) for name in MODEL}
    known = {"data.codec": start.codec.name, "data.length": config.context}
    return load_config(RunSettings, None, shape | known | USUAL | dict(overrides))


def with_held_out(store: Store) -> Store:
    """The store as it is where it holds out validation pieces; otherwise one work in eight is taken for it.

    Raises CorpusError where there is only one work: what it plays on a second one could not be judged.
    """
    sides = Counter(piece.split for piece in store.pieces)
    if sides["validation"] and sides["train"]:
        return store
    works = {_work(piece) for piece in store.pieces if piece.split != "test"}
    if len(works) < 2:
        raise CorpusError(f"{store.path}: all its pieces are one work; give at least two, so that one can be held out")
    order = sorted(works, key=lambda work: hashlib.sha256(work.encode()).digest())
    held = set(order[: max(len(order) // HELD_OUT_SHARE, 1)])
    return store.with_pieces([_placed(piece, held) for piece in store.pieces])


def warnings(store: Store) -> Iterator[str]:
    """What a folder lacks, or has too much of, to be learned well: a sentence each."""
    train = [piece for piece in store.pieces if piece.split == "train"]
    notes = sum(piece.notes for piece in train)
    if len(train) < FEW_PIECES or notes < FEW_NOTES:
        yield (
            f"{len(train)} pieces with {notes:,} notes are few: expect an accent rather than a style; "
            f"{FEW_PIECES} pieces and {FEW_NOTES:,} notes or more are better"
        )
    composers = Counter(piece.composer for piece in train)
    named = [name for name in composers if name]
    if composers[""] and named:
        yield f"{composers['']} of {len(train)} pieces name no composer: they are heard as anybody's"
    if len(named) > MANY_COMPOSERS:
        yield (
            f"{len(named)} composers are many for one folder: each is kept apart by name (--style), "
            "but those with few pieces are heard faintly"
        )


def describe_start(start: Start) -> dict[str, Any]:
    """What a fine-tuned model's card says of the model it began from."""
    kept = ("title", "data", "licence", "licence_url", "split")
    words = {name: start.card[name] for name in kept if name in start.card}
    return {"model": start.name, "fingerprint": start.fingerprint} | words


def describe_data(store: Store) -> str:
    """The training pieces in a sentence: how many, whose, under which licences."""
    train = [piece for piece in store.pieces if piece.split == "train"]
    composers = Counter(piece.composer for piece in train if piece.composer)
    licences = sorted({piece.licence for piece in train if piece.licence})
    whose = ", ".join(name for name, _ in composers.most_common(5)) or "no composer named"
    more = f" and {len(composers) - 5} more" if len(composers) > 5 else ""
    notes = sum(piece.notes for piece in train)
    terms = ", ".join(licences) or "not stated"
    return f"{len(train)} pieces, {notes:,} notes: {whose}{more}. Licences of the files: {terms}."


def _work(piece: Piece) -> str:
    return piece.work or piece.file


def _placed(piece: Piece, held: set[str]) -> Piece:
    if piece.split == "test":
        return piece
    return replace(piece, split="validation" if _work(piece) in held else "train")

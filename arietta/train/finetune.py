"""Fine-tuning a model on a folder of your own: what to hold out, how long to learn, and what to expect of it.

    pretrained = read_pretrained("piano")
    store = with_held_out(open_store("mine"))
    plan = plan_run(finetune_settings(pretrained, {}), store, pretrained)
    outcome = train(plan, Path("runs/mine"), hardware)

A folder of 10 to 50 files is learned by heart within minutes, so pieces are held out, scored every few updates, and
the weights that score them best are saved: at worst those that the run began from.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..corpus.store import Piece, Store
from ..errors import CorpusError
from .config import RunSettings, load_config
from .pretrained import Pretrained

HELD_OUT_SHARE = 8  # one work in so many, where the corpus holds out none
FEW_PIECES, FEW_NOTES = 10, 10_000
MANY_COMPOSERS = 8
SHAPE = ("kind", "width", "layers", "heads", "kv_heads", "context", "positions")
# On a GPU `piano` learned Grieg (12 pieces, 14,000 tokens) best in about 20 updates of 16,384 tokens at an eighth of
# its own rate, and was worse soon after. A processor gets that rate in batches an eighth as large: the first 16 updates
# took Grieg's held-out piece from 4.83 to 4.35 nats per note, and by the 40th it was less likely again. The shipped
# `grieg` reached 4.36 in 24 updates of twice the size, at half the rate, averaged (`train.average = 0.9`).
DEFAULTS: dict[str, Any] = {
    "data.min_composer_pieces": 1,
    "model.dropout": 0.0,
    "train.steps": 48,
    "train.batch": 2,
    "train.rate": 0.002,
    "train.warm_up": 5,
    "train.validate_every": 8,
    "train.validation_windows": 16,
    "train.patience": 2,
}
LONGEST_CROP = 1024  # tokens: of longer ones a small folder gives few that differ
# Shares of crops with given music, for a model that knows what that is and is not to forget it.
LAYOUTS = {"data.fill": 0.11, "data.keep": 0.07, "data.accompany": 0.06, "data.touch": 0.06}


def finetune_settings(pretrained: Pretrained, overrides: Mapping[str, Any]) -> RunSettings:
    """Make the settings of a fine-tuning run: the model's own shape, small steps, an early end; then `overrides`."""
    config = pretrained.config
    shape = {f"model.{name}": getattr(config, name) for name in SHAPE}
    data: dict[str, Any] = {"data.codec": pretrained.codec.name, "data.length": min(config.context, LONGEST_CROP)}
    if "role" in {condition.name for condition in config.conditions}:
        data |= LAYOUTS
    return load_config(RunSettings, None, shape | data | DEFAULTS | dict(overrides))


def with_held_out(store: Store) -> Store:
    """Return the store as it is where it holds out validation pieces; otherwise hold out one work in eight.

    Raises CorpusError where there is only one work: nothing would be left to validate on.
    """
    sides = Counter(piece.split for piece in store.pieces)
    if sides["validation"] and sides["train"]:
        return store
    works = {_work_of(piece) for piece in store.pieces if piece.split != "test"}
    if len(works) < 2:
        raise CorpusError(f"{store.path}: all its pieces are one work; give at least two, so that one can be held out")
    # By hash: a choice that looks random, and is the same whenever the run goes on.
    order = sorted(works, key=lambda work: hashlib.sha256(work.encode()).digest())
    held_out = set(order[: max(len(order) // HELD_OUT_SHARE, 1)])
    pieces = []
    for piece in store.pieces:
        side = "validation" if _work_of(piece) in held_out else "train"
        pieces.append(piece if piece.split == "test" else replace(piece, split=side))
    return store.with_pieces(pieces)


def warnings(store: Store) -> Iterator[str]:
    """Give a sentence for each thing that a folder lacks, or has too much of, to be learned well."""
    train = [piece for piece in store.pieces if piece.split == "train"]
    notes = sum(piece.notes for piece in train)
    if len(train) < FEW_PIECES or notes < FEW_NOTES:
        yield (
            f"{len(train)} pieces with {notes:,} notes to learn from (the rest is held out) are few: "
            f"expect an accent rather than a style; {FEW_PIECES} pieces and {FEW_NOTES:,} notes or more are better"
        )
    composers = Counter(piece.composer for piece in train)
    named = [name for name in composers if name]
    if composers[""] and named:
        yield f"{composers['']} of {len(train)} pieces name no composer: they are learned as anybody's"
    if len(named) > MANY_COMPOSERS:
        yield (
            f"{len(named)} composers are many for one folder: each is kept apart by name (--style), "
            "but those with few pieces leave a faint trace"
        )


def describe_pretrained(pretrained: Pretrained) -> dict[str, Any]:
    """Return what a fine-tuned model's card says of the model it began from."""
    names = ("title", "data", "licence", "licence_url", "split")
    facts = {name: pretrained.card[name] for name in names if name in pretrained.card}
    return {"model": pretrained.name, "fingerprint": pretrained.fingerprint} | facts


def _work_of(piece: Piece) -> str:
    return piece.work or piece.file  # a file that names no work is one by itself

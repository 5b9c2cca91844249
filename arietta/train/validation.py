"""Held-out likelihood: whole pieces cut into consecutive windows, nothing skipped, nothing augmented.

    evaluate(load_trained(Path("runs/mine/best.pt")), store, split="test", length=1024)["nats_per_note"]

Each window is read from nothing, as by a model that begins there, so figures fall as `length` grows. Time counts
from the first to the last row of a window, silence included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..codecs.codec import Codec, Tokens
from ..corpus.store import Store
from ..model.config import ModelConfig
from ..music.notes import trim
from .batches import Batch, pad, pieces_of
from .checkpoint import Trained
from .hardware import LAPTOP, Hardware
from .network.fields import shift_right, token_nll


@dataclass(frozen=True)
class Windows:
    """N windows to score: `batch` of N crops, and for each the piece it is from, its notes and its seconds, [N]."""

    batch: Batch
    field_sizes: tuple[int, ...]
    piece: NDArray[np.int64]
    notes: NDArray[np.int64]
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.piece)


@dataclass(frozen=True)
class Scores:
    """What a model made of windows: `nll` float64 [N, F] in nats, `hits` and `rows` int64 [N].

    A hit is a row whose "what" (field 1, or the only field) was the likeliest, the row's earlier fields given.
    """

    nll: NDArray[np.float64]
    hits: NDArray[np.float64]
    rows: NDArray[np.int64]


def evaluate(
    trained: Trained,
    store: Store,
    *,
    split: str,
    length: int,
    max_windows: int | None = None,
    hardware: Hardware = LAPTOP,
) -> dict[str, Any]:
    """Score a split, or `max_windows` windows spread evenly over it; see `summarise` for what is given."""
    codec, model = trained.codec, trained.model.to(hardware.device)
    windows = cut_windows(codec, trained.config, store, split=split, length=length, max_windows=max_windows)
    return summarise(score(model, windows, hardware), windows, codec)


def cut_windows(
    codec: Codec, config: ModelConfig, store: Store, *, split: str, length: int, max_windows: int | None = None
) -> Windows:
    """Cut the pieces of a split into windows of `length` rows; raises CorpusError where it has none."""
    pieces = pieces_of(store, split)
    encoded = [codec.encode(trim(store.notes(piece.index))) for piece in pieces]
    places = [(p, start) for p, rows in enumerate(encoded) for start in range(0, len(rows), length)]
    if max_windows is not None and max_windows < len(places):
        spread = np.linspace(0, len(places) - 1, max_windows).round().astype(int)
        places = [places[int(index)] for index in spread]
    events, counted = pad([encoded[p][start : start + length] for p, start in places], codec, length)
    ids = np.array([config.condition_ids(pieces[p].composer, pieces[p].source) for p, _ in places])
    edges = {p: np.array(_edges(codec, encoded[p], length)) for p in {p for p, _ in places}}
    spans = np.array([edges[p][start // length + 1] - edges[p][start // length] for p, start in places])
    return Windows(
        Batch(events, counted, ids[:, 0], ids[:, 1]),
        codec.field_sizes,
        piece=np.array([pieces[p].index for p, _ in places]),
        notes=spans[:, 0].astype(np.int64),
        seconds=spans[:, 1],
    )


@torch.no_grad()
def score(model: nn.Module, windows: Windows, hardware: Hardware, *, batch: int = 8) -> Scores:
    """Run the model over all windows, shared among the processes; it is left in evaluation mode."""
    count, field_count = windows.batch.counted.shape[0], windows.batch.counted.shape[-1]
    nll, hits = torch.zeros(count, field_count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64)
    model.eval()
    for start in range(hardware.rank * batch, count, hardware.world * batch):
        chosen = slice(start, start + batch)
        part_nll, part_hits = _score_part(model, windows.batch.part(chosen), windows.field_sizes, hardware)
        nll[chosen], hits[chosen] = part_nll.cpu(), part_hits.cpu()
    rows = windows.batch.counted.any(axis=-1).sum(axis=-1)
    return Scores(hardware.add_up(nll).numpy(), hardware.add_up(hits).numpy(), rows)


def summarise(scores: Scores, windows: Windows, codec: Codec) -> dict[str, Any]:
    """Totals as ratios.

    nats_per_row, nats_per_note, nats_per_second; accuracy (next-what, top 1); by_field (nats per row of each field);
    rows, notes, seconds, windows, pieces.
    """
    total, rows = float(scores.nll.sum()), int(scores.rows.sum())
    notes, seconds = int(windows.notes.sum()), float(windows.seconds.sum())
    by_field = scores.nll.sum(axis=0) / max(rows, 1)
    return {
        "nats_per_row": total / max(rows, 1),
        "nats_per_note": total / max(notes, 1),
        "nats_per_second": total / seconds if seconds else 0.0,
        "accuracy": float(scores.hits.sum()) / max(rows, 1),
        "by_field": {name: float(value) for name, value in zip(codec.field_names, by_field, strict=True)},
        "rows": rows,
        "notes": notes,
        "seconds": seconds,
        "windows": len(windows),
        "pieces": len(np.unique(windows.piece)),
    }


def _score_part(model: nn.Module, part: Batch, field_sizes: Sequence[int], hardware: Hardware) -> tuple[Tensor, Tensor]:
    """Likelihood float64 [n, F] and hits float64 [n] of a few windows."""
    events, counted, composer, source = hardware.tensors(part)
    with hardware.autocast():
        logits = model(shift_right(events, field_sizes), events, composer, source)
    nll = token_nll(logits, events, counted)
    field = min(1, len(logits) - 1)
    hits = (logits[field].argmax(dim=-1) == events[..., field]) & counted[..., field]
    return nll.double().sum(dim=1), hits.double().sum(dim=1)


def _edges(codec: Codec, events: Tokens, length: int) -> list[tuple[int, float]]:
    """Notes begun and the decoder's clock at the edges of a piece's windows: before the first, after each."""
    decoder = codec.decoder()
    edges = [(0, 0.0)]
    for start in range(0, len(events), length):
        for row in events[start : start + length].tolist():
            decoder.push(row)
        edges.append((decoder.note_count, decoder.clock))
    return edges

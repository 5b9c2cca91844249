"""Held-out likelihood: whole pieces cut into consecutive windows, nothing skipped, nothing augmented.

    evaluate(load_trained(Path("runs/mine/best.pt")), store, split="test", length=1024)["nats_per_note"]

A model reads each window without what came before it, so figures fall as `length` grows. Time counts from the first
to the last token of a window, silence included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..codecs.codec import Codec, Tokens
from ..corpus.store import Store
from ..evaluation.likelihood import add_up
from ..model.config import ModelConfig
from ..music.notes import trim
from .checkpoint import Trained
from .data.batches import TokenBatch, pad, pieces_of
from .hardware import LAPTOP, Hardware
from .network.fields import shift_right, token_nll


@dataclass(frozen=True)
class TokenWindows:
    """N windows to score: `batch` of N crops, and for each the piece it is from, its notes and its seconds, [N]."""

    batch: TokenBatch
    field_sizes: tuple[int, ...]
    piece: NDArray[np.int64]
    notes: NDArray[np.int64]
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.piece)


@dataclass(frozen=True)
class Scores:
    """A model's scores of N windows: `nll` float64 [N, F] in nats, `hits` float64 and `rows` int64 [N].

    `rows` counts the tokens that were predicted. A hit is one whose symbol (field 1, or the only field) was the
    likeliest, given the token's earlier fields.
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
    """Score a split, or `max_windows` windows spread evenly over it, and return what `summarise_scores` does."""
    codec, model = trained.codec, trained.model.to(hardware.device)
    windows = cut_token_windows(codec, trained.config, store, split=split, length=length, max_windows=max_windows)
    return summarise_scores(score(model, windows, hardware), windows, codec)


def cut_token_windows(
    codec: Codec, config: ModelConfig, store: Store, *, split: str, length: int, max_windows: int | None = None
) -> TokenWindows:
    """Cut the pieces of a split into windows of `length` tokens; raises CorpusError where it has none."""
    pieces = pieces_of(store, split)
    encoded = [codec.encode(trim(store.notes(piece.index))) for piece in pieces]
    starts = [(p, start) for p, tokens in enumerate(encoded) for start in range(0, len(tokens), length)]
    if max_windows is not None and max_windows < len(starts):
        # Evenly spaced, not random, so that every run of a corpus is validated on the same windows.
        spread = np.linspace(0, len(starts) - 1, max_windows).round().astype(int)
        starts = [starts[int(index)] for index in spread]
    tokens, counted = pad([encoded[p][start : start + length] for p, start in starts], codec, length)
    conditions = [config.condition_ids(composer=pieces[p].composer, source=pieces[p].source) for p, _ in starts]
    edges = {p: np.array(_window_edges(codec, encoded[p], length)) for p in {p for p, _ in starts}}
    spans = np.array([edges[p][start // length + 1] - edges[p][start // length] for p, start in starts])
    return TokenWindows(
        TokenBatch(tokens, counted, np.array(conditions, dtype=np.int16)),
        codec.field_sizes,
        piece=np.array([pieces[p].index for p, _ in starts]),
        notes=spans[:, 0].astype(np.int64),
        seconds=spans[:, 1],
    )


@torch.no_grad()
def score(model: nn.Module, windows: TokenWindows, hardware: Hardware, *, batch: int = 8) -> Scores:
    """Run the model over all windows, shared among the processes; it is left in evaluation mode."""
    # Each process fills its own windows and leaves zeros elsewhere, so a sum puts them together.
    count, field_count = windows.batch.counted.shape[0], windows.batch.counted.shape[-1]
    nll, hits = torch.zeros(count, field_count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64)
    model.eval()
    for start in range(hardware.rank * batch, count, hardware.world * batch):
        part = slice(start, start + batch)
        tokens, counted, conditions = hardware.tensors(windows.batch.part(part))
        with hardware.autocast():
            logits = model(shift_right(tokens, windows.field_sizes), tokens, conditions)
        nll[part] = token_nll(logits, tokens, counted).double().sum(dim=1).cpu()
        symbol = min(1, len(logits) - 1)
        is_hit = (logits[symbol].argmax(dim=-1) == tokens[..., symbol]) & counted[..., symbol]
        hits[part] = is_hit.double().sum(dim=1).cpu()
    rows = windows.batch.counted.any(axis=-1).sum(axis=-1)
    return Scores(hardware.sum_tensor(nll).numpy(), hardware.sum_tensor(hits).numpy(), rows)


def summarise_scores(scores: Scores, windows: TokenWindows, codec: Codec) -> dict[str, Any]:
    """Return the totals of windows, and their ratios.

    nats_per_row (a row is a token), nats_per_note and its 95 % interval over pieces (None of one), nats_per_second;
    accuracy (of the next symbol, top 1); by_field (nats per token in each field); rows, notes, seconds, windows and
    pieces.
    """
    pieces, piece_of_window = np.unique(windows.piece, return_inverse=True)
    nats = np.bincount(piece_of_window, scores.nll.sum(axis=1), minlength=len(pieces))
    together = add_up(nats, np.bincount(piece_of_window, windows.notes).astype(np.int64))
    total, rows = float(scores.nll.sum()), int(scores.rows.sum())
    notes, seconds = int(windows.notes.sum()), float(windows.seconds.sum())
    by_field = scores.nll.sum(axis=0) / max(rows, 1)
    return {
        "nats_per_row": total / max(rows, 1),
        "nats_per_note": total / max(notes, 1),
        "nats_per_note_interval": together and together.interval,
        "nats_per_second": total / seconds if seconds else 0.0,
        "accuracy": float(scores.hits.sum()) / max(rows, 1),
        "by_field": {name: float(nats) for name, nats in zip(codec.field_names, by_field, strict=True)},
        "rows": rows,
        "notes": notes,
        "seconds": seconds,
        "windows": len(windows),
        "pieces": len(pieces),
    }


def _window_edges(codec: Codec, tokens: Tokens, length: int) -> list[tuple[int, float]]:
    """Notes begun and the decoder's clock at the edges of a piece's windows: before the first, after each."""
    decoder = codec.decoder()
    edges = [(0, 0.0)]
    for start in range(0, len(tokens), length):
        for token in tokens[start : start + length].tolist():
            decoder.push(token)
        edges.append((decoder.note_count, decoder.clock))
    return edges

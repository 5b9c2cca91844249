"""The recurrent trunk: the first seed's LSTM over rows of fields."""

from __future__ import annotations

from torch import Tensor, nn

from ...model.config import ModelConfig
from .fields import ChainedHeads, FieldEmbedding


class LstmModel(nn.Module):
    """Embeddings, a stack of LSTM layers as wide as the embeddings, chained heads."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = FieldEmbedding(config)
        between = config.dropout if config.layers > 1 else 0.0
        self.lstm = nn.LSTM(config.width, config.width, config.layers, dropout=between, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = ChainedHeads(config)

    def forward(self, rows: Tensor, targets: Tensor, composer: Tensor, source: Tensor) -> list[Tensor]:
        hidden, _ = self.lstm(self.dropout(self.embedding(rows, composer, source)))
        logits: list[Tensor] = self.heads(self.dropout(hidden), targets)
        return logits

"""The recurrent trunk: the LSTM that the project began with, over tokens of several fields."""

from __future__ import annotations

from torch import Tensor, nn

from ...model.config import ModelConfig
from .fields import ChainedHeads, FieldEmbedding


class LstmModel(nn.Module):
    """Stacks embeddings, LSTM layers as wide as the embeddings, and chained heads."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = FieldEmbedding(config)
        between_layers = config.dropout if config.layers > 1 else 0.0  # torch warns of dropout with nothing between
        self.lstm = nn.LSTM(config.width, config.width, config.layers, dropout=between_layers, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = ChainedHeads(config)

    def forward(self, inputs: Tensor, targets: Tensor, conditions: Tensor) -> list[Tensor]:
        """Return the logits of each field of `targets`; see `build_model`."""
        hidden, _ = self.lstm(self.dropout(self.embedding(inputs, conditions)))
        logits: list[Tensor] = self.heads(self.dropout(hidden), targets)
        return logits

"""The networks that are trained, a file each, and the factory that builds the one a config describes."""

from __future__ import annotations

from torch import nn

from ...model.config import ModelConfig
from .lstm import LstmModel
from .transformer import TransformerModel


def build_model(config: ModelConfig) -> nn.Module:
    """Build the network that `config` describes, with fresh weights.

    Called with (inputs [B, T, F], targets [B, T, F], conditions [B, T, K], or [B, K] for all tokens), all int64, it
    returns the logits.
    """
    return LstmModel(config) if config.kind == "lstm" else TransformerModel(config)

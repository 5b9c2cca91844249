"""The networks that are trained, a file each, and the factory that builds the one a config describes.

`add_network` takes networks of one's own beside them: what is trained, and what of an exported graph is theirs. All of
them have `FieldEmbedding` as `embedding` and `ChainedHeads` as `heads`, whose weights the graphs know by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from ...errors import ConfigError
from ...model.config import KINDS, ModelConfig
from .lstm import LstmModel
from .transformer import TransformerModel


class Network(NamedTuple):
    """A network of one's own: `build(config)` makes it with fresh weights, for calls as `build_model` has them.

    `trunk(graph, config, hidden, is_decode=...)` adds its layers to an `onnx.builder.Graph` and returns the hidden
    states, [B, S, width] as `hidden`, the sums of embeddings, is: of one token where it is decoding, or always, where
    the config's kind is "lstm". What goes from token to token are the inputs and outputs of that kind: for "lstm"
    past_hidden.N and past_cell.N, and hidden.N and cell.N, float32 [B, width] in layer N.
    """

    build: Callable[[ModelConfig], nn.Module]
    trunk: Callable[..., str]


NETWORKS: dict[str, Network] = {}


def add_network(name: str, build: Callable[[ModelConfig], nn.Module], trunk: Callable[..., str]) -> None:
    """Let this process train and export a `Network` that `model.network` asks for; raises ConfigError for a kind."""
    if name in ("", *KINDS):
        raise ConfigError(f"a network cannot be called {name!r}: give it a name of its own")
    NETWORKS[name] = Network(build, trunk)


def find_network(name: str) -> Network:
    """Return the network that was added under a name; raises ConfigError where none was."""
    if name not in NETWORKS:
        known = ", ".join(NETWORKS) or "none"
        raise ConfigError(
            f"the network {name!r} is not known here, known are {known}: run the file that adds it "
            "(docs/use/extending.md)"
        )
    return NETWORKS[name]


def build_model(config: ModelConfig) -> nn.Module:
    """Build the network that `config` describes, with fresh weights; raises ConfigError where it is not known.

    Called with (inputs [B, T, F], targets [B, T, F], conditions [B, T, K], or [B, K] for all tokens), all int64, it
    returns the logits.
    """
    if config.network:
        return find_network(config.network).build(config)
    return LstmModel(config) if config.kind == "lstm" else TransformerModel(config)

"""Notes a second on one core, for the same music: Arietta beside what its users would run instead.

    pip install 'arietta[peers]'
    python -m benchmarks.speed.peers [--repeats 3] [--notes 500]

Hugging Face transformers' Llama has the trunk of `piano` (its width, layers, heads, and a feed-forward as wide), random
weights, and says one token at a time: 4.03 tokens a note, as PerformanceCodec says MAESTRO's test split. With its
cache it is `generate` with sampling; without (what the Keras example does, too) the whole prefix is read again for
every token, timed at a few lengths and summed along the line between them. PyTorch eager is `piano` itself, one row a
step with a cache allocated once, its heads and dice in torch, without grammar. midigpt is its own engine on a GPT-2 of
that trunk, with random weights (peer_midigpt.py); without the package it is left out, and stderr says so. Everything in
turn, in one process, on one thread, in float32 but for Arietta's own bundle, which is as it ships.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from arietta.generation.loop import generate
from arietta.generation.request import Request
from arietta.model.bundle import Bundle, load_bundle
from arietta.model.config import ModelConfig
from arietta.model.engine import load_engine
from arietta.train.network.transformer import TransformerModel, position_angles, rotate_pairs
from arietta.train.onnx.weights import read_trained_bundle
from benchmarks.shared.report import report, seconds
from benchmarks.speed.peer_midigpt import load_midigpt, open_session, seconds_of

TOKENS_A_NOTE = 2_990_127 / 741_410  # of MAESTRO's test split: docs/figures.jsonl, ablation/event
ROWS_A_NOTE = 1.16
VOCABULARY = 308
PREFIXES = (16, 256, 512, 1024, 1536)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--notes", type=int, default=500)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bundle = load_bundle("piano")
    cases = contestants(bundle, arguments.notes)
    for run in cases.values():
        run()  # the first call lays out memory
    rounds = [{name: run() for name, run in cases.items()} for _ in range(arguments.repeats)]
    for name in cases:
        report(f"peers/{name}", [arguments.notes / times[name] for times in rounds], "notes/s", threads=1)
    for name in list(cases)[1:]:
        report(
            f"peers/arietta against {name}", [times[name] / times["arietta"] for times in rounds], "times", threads=1
        )


def contestants(bundle: Bundle, notes: int) -> dict[str, Callable[[], float]]:
    """What is timed: each returns the seconds of `notes` notes."""
    engine = load_engine(bundle)
    llama = llama_like(bundle.model)
    eager = Eager(bundle)
    tokens = round(notes * TOKENS_A_NOTE)
    return {
        "arietta": lambda: seconds(lambda: generate(Request(notes=notes, seed=1), engine)),
        "transformers with its cache": lambda: seconds(lambda: generate_with_llama(llama, tokens)),
        "transformers without a cache": lambda: uncached(llama, tokens),
        "pytorch eager, the same model": lambda: seconds(lambda: eager.generate(round(notes * ROWS_A_NOTE))),
    } | midigpt_of(bundle.model, notes)


def midigpt_of(config: ModelConfig, notes: int) -> dict[str, Callable[[], float]]:
    """midigpt as a contestant; none, and a line on stderr, where it cannot be imported."""
    try:
        engine = load_midigpt(config)
    except ImportError as error:
        print(f"midigpt is left out: {error}", file=sys.stderr)
        return {}
    return {"midigpt": lambda: seconds_of(notes, open_session(engine, notes))}


def llama_like(config: ModelConfig) -> torch.nn.Module:
    """A Llama of the same trunk, with the tokens of PerformanceCodec."""
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.kv_heads,
        intermediate_size=4 * config.width,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=None,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    return LlamaForCausalLM(shape).eval()


@torch.no_grad()
def generate_with_llama(llama: torch.nn.Module, tokens: int) -> None:
    start = torch.zeros((1, 1), dtype=torch.int64)
    generated = llama.generate(start, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=True, top_p=0.95)
    assert generated.shape[1] == tokens + 1, "as many tokens as the notes take"


@torch.no_grad()
def uncached(llama: torch.nn.Module, tokens: int) -> float:
    """Seconds of `tokens` tokens when each reads its whole prefix."""
    lengths = [length for length in PREFIXES if length < tokens] + [tokens]
    costs = [
        seconds(lambda length=length: llama(torch.zeros((1, length), dtype=torch.int64), use_cache=False))
        for length in lengths
    ]
    return float(np.interp(np.arange(1, tokens + 1), lengths, costs).sum())


class Eager:
    """The bundle's network in torch, a row at a time: keys and values stand in buffers made once."""

    def __init__(self, bundle: Bundle) -> None:
        model = read_trained_bundle(bundle)
        assert isinstance(model, TransformerModel)
        self.model, self.config = model, bundle.model
        shape = (self.config.layers, self.config.kv_heads, self.config.context, self.config.head_width)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)
        turned = position_angles(self.config.context, self.config.head_width)
        self.cos, self.sin = turned.cos(), turned.sin()

    @torch.no_grad()
    def generate(self, rows: int) -> Tensor:
        """Draw `rows` rows int64 [rows, F], at most W."""
        row = torch.tensor(self.config.field_sizes)
        generated = []
        for position in range(min(rows, self.config.context)):
            row = self.draw(self.step(row, position))
            generated.append(row)
        return torch.stack(generated)

    def step(self, row: Tensor, position: int) -> Tensor:
        """Hidden state [width] after a row that stands at `place`."""
        anything = torch.zeros(1, len(self.model.config.conditions), dtype=torch.int64)
        hidden = self.model.embedding(row[None, None], anything)[0, 0]
        for layer, block in enumerate(self.model.blocks):
            hidden = hidden + self.attend(layer, block.attention, block.norm_1(hidden), position)
            hidden = hidden + block.down(functional.gelu(block.up(block.norm_2(hidden))))
        normed: Tensor = self.model.norm(hidden)
        return normed

    def attend(self, layer: int, attention: torch.nn.Module, normed: Tensor, position: int) -> Tensor:
        config = self.config
        heads = attention.qkv(normed).view(-1, config.head_width)
        query, key, value = heads.split([config.heads, config.kv_heads, config.kv_heads])
        if config.positions == "rotary":
            query, key = (rotate_pairs(part, self.cos[position], self.sin[position]) for part in (query, key))
        self.keys[layer, :, position], self.values[layer, :, position] = key, value
        query = query / math.sqrt(config.head_width)
        keys, values = self.keys[layer, :, : position + 1], self.values[layer, :, : position + 1]
        logits = query.view(config.kv_heads, -1, config.head_width) @ keys.transpose(1, 2)
        if config.positions == "relative":
            logits = logits + (query @ attention.relative[0, : position + 1].flip(0).T).view_as(logits)
        mixed: Tensor = attention.out((logits.softmax(dim=-1) @ values).flatten())
        return mixed

    def draw(self, hidden: Tensor) -> Tensor:
        """A row from the chained heads."""
        heads, row = self.model.heads, torch.zeros(len(self.config.field_sizes), dtype=torch.int64)
        for field, out in enumerate(heads.out):
            mixed = hidden
            if field:
                chain = heads.chain[field - 1]
                mixed = heads.mix[field - 1](hidden) + sum(table(row[i]) for i, table in enumerate(chain))
                mixed = functional.gelu(mixed)
            row[field] = torch.multinomial(out(mixed).softmax(dim=-1), 1)[0]
        return row


if __name__ == "__main__":
    main()

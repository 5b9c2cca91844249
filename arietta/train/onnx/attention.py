"""Attention over a cache that the caller holds, as operators: GroupQueryAttention, which moves keys and values on.

A cache in 8 bits has a fixed scale per channel, so that what one token wrote never changes. GroupQueryAttention reads
such a cache slowly for many tokens: 0.7 s of a prompt of 1,024 went there, and 0.25 s with its rows unpacked first
(benchmarks/speed/budget). For one token there is nothing to gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ...model.config import ModelConfig
from .builder import MICROSOFT, Graph, Weights

ANGLES = ("cos", "sin", "angle")  # inputs of a model with rotary positions


def attention(graph: Graph, config: ModelConfig, layer: int, parts: tuple[str, str, str, str]) -> str:
    """Add one layer's attention over the cache, [B, S, width], which writes keys and values in place.

    `parts`: queries, keys and values side by side [B, S, (H + 2 Hkv) D], the two lengths, and the bias or "".
    """
    shape: list[int | str] = ["B", config.kv_heads, config.context, config.head_width]
    kind = TensorProto.INT8 if graph.bits < 32 else TensorProto.FLOAT
    past = [graph.input(f"past_{part}.{layer}", kind, shape) for part in ("key", "value")]
    qkv, last_key, key_count, bias = parts
    is_rotary = config.positions == "rotary"
    aids = [last_key, key_count, *(ANGLES if is_rotary else [""] * 3), bias]
    few_bits: dict[str, Any] = {}
    scales: list[str] = []
    if graph.bits < 32:
        values = zip(("key_scale", "value_scale"), cache_scales(graph.weights, config, layer), strict=True)
        scales = [graph.constant(f"blocks.{layer}.attention.{part}", scale, np.float32) for part, scale in values]
        few_bits = dict.fromkeys(("k_quant_type", "v_quant_type"), "PER_CHANNEL") | {"kv_cache_bit_width": 8}

    def attend(past: Sequence[str], *scales: str, **settings: Any) -> list[str]:
        inputs = [qkv, "", "", *past, *aids, *(["", *scales] if scales else [])]
        while not inputs[-1]:  # trailing inputs that are left out are not written at all
            inputs.pop()
        settings |= {"num_heads": config.heads, "kv_num_heads": config.kv_heads, "do_rotary": int(is_rotary)}
        scale = config.head_width**-0.5
        return list(graph.op("GroupQueryAttention", *inputs, outputs=3, domain=MICROSOFT, scale=scale, **settings))

    def attend_unpacked() -> list[str]:
        axis, zero, end = (graph.constant(*each) for each in (("axis_2", [2]), ("from_0", [0]), ("no_end", [2**31])))
        count = graph.op("Reshape", graph.op("Cast", key_count, to=TensorProto.INT64), graph.constant("flat", [-1]))
        filled = graph.op("Sub", count, graph.op("Shape", "inputs", start=1, end=2))
        used = [graph.op("Slice", rows, zero, filled, axis) for rows in past]
        floats = [graph.op("Cast", rows, to=TensorProto.FLOAT) for rows in used]
        mixed, *present = attend([graph.op("Mul", *each) for each in zip(floats, scales, strict=True)])
        added = [graph.op("Slice", rows, filled, count, axis) for rows in present]
        steps = [graph.op("Round", graph.op("Div", *each)) for each in zip(added, scales, strict=True)]
        ends = graph.constant("least_step", -128, np.float32), graph.constant("most_steps", 127, np.float32)
        packed = [graph.op("Cast", graph.op("Clip", rows, *ends), to=TensorProto.INT8) for rows in steps]
        empty = [graph.op("Slice", rows, count, end, axis) for rows in past]
        return [mixed, *(graph.op("Concat", *rows, axis=2) for rows in zip(used, packed, empty, strict=True))]

    def attend_in_place() -> list[str]:
        return attend(past, *scales, **few_bits)

    if graph.takes_many:
        mixed = graph.either(graph.has_more_than(1), attend_unpacked, attend_in_place)[0]
    else:
        mixed = attend_in_place()[0]
    for index, part in enumerate(("key", "value"), 1):
        graph.nodes[-1].output[index] = f"{part}.{layer}"
        graph.outputs.append(helper.make_tensor_value_info(f"{part}.{layer}", kind, shape))
    return mixed


def cache_scales(weights: Weights, config: ModelConfig, layer: int) -> list[NDArray[np.float32]]:
    """Return one step of 8-bit keys and one of values, float32 [1, Hkv, 1, D], from the most a channel can ever hold.

    A normed vector is at most sqrt(width) long, so w (g x) is at most |w g| sqrt(width). Music reaches a third of that
    at most, so the steps divide half of it: it cost `concert` 0.0001 of its 10.86 nats per note, and needs no music.
    """
    block, heads = f"blocks.{layer}", config.heads * config.head_width
    matrix = weights[f"{block}.attention.qkv.weight"][heads:] * weights[f"{block}.norm_1.weight"]
    most = np.linalg.norm(matrix, axis=1).reshape(2, 1, config.kv_heads, 1, config.head_width) * config.width**0.5
    if config.positions == "rotary":  # turning a pair of channels may put all of it into one of them
        pairs = most[0].reshape(1, config.kv_heads, 1, 2, -1)
        most[0] = np.tile(np.linalg.norm(pairs, axis=3), 2)
    return list(np.maximum(most / 2, 1e-12).astype(np.float32) / 127)

"""The ONNX graphs of a trained model, written operator by operator so that each step is one call.

    step.onnx  one row in; trunk, chained heads and the sampling of every field inside; the next row out
    feed.onnx  S rows in, with the rows they should predict: the likelihood of each field, and the state moved on

Both share `weights.bin`. Keys and values live in buffers of the caller's, [B, Hkv, W, D] a layer, that
GroupQueryAttention updates in place; an LSTM's state is float32 [B, width] twice a layer. Linear layers and the cache
are float32, or 8 bit: layers in blocks of 64 (MatMulNBits, accuracy_level 4: 8-bit products; level 0 took ten times
as long), keys and values with a fixed scale a channel. Tables of which one row is read, and that of the distances,
which 8 bits made slower, stay float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ...codecs.codec import Codec
from ...model.config import ModelConfig
from ..network.transformer import NORM_EPSILON
from .builder import MICROSOFT, SMALLEST_EXTERNAL, Graph, Weights

HIDDEN_LOGIT = -1e30
ANGLES = ("cos", "sin", "angle")


def build_graphs(config: ModelConfig, codec: Codec, weights: Weights, *, bits: int) -> tuple[Graph, Graph]:
    """Return (step, feed) for the checkpoint's `weights`; both hold the same tensors, so one data file serves."""
    step, feed = Graph(weights, bits=bits), Graph(weights, bits=bits)
    fields = len(config.field_sizes)
    rows, nll, logits = _sampled_heads(step, config, codec, _trunk(step, config, rows=1))
    step.output("rows", TensorProto.INT64, ["B", fields], rows)
    step.output("nll", TensorProto.FLOAT, ["B", fields], nll)
    step.output("logits", TensorProto.FLOAT, ["B", 1, sum(config.field_sizes)], logits)
    nll = _scored_heads(feed, config, _trunk(feed, config, rows=-1))
    feed.output("nll", TensorProto.FLOAT, ["B", "S", fields], nll)
    shared = {**step.tensors, **feed.tensors}
    large = {name: value for name, value in shared.items() if value.nbytes >= SMALLEST_EXTERNAL}
    step.tensors, feed.tensors = large | step.tensors, large | feed.tensors
    return step, feed


def _trunk(graph: Graph, config: ModelConfig, *, rows: int) -> str:
    """Inputs, embeddings and layers over so many rows (-1: any number S); returns the hidden states [B, S, width]."""
    fields = len(config.field_sizes)
    inputs = graph.input("inputs", TensorProto.INT64, ["B", "S", fields + 2])
    names = [f"embedding.tables.{field}.weight" for field in range(fields)]
    tables = [graph.weights[name] for name in (*names, "embedding.composer.weight", "embedding.source.weight")]
    offsets = np.cumsum([0, *(len(table) for table in tables[:-1])])
    table = graph.constant("embeddings", np.concatenate(tables), np.float32)
    places = graph.add(inputs, graph.constant("embedding_offsets", offsets))
    # Not ReduceSum: it adds in another order for one piece than for several, and batches must give the same bits.
    parts = graph.op("Split", graph.op("Gather", table, places), outputs=len(tables), axis=2, num_outputs=len(tables))
    hidden = graph.op("Squeeze", graph.op("Sum", *parts), graph.constant("axis_2", [2]))
    return _lstm(graph, config, hidden) if config.kind == "lstm" else _transformer(graph, config, hidden, rows)


def _lstm(graph: Graph, config: ModelConfig, hidden: str) -> str:
    """One step of each layer (S is 1): gates in torch's order, input, forget, cell, output."""
    hidden = graph.op("Squeeze", hidden, graph.constant("axis_1", [1]))
    shape: list[int | str] = ["B", config.width]
    for layer in range(config.layers):
        before = graph.input(f"past_hidden.{layer}", TensorProto.FLOAT, shape)
        cell = graph.input(f"past_cell.{layer}", TensorProto.FLOAT, shape)
        weights = [graph.weights[f"lstm.{kind}_l{layer}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        both = graph.op("Concat", hidden, before, axis=-1)
        matrix = np.concatenate(weights[:2], axis=1)
        gates = graph.linear(both, f"lstm.{layer}", matrix, weights[2] + weights[3])
        enter, forget, new, leave = graph.op("Split", gates, outputs=4, axis=-1, num_outputs=4)
        kept = graph.op("Mul", graph.op("Sigmoid", forget), cell)
        cell = graph.add(kept, graph.op("Mul", graph.op("Sigmoid", enter), graph.op("Tanh", new)))
        hidden = graph.op("Mul", graph.op("Sigmoid", leave), graph.op("Tanh", cell))
        graph.output(f"hidden.{layer}", TensorProto.FLOAT, shape, hidden)
        graph.output(f"cell.{layer}", TensorProto.FLOAT, shape, cell)
    return str(graph.op("Unsqueeze", hidden, graph.constant("axis_1", [1])))


def _transformer(graph: Graph, config: ModelConfig, hidden: str, rows: int) -> str:
    """The blocks. `last_key` int32 [B]: the cache's place of a piece's last row; `key_count` int32: the largest + 1."""
    lengths = graph.input("last_key", TensorProto.INT32, ["B"]), graph.input("key_count", TensorProto.INT32, [])
    aids = _position_aids(graph, config, lengths[1])
    if config.positions == "absolute":
        table = graph.constant("position.weight", graph.weights["position.weight"], np.float32)
        hidden = graph.add(hidden, graph.op("Gather", table, aids["places"]))
    added = ""
    for layer in range(config.layers):
        name = f"blocks.{layer}"
        normed, hidden = _norm(graph, f"{name}.norm_1", hidden, added)
        qkv = graph.layer(normed, f"{name}.attention.qkv")
        bias = _relative_logits(graph, config, f"{name}.attention", qkv, aids, rows) if "distance" in aids else ""
        added = graph.layer(_attention(graph, config, layer, (qkv, *lengths, bias)), f"{name}.attention.out")
        normed, hidden = _norm(graph, f"{name}.norm_2", hidden, added)
        raised = graph.op("Gelu", graph.layer(normed, f"{name}.up"))
        added = graph.layer(raised, f"{name}.down")
    return _norm(graph, "norm", hidden, added)[0]


def _norm(graph: Graph, name: str, hidden: str, added: str) -> tuple[str, str]:
    """RMS norm of hidden + added ("" for nothing): (normed, the sum)."""
    gain = graph.constant(f"{name}.weight", graph.weights[f"{name}.weight"], np.float32)
    if not added:
        return graph.op("SimplifiedLayerNormalization", hidden, gain, axis=-1, epsilon=NORM_EPSILON), hidden
    kind = "SkipSimplifiedLayerNormalization"
    made = graph.op(kind, hidden, added, gain, outputs=4, domain=MICROSOFT, epsilon=NORM_EPSILON)
    return made[0], made[3]


def _position_aids(graph: Graph, config: ModelConfig, total: str) -> dict[str, str]:
    """What all layers share of positions: distances to the keys, rotary angles, or absolute places.

    `cos` and `sin` float32 [P, D / 2] hold the angles of this call's rows, and `angle` int64 [B, S] says which row of
    them is whose: a piece may grow longer than any table. P is B S or more, and W or more.
    """
    if config.positions == "rotary":
        for name in ANGLES[:2]:
            graph.input(name, TensorProto.FLOAT, ["P", config.head_width // 2])
        graph.input(ANGLES[2], TensorProto.INT64, ["B", "S"])
        return {}
    if config.positions == "absolute":
        return {"places": graph.input("places", TensorProto.INT32, ["B", "S"])}
    own = graph.input("places", TensorProto.INT32, ["B", 1, "S", 1])
    zero, one = graph.constant("zero", 0, np.int32), graph.constant("one", 1, np.int32)
    distance = graph.op("Max", graph.op("Sub", own, graph.op("Range", zero, total, one)), zero)  # [B, 1, S, T]
    return {"distance": graph.op("Expand", distance, graph.constant("by_heads", [1, config.heads, 1, 1]))}


def _attention(graph: Graph, config: ModelConfig, layer: int, parts: tuple[str, str, str, str]) -> str:
    """Attention of one layer over the cache, [B, S, width], keys and values kept in place.

    `parts`: queries, keys and values side by side [B, S, (H + 2 Hkv) D], the two lengths, and the bias or "".
    """
    name = f"blocks.{layer}.attention"
    shape: list[int | str] = ["B", config.kv_heads, config.context, config.head_width]
    kind = TensorProto.INT8 if graph.bits == 8 else TensorProto.FLOAT
    past = [graph.input(f"past_{part}.{layer}", kind, shape) for part in ("key", "value")]
    qkv, last_key, key_count, bias = parts
    is_rotary = config.positions == "rotary"
    inputs = [qkv, "", "", *past, last_key, key_count, *(ANGLES if is_rotary else [""] * 3), bias]
    settings: dict[str, Any] = {"num_heads": config.heads, "kv_num_heads": config.kv_heads, "do_rotary": int(is_rotary)}
    if graph.bits == 8:
        scales = zip(("key_scale", "value_scale"), cache_scales(graph.weights, config, layer), strict=True)
        inputs += ["", *(graph.constant(f"{name}.{part}", scale, np.float32) for part, scale in scales)]
        settings |= dict.fromkeys(("k_quant_type", "v_quant_type"), "PER_CHANNEL") | {"kv_cache_bit_width": 8}
    while not inputs[-1]:
        inputs.pop()
    names = [f"{name}.mixed", f"key.{layer}", f"value.{layer}"]
    scale = config.head_width**-0.5
    graph.nodes.append(
        helper.make_node("GroupQueryAttention", inputs, names, domain=MICROSOFT, scale=scale, **settings)
    )
    graph.outputs += [helper.make_tensor_value_info(made, kind, shape) for made in names[1:]]
    return names[0]


def cache_scales(weights: Weights, config: ModelConfig, layer: int) -> list[NDArray[np.float32]]:
    """One step of 8-bit keys and of values, float32 [1, Hkv, 1, D], from the most that a channel can ever hold.

    A normed row is at most sqrt(width) long, so w (g x) is at most |w g| sqrt(width). Music reaches a third of that
    at most, so the steps divide half of it: it cost `concert` 0.0001 of its 10.86 nats a note, and needs no music.
    """
    block, heads = f"blocks.{layer}", config.heads * config.head_width
    matrix = weights[f"{block}.attention.qkv.weight"][heads:] * weights[f"{block}.norm_1.weight"]
    most = np.linalg.norm(matrix, axis=1).reshape(2, 1, config.kv_heads, 1, config.head_width) * config.width**0.5
    if config.positions == "rotary":  # turning a pair of channels may put all of it into one of them
        pairs = most[0].reshape(1, config.kv_heads, 1, 2, -1)
        most[0] = np.tile(np.linalg.norm(pairs, axis=3), 2)
    return list(np.maximum(most / 2, 1e-12).astype(np.float32) / 127)


def _relative_logits(graph: Graph, config: ModelConfig, name: str, qkv: str, aids: Mapping[str, str], rows: int) -> str:
    """q E_d / sqrt(D) laid out by key, float32 [B, H, S, T]: one product with all W distances, then a gather.

    The whole table is packed once, in float32; a slice of the distances in use would be a copy at every step, and 8
    bits took 1.6 times as long.
    """
    relative = graph.weights[f"{name}.relative"] * np.float32(config.head_width**-0.5)  # [1 or H, W, D]
    if rows == 1:
        heads = graph.op("Reshape", qkv, graph.constant("heads_of_a_row", [0, -1, 1, config.head_width]))
    else:
        split = graph.op("Reshape", qkv, graph.constant("rows_and_heads", [0, 0, -1, config.head_width]))
        heads = graph.op("Transpose", split, perm=[0, 2, 1, 3])  # [B, H + 2 Hkv, S, D]
    starts, ends = graph.constant("from_0", [0]), graph.constant("head_count", [config.heads])
    queries = graph.op("Slice", heads, starts, ends, graph.constant("axis_1", [1]))
    by_distance = relative.transpose(0, 2, 1).copy()  # [1 or H, D, W]
    table = graph.constant(f"{name}.relative", by_distance[0] if len(by_distance) == 1 else by_distance, np.float32)
    return str(graph.op("GatherElements", graph.op("MatMul", queries, table), aids["distance"], axis=3))


def _mixed_hidden(graph: Graph, config: ModelConfig, hidden: str) -> list[str]:
    """A_i h + a_i for the fields after the first, one product for all."""
    later = range(len(config.field_sizes) - 1)
    if not later:
        return []
    matrix = np.concatenate([graph.weights[f"heads.mix.{i}.weight"] for i in later])
    bias = np.concatenate([graph.weights[f"heads.mix.{i}.bias"] for i in later])
    mixed = graph.linear(hidden, "heads.mix", matrix, bias)
    parts = graph.op("Split", mixed, outputs=len(later), axis=-1, num_outputs=len(later))
    return [parts] if len(later) == 1 else list(parts)


def _head(graph: Graph, field: int, hidden: str, mixed: Sequence[str], earlier: Sequence[str]) -> str:
    """Log-likelihood of one field's values, given the earlier fields' values."""
    if field > 0:
        names = [f"heads.chain.{field - 1}.{place}.weight" for place in range(len(earlier))]
        tables = [graph.constant(name, graph.weights[name], np.float32) for name in names]
        heard = [graph.op("Gather", table, value) for table, value in zip(tables, earlier, strict=True)]
        hidden = graph.op("Gelu", graph.op("Sum", mixed[field - 1], *heard))
    return str(graph.op("LogSoftmax", graph.layer(hidden, f"heads.out.{field}"), axis=-1))


def _scored_heads(graph: Graph, config: ModelConfig, hidden: str) -> str:
    """nll float32 [B, S, F] of the rows `targets`."""
    fields = len(config.field_sizes)
    targets = graph.input("targets", TensorProto.INT64, ["B", "S", fields])
    columns = [graph.op("Gather", targets, graph.constant(f"field_{field}", field), axis=2) for field in range(fields)]
    mixed = _mixed_hidden(graph, config, hidden)
    likely = [_head(graph, field, hidden, mixed, columns[:field]) for field in range(fields)]
    return _nll_of(graph, config, graph.op("Concat", *likely, axis=-1), targets)


def _nll_of(graph: Graph, config: ModelConfig, likely: str, rows: str) -> str:
    """-log p of each field's value, [.., F], for the fields' log p side by side [.., sum V] and rows [.., F]."""
    starts = graph.constant("field_starts", np.cumsum([0, *config.field_sizes[:-1]]))
    return str(graph.op("Neg", graph.op("GatherElements", likely, graph.add(rows, starts), axis=-1)))


def _sampled_heads(graph: Graph, config: ModelConfig, codec: Codec, hidden: str) -> tuple[str, str, str]:
    """Choose the next row field by field: (rows [B, F], nll [B, F] under the model itself, log p [B, 1, sum V]).

    Everything keeps the axis of the one row, so that a value chosen, [B, 1], is an index and a column at once. A piece
    draws from own log p + other log p', where p' is the chance at the place `twin` (guidance: see `composing`); `nll`
    and log p are its own.
    """
    sizes = config.field_sizes
    allowed = graph.input("allowed", TensorProto.BOOL, ["B", 1, sum(sizes)])
    noise = graph.input("noise", TensorProto.FLOAT, ["B", 1, sum(sizes)])
    if len(sizes) > 1:
        graph.input("earliest", TensorProto.INT64, ["B", 1, sizes[1]])
    dice = tuple(graph.input(name, TensorProto.FLOAT, ["B", 1, 1]) for name in ("temperature", "top_p", "min_p"))
    twin = graph.input("twin", TensorProto.INT64, ["B"])
    own, other = (graph.input(name, TensorProto.FLOAT, ["B", 1, 1]) for name in ("own", "other"))
    permitted, gumbel = _parts(graph, allowed, sizes), _parts(graph, noise, sizes)
    mixed = _mixed_hidden(graph, config, hidden)
    values: list[str] = []
    likely: list[str] = []
    for field in range(len(sizes)):
        likely.append(_head(graph, field, hidden, mixed, values))
        mask = _mask(graph, codec, field, permitted[field], values)
        heard = graph.op("Mul", graph.op("Gather", likely[-1], twin), other)
        guided = graph.op("Add", graph.op("Mul", likely[-1], own), heard)
        kept = graph.op("Where", mask, guided, graph.constant("hidden_logit", HIDDEN_LOGIT, np.float32))
        if field == codec.sampled_field:
            kept = _diced(graph, kept, sizes[field], dice)
        values.append(graph.op("ArgMax", graph.op("Add", kept, gumbel[field]), axis=-1, keepdims=0))
    rows, together = (graph.op("Concat", *parts, axis=-1) for parts in (values, likely))
    by_row = graph.op("Unsqueeze", rows, graph.constant("axis_1", [1]))
    nll = graph.op("Squeeze", _nll_of(graph, config, together, by_row), graph.constant("axis_1", [1]))
    return rows, nll, together


def _parts(graph: Graph, value: str, sizes: Sequence[int]) -> list[str]:
    """Cut [B, 1, sum of sizes] into one [B, 1, size] a field."""
    if len(sizes) == 1:
        return [value]
    return list(
        graph.op(
            "Split", value, graph.constant("sizes_" + "_".join(map(str, sizes)), sizes), outputs=len(sizes), axis=-1
        )
    )


def _mask(graph: Graph, codec: Codec, field: int, allowed: str, values: Sequence[str]) -> str:
    """Which values of a field may be chosen, bool [B, 1, V]: `codec.Masks` and the codec's tables."""
    if field == 1:
        time = graph.op("Unsqueeze", values[0], graph.constant("axis_last", [-1]))
        allowed = graph.op("And", allowed, graph.op("GreaterOrEqual", time, "earliest"))
    if field in codec.tables:
        on, table = codec.tables[field]
        rows = graph.op("Gather", graph.constant(f"table.{field}", table, np.bool_), values[on])
        allowed = graph.op("And", allowed, rows)
    return allowed


def _diced(graph: Graph, logits: str, size: int, dice: tuple[str, ...]) -> str:
    """Temperature, then min-p and top-p over masked logits [B, 1, V]; `sampling.sample` says the same in numpy."""
    temperature, top_p, min_p = dice
    hidden = graph.constant("hidden_logit", HIDDEN_LOGIT, np.float32)
    scaled = graph.op("Div", logits, temperature)
    chance = graph.op("Softmax", scaled, axis=-1)
    ordered = graph.op("TopK", chance, graph.constant(f"size_{size}", [size]), outputs=2, axis=-1)[0]
    last = graph.constant("axis_last", [-1])
    best = graph.op("Slice", ordered, graph.constant("from_0", [0]), graph.constant("to_1", [1]), last)
    before = graph.op("CumSum", ordered, graph.constant("last_axis", -1), exclusive=1)
    inside = graph.op("Less", before, top_p)
    least = graph.op("ReduceMin", graph.op("Where", inside, ordered, best), last)
    floor = graph.op("Max", least, graph.op("Mul", best, min_p))
    return str(graph.op("Where", graph.op("GreaterOrEqual", chance, floor), scaled, hidden))

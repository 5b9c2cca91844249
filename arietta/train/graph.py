"""The ONNX graphs of a trained model, written operator by operator so that each step is one call.

    step.onnx  one row in; torso, chained heads and the sampling of every field inside; the next row out
    feed.onnx  S rows in, with the rows they should predict: the likelihood of each field, and the state moved on

Both share `weights.bin`. Keys and values live in buffers of the caller's, float32 [B, Hkv, W, D] a layer, that
GroupQueryAttention updates in place; an LSTM's state is float32 [B, width] twice a layer. Linear layers are float32
or 8 bit in blocks of 32 (MatMulNBits, accuracy_level 4: 8-bit products; level 0 took ten times as long).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from onnx import TensorProto, helper

from ..codec import Codec
from ..model_config import ModelConfig
from .onnx_graph import MICROSOFT, SMALLEST_EXTERNAL, Graph, Weights
from .transformer import NORM_EPSILON, ROTARY_BASE

HIDDEN_LOGIT = -1e30


def build_graphs(config: ModelConfig, codec: Codec, weights: Weights, *, bits: int) -> tuple[Graph, Graph]:
    """Return (step, feed) for the checkpoint's `weights`; both hold the same tensors, so one data file serves."""
    step, feed = Graph(weights, bits=bits), Graph(weights, bits=bits)
    step_hidden = _torso(step, config)
    chosen = _sampled_heads(step, config, codec, step_hidden)
    step.output("rows", TensorProto.INT64, ["B", len(config.field_sizes)], chosen[0])
    step.output("nll", TensorProto.FLOAT, ["B", len(config.field_sizes)], chosen[1])
    step.output("logits", TensorProto.FLOAT, ["B", sum(config.field_sizes)], chosen[2])
    nll = _scored_heads(feed, config, _torso(feed, config))
    feed.output("nll", TensorProto.FLOAT, ["B", "S", len(config.field_sizes)], nll)
    shared = {**step.tensors, **feed.tensors}
    large = {name: value for name, value in shared.items() if value.nbytes >= SMALLEST_EXTERNAL}
    step.tensors, feed.tensors = large | step.tensors, large | feed.tensors
    return step, feed


def _torso(graph: Graph, config: ModelConfig) -> str:
    """Inputs, embeddings and layers; returns the hidden states [B, S, width]."""
    fields = len(config.field_sizes)
    rows = graph.input("inputs", TensorProto.INT64, ["B", "S", fields + 2])
    names = [f"embedding.tables.{field}.weight" for field in range(fields)]
    tables = [graph.weights[name] for name in (*names, "embedding.composer.weight", "embedding.source.weight")]
    offsets = np.cumsum([0, *(len(table) for table in tables[:-1])])
    table = graph.constant("embeddings", np.concatenate(tables), np.float32)
    places = graph.add(rows, graph.constant("embedding_offsets", offsets))
    # Not ReduceSum: it adds in another order for one piece than for several, and batches must give the same bits.
    parts = graph.op("Split", graph.op("Gather", table, places), outputs=len(tables), axis=2, num_outputs=len(tables))
    hidden = graph.op("Squeeze", graph.op("Sum", *parts), graph.constant("axis_2", [2]))
    return _lstm(graph, config, hidden) if config.kind == "lstm" else _transformer(graph, config, hidden)


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


def _transformer(graph: Graph, config: ModelConfig, hidden: str) -> str:
    """The blocks. Inputs: `filled` int64 [B, 1, 1], rows in the cache before these; `position`, rows ever taken in."""
    filled = graph.input("filled", TensorProto.INT64, ["B", 1, 1])
    count = graph.input("last_key", TensorProto.INT32, ["B"])
    total = graph.input("key_count", TensorProto.INT32, [])
    aids = _position_aids(graph, config, hidden, filled, total)
    if config.positions == "absolute":
        table = graph.constant("position.weight", graph.weights["position.weight"], np.float32)
        hidden = graph.add(hidden, graph.op("Gather", table, aids["places"]))
    added = ""
    for layer in range(config.layers):
        name = f"blocks.{layer}"
        normed, hidden = _norm(graph, f"{name}.norm_1", hidden, added)
        added = graph.layer(_attention(graph, config, layer, normed, aids, (count, total)), f"{name}.attention.out")
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


def _position_aids(graph: Graph, config: ModelConfig, hidden: str, filled: str, total: str) -> dict[str, str]:
    """What all layers share of positions: key places by distance, rotary angles, or absolute places."""
    zero, one = graph.constant("zero", 0), graph.constant("one", 1)
    rows = graph.op("Gather", graph.op("Shape", hidden), one)
    steps = graph.op("Range", zero, rows, one)  # [S]
    if config.positions == "absolute":
        return {"places": graph.op("Add", graph.op("Squeeze", filled, graph.constant("axis_2", [2])), steps)}
    if config.positions == "rotary":
        return _rotary_angles(graph, config, steps)
    keys = graph.op("Cast", total, to=TensorProto.INT64)
    column = graph.op("Unsqueeze", steps, graph.constant("axis_1", [1]))
    own = graph.op("Unsqueeze", graph.op("Add", filled, column), graph.constant("axis_1", [1]))  # [B, 1, S, 1]
    distance = graph.op("Max", graph.op("Sub", own, graph.op("Range", zero, keys, one)), zero)  # [B, 1, S, T]
    shape = graph.op("Concat", *_lengths(graph, distance, config.heads), axis=0)
    return {
        "distance": graph.op("Expand", distance, shape),
        "keys": graph.op("Reshape", keys, graph.constant("minus_one", [-1])),
    }


def _lengths(graph: Graph, distance: str, heads: int) -> list[str]:
    """The shape [B, H, S, T] for a tensor [B, 1, S, T], as four one-number vectors."""
    shape = graph.op("Shape", distance)
    pick = [graph.op("Gather", shape, graph.constant(f"only_{axis}", [axis])) for axis in (0, 2, 3)]
    return [pick[0], graph.constant("head_count", [heads]), pick[1], pick[2]]


def _rotary_angles(graph: Graph, config: ModelConfig, steps: str) -> dict[str, str]:
    """cos and sin [B, S, 1, D / 2] of the rows' positions, counted from the piece's first row."""
    position = graph.input("position", TensorProto.INT64, ["B", 1])
    rates = ROTARY_BASE ** (-np.arange(0, config.head_width, 2, dtype=np.float32) / config.head_width)
    where = graph.op("Cast", graph.op("Add", position, steps), to=TensorProto.FLOAT)
    where = graph.op("Unsqueeze", where, graph.constant("axes_2_3", [2, 3]))
    angles = graph.op("Mul", where, graph.constant("rotary_rates", rates, np.float32))
    return {"cos": graph.op("Cos", angles), "sin": graph.op("Sin", angles)}


def _attention(
    graph: Graph, config: ModelConfig, layer: int, normed: str, aids: Mapping[str, str], lengths: tuple[str, str]
) -> str:
    """Attention of one layer over the cache, [B, S, width] -> [B, S, width], keys and values kept in place."""
    name, width = f"blocks.{layer}.attention", config.head_width
    sizes = graph.constant("qkv_sizes", [config.heads * width, config.kv_heads * width, config.kv_heads * width])
    query, key, value = graph.op("Split", graph.layer(normed, f"{name}.qkv"), sizes, outputs=3, axis=-1)
    bias = ""
    if "cos" in aids:
        query, key = (_rotate(graph, part, config, aids) for part in (query, key))
    elif "distance" in aids:
        bias = _relative_logits(graph, config, name, query, aids)
    shape: list[int | str] = ["B", config.kv_heads, config.context, width]
    past = [graph.input(f"past_{kind}.{layer}", TensorProto.FLOAT, shape) for kind in ("key", "value")]
    nothing = ["", "", ""]  # cosines, sines and position ids: rotation is done above
    inputs = [query, key, value, *past, *lengths, *nothing, bias]
    names = [f"{name}.mixed", f"key.{layer}", f"value.{layer}"]
    self_attention = helper.make_node(
        "GroupQueryAttention",
        inputs if bias else inputs[:7],
        names,
        domain=MICROSOFT,
        num_heads=config.heads,
        kv_num_heads=config.kv_heads,
        scale=width**-0.5,
    )
    graph.nodes.append(self_attention)
    graph.outputs += [helper.make_tensor_value_info(made, TensorProto.FLOAT, shape) for made in names[1:]]
    return names[0]


def _rotate(graph: Graph, part: str, config: ModelConfig, aids: Mapping[str, str]) -> str:
    """Rotate [B, S, heads * D] by the rows' angles, as `transformer.rotate` does."""
    split = graph.op("Reshape", part, graph.constant("by_head", [0, 0, -1, config.head_width]))
    low, high = graph.op("Split", split, outputs=2, axis=-1, num_outputs=2)
    turned = [
        graph.op("Sub", graph.op("Mul", low, aids["cos"]), graph.op("Mul", high, aids["sin"])),
        graph.op("Add", graph.op("Mul", high, aids["cos"]), graph.op("Mul", low, aids["sin"])),
    ]
    joined = graph.op("Concat", *turned, axis=-1)
    return str(graph.op("Reshape", joined, graph.constant("flat_heads", [0, 0, -1])))


def _relative_logits(graph: Graph, config: ModelConfig, name: str, query: str, aids: Mapping[str, str]) -> str:
    """q E_d / sqrt(D) laid out by key, float32 [B, H, S, T]: one product with the distances in use, then a gather."""
    relative = graph.weights[f"{name}.relative"] * np.float32(config.head_width**-0.5)
    table = graph.constant(f"{name}.relative", relative.transpose(0, 2, 1).copy(), np.float32)  # [1 or H, D, W]
    starts, axes = graph.constant("from_0", [0]), graph.constant("axis_2", [2])
    in_use = graph.op("Slice", table, starts, aids["keys"], axes)
    heads = graph.op("Reshape", query, graph.constant("by_head", [0, 0, -1, config.head_width]))
    by_head = graph.op("Transpose", heads, perm=[0, 2, 1, 3])  # [B, H, S, D]
    return str(graph.op("GatherElements", graph.op("MatMul", by_head, in_use), aids["distance"], axis=3))


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
    """Logits of one field, given the earlier fields' values."""
    if field == 0:
        return graph.layer(hidden, "heads.out.0")
    summed = mixed[field - 1]
    for place, value in enumerate(earlier):
        name = f"heads.chain.{field - 1}.{place}.weight"
        summed = graph.add(summed, graph.op("Gather", graph.constant(name, graph.weights[name], np.float32), value))
    return graph.layer(graph.op("Gelu", summed), f"heads.out.{field}")


def _scored_heads(graph: Graph, config: ModelConfig, hidden: str) -> str:
    """nll float32 [B, S, F] of the rows `targets`."""
    fields = len(config.field_sizes)
    targets = graph.input("targets", TensorProto.INT64, ["B", "S", fields])
    columns = [graph.op("Gather", targets, graph.constant(f"field_{field}", field), axis=2) for field in range(fields)]
    mixed = _mixed_hidden(graph, config, hidden)
    parts = []
    for field in range(fields):
        logits = _head(graph, field, hidden, mixed, columns[:field])
        parts.append(_nll_of(graph, logits, columns[field]))
    return str(graph.op("Concat", *parts, axis=-1))


def _nll_of(graph: Graph, logits: str, value: str) -> str:
    """-log softmax(logits)[value] with one column, for logits [.., V] and values [..]."""
    place = graph.op("Unsqueeze", value, graph.constant("axis_last", [-1]))
    chosen = graph.op("GatherElements", graph.op("LogSoftmax", logits, axis=-1), place, axis=-1)
    return str(graph.op("Neg", chosen))


def _sampled_heads(graph: Graph, config: ModelConfig, codec: Codec, hidden: str) -> tuple[str, str, str]:
    """Choose the next row field by field: (rows [B, F], nll [B, F] under the model itself, logits [B, sum V])."""
    sizes = config.field_sizes
    allowed = graph.input("allowed", TensorProto.BOOL, ["B", sum(sizes)])
    noise = graph.input("noise", TensorProto.FLOAT, ["B", sum(sizes)])
    dice = [graph.input(name, TensorProto.FLOAT, ["B", len(sizes)]) for name in ("temperature", "top_p", "min_p")]
    by_field = list(zip(*(_parts(graph, name, [1] * len(sizes)) for name in dice), strict=True))
    if len(sizes) > 1:
        graph.input("earliest", TensorProto.INT64, ["B", sizes[1]])
    permitted, gumbel = _parts(graph, allowed, sizes), _parts(graph, noise, sizes)
    hidden = graph.op("Squeeze", hidden, graph.constant("axis_1", [1]))
    mixed = _mixed_hidden(graph, config, hidden)
    values: list[str] = []
    all_logits, nlls = [], []
    for field in range(len(sizes)):
        logits = _head(graph, field, hidden, mixed, values)
        mask = _mask(graph, codec, field, permitted[field], values)
        values.append(_sample(graph, logits, mask, gumbel[field], sizes[field], by_field[field]))
        nlls.append(_nll_of(graph, logits, values[-1]))
        all_logits.append(logits)
    rows = [graph.op("Unsqueeze", value, graph.constant("axis_last", [-1])) for value in values]
    return tuple(graph.op("Concat", *parts, axis=-1) for parts in (rows, nlls, all_logits))


def _parts(graph: Graph, value: str, sizes: Sequence[int]) -> list[str]:
    """Cut [B, sum of sizes] into one [B, size] a field."""
    if len(sizes) == 1:
        return [value]
    return list(
        graph.op(
            "Split", value, graph.constant("sizes_" + "_".join(map(str, sizes)), sizes), outputs=len(sizes), axis=-1
        )
    )


def _mask(graph: Graph, codec: Codec, field: int, allowed: str, values: Sequence[str]) -> str:
    """Which values of a field may be chosen, bool [B, V]: `codec.Masks` and the codec's tables."""
    if field == 1:
        time = graph.op("Unsqueeze", values[0], graph.constant("axis_last", [-1]))
        allowed = graph.op("And", allowed, graph.op("GreaterOrEqual", time, "earliest"))
    if field in codec.tables:
        on, table = codec.tables[field]
        rows = graph.op("Gather", graph.constant(f"table.{field}", table, np.bool_), values[on])
        allowed = graph.op("And", allowed, rows)
    return allowed


def _sample(graph: Graph, logits: str, mask: str, noise: str, size: int, dice: tuple[str, str, str]) -> str:
    """Choose a value int64 [B]: temperature, then min-p and top-p, then Gumbel noise; `sampling.choose` in numpy."""
    temperature, top_p, min_p = dice
    hidden = graph.constant("hidden_logit", HIDDEN_LOGIT, np.float32)
    scaled = graph.op("Where", mask, graph.op("Div", logits, temperature), hidden)
    chance = graph.op("Softmax", scaled, axis=-1)
    ordered = graph.op("TopK", chance, graph.constant(f"size_{size}", [size]), outputs=2, axis=-1)[0]
    last = graph.constant("axis_last", [-1])
    best = graph.op("Slice", ordered, graph.constant("from_0", [0]), graph.constant("to_1", [1]), last)
    before = graph.op("CumSum", ordered, graph.constant("last_axis", -1), exclusive=1)
    inside = graph.op("Less", before, top_p)
    least = graph.op("ReduceMin", graph.op("Where", inside, ordered, best), last)
    floor = graph.op("Max", least, graph.op("Mul", best, min_p))
    kept = graph.op("Where", graph.op("GreaterOrEqual", chance, floor), scaled, hidden)
    return str(graph.op("ArgMax", graph.op("Add", kept, noise), axis=-1, keepdims=0))

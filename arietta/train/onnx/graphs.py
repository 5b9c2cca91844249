"""The ONNX graphs of a trained model, written operator by operator so that one token is one call.

    step.onnx  decode: one token in; trunk, chained heads and the sampling of every field inside; the next token out
    feed.onnx  prefill: S tokens in, with those they should predict; the likelihood of each field out

Both move the cache on and share `weights.bin`. Keys and values live in buffers of the caller's, [B, Hkv, W, D] per
layer, that GroupQueryAttention updates in place; an LSTM's state is float32 [B, width] twice per layer. Linear layers
and the cache are float32, or 8 bit: layers in blocks of 64 (MatMulNBits, accuracy_level 4: 8-bit products; level 0 took
ten times as long), feed-forward layers in 4 bits in blocks of 32 where that is asked for (of several rows a third
quicker than in 8 bits, and the same bits), keys and values with a fixed scale per channel. Tables of which one row is
read, and that of the distances, which 8 bits made slower, stay float32.

Names of inputs and outputs are those of the bundle's format, which `model/engine` binds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from ...codecs.codec import BOUNDED_FIELD, TIME_FIELD, Codec
from ...model.config import ModelConfig
from ...model.sampling import WHOLE
from ..network import find_network
from ..network.transformer import NORM_EPSILON
from .attention import ANGLES, attention
from .builder import MICROSOFT, SMALLEST_EXTERNAL, Graph, Weights

HIDDEN_LOGIT = -1e30  # instead of -inf, which noise and the softmax would turn into nan where nothing is allowed


def build_graphs(config: ModelConfig, codec: Codec, weights: Weights, *, bits: int) -> tuple[Graph, Graph]:
    """Return (decode, prefill) for the checkpoint's `weights`; both hold the same tensors, so one data file serves."""
    decode, prefill = Graph(weights, bits=bits), Graph(weights, bits=bits, takes_many=config.kind != "lstm")
    fields = len(config.field_sizes)
    tokens, nll, logits = _sampled_heads(decode, config, codec, _trunk(decode, config, is_decode=True))
    decode.output("rows", TensorProto.INT64, ["B", fields], tokens)
    decode.output("nll", TensorProto.FLOAT, ["B", fields], nll)
    decode.output("logits", TensorProto.FLOAT, ["B", 1, sum(config.field_sizes)], logits)
    hidden = _trunk(prefill, config, is_decode=False)
    targets = prefill.input("targets", TensorProto.INT64, ["B", "S", fields])
    columns = [
        prefill.op("Gather", targets, prefill.constant(f"field_{field}", field), axis=2) for field in range(fields)
    ]
    mixed = _mixed_hidden(prefill, config, hidden)
    log_p = [_head(prefill, field, hidden, mixed, columns[:field]) for field in range(fields)]
    nll = _nll_of(prefill, config, prefill.op("Concat", *log_p, axis=-1), targets)
    prefill.output("nll", TensorProto.FLOAT, ["B", "S", fields], nll)
    # Offsets in the data file follow from the names of all large tensors, so both graphs list them all.
    shared = {**decode.tensors, **prefill.tensors}
    large = {name: tensor for name, tensor in shared.items() if tensor.nbytes >= SMALLEST_EXTERNAL}
    decode.tensors, prefill.tensors = large | decode.tensors, large | prefill.tensors
    return decode, prefill


def _trunk(graph: Graph, config: ModelConfig, *, is_decode: bool) -> str:
    """Add inputs, embeddings and layers over one token, or any number S; returns the hidden states [B, S, width]."""
    fields = len(config.field_sizes)
    inputs = graph.input("inputs", TensorProto.INT64, ["B", "S", fields + len(config.conditions)])
    names = [f"embedding.tables.{field}.weight" for field in range(fields)]
    names += [f"embedding.conditions.{condition.name}.weight" for condition in config.conditions]
    tables = [graph.weights[name] for name in names]
    offsets = np.cumsum([0, *(len(table) for table in tables[:-1])])
    table = graph.constant("embeddings", np.concatenate(tables), np.float32)
    rows = graph.add(inputs, graph.constant("embedding_offsets", offsets))
    # Not ReduceSum: it adds in another order for one piece than for several, and batches must give the same bits.
    parts = graph.op("Split", graph.op("Gather", table, rows), outputs=len(tables), axis=2, num_outputs=len(tables))
    hidden = graph.op("Squeeze", graph.op("Sum", *parts), graph.constant("axis_2", [2]))
    if config.network:
        return find_network(config.network).trunk(graph, config, hidden, is_decode=is_decode)
    if config.kind == "lstm":
        return _lstm(graph, config, hidden)
    return _transformer(graph, config, hidden, is_decode=is_decode)


def _lstm(graph: Graph, config: ModelConfig, hidden: str) -> str:
    """Add one step of each layer (S is 1): gates in torch's order, input, forget, cell, output."""
    hidden = graph.op("Squeeze", hidden, graph.constant("axis_1", [1]))
    shape: list[int | str] = ["B", config.width]
    for layer in range(config.layers):
        past_hidden = graph.input(f"past_hidden.{layer}", TensorProto.FLOAT, shape)
        cell = graph.input(f"past_cell.{layer}", TensorProto.FLOAT, shape)
        weights = [graph.weights[f"lstm.{kind}_l{layer}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        # One product instead of two: the matrices of input and hidden state stand side by side, their biases added.
        joined = graph.op("Concat", hidden, past_hidden, axis=-1)
        matrix = np.concatenate(weights[:2], axis=1)
        gates = graph.linear(joined, f"lstm.{layer}", matrix, weights[2] + weights[3])
        input_gate, forget_gate, candidate, output_gate = graph.op("Split", gates, outputs=4, axis=-1, num_outputs=4)
        remembered = graph.op("Mul", graph.op("Sigmoid", forget_gate), cell)
        cell = graph.add(remembered, graph.op("Mul", graph.op("Sigmoid", input_gate), graph.op("Tanh", candidate)))
        hidden = graph.op("Mul", graph.op("Sigmoid", output_gate), graph.op("Tanh", cell))
        graph.output(f"hidden.{layer}", TensorProto.FLOAT, shape, hidden)
        graph.output(f"cell.{layer}", TensorProto.FLOAT, shape, cell)
    return str(graph.op("Unsqueeze", hidden, graph.constant("axis_1", [1])))


def _transformer(graph: Graph, config: ModelConfig, hidden: str, *, is_decode: bool) -> str:
    """Add the blocks over the cache.

    `last_key` int32 [B] is the position in the cache of each piece's last token; `key_count` int32 the largest + 1.
    """
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
        bias = ""
        if "distance" in aids:
            bias = _relative_logits(graph, config, f"{name}.attention", qkv, aids["distance"], is_decode=is_decode)
        added = graph.layer(attention(graph, config, layer, (qkv, *lengths, bias)), f"{name}.attention.out")
        normed, hidden = _norm(graph, f"{name}.norm_2", hidden, added)
        added = _feed_forward(graph, name, normed)
    return _norm(graph, "norm", hidden, added)[0]


def _feed_forward(graph: Graph, name: str, value: str) -> str:
    def build(rows: str) -> str:
        return graph.layer(graph.op("Gelu", graph.layer(rows, f"{name}.up")), f"{name}.down")

    # In a prompt each layer sees to that in its own branch.
    return build(value) if graph.bits != 4 or graph.takes_many else graph.with_two_rows(value, build)


def _norm(graph: Graph, name: str, hidden: str, added: str) -> tuple[str, str]:
    """Add the RMS norm of hidden + added ("" for nothing); returns (normed, the sum)."""
    gain = graph.constant(f"{name}.weight", graph.weights[f"{name}.weight"], np.float32)
    if not added:
        return graph.op("SimplifiedLayerNormalization", hidden, gain, axis=-1, epsilon=NORM_EPSILON), hidden
    kind = "SkipSimplifiedLayerNormalization"
    # Its second and third outputs, mean and inverse deviation, are for training.
    normed, _, _, total = graph.op(kind, hidden, added, gain, outputs=4, domain=MICROSOFT, epsilon=NORM_EPSILON)
    return normed, total


def _position_aids(graph: Graph, config: ModelConfig, key_count: str) -> dict[str, str]:
    """Add what all layers share of positions: distances to the keys, rotary angles, or positions in the cache.

    `cos` and `sin` float32 [P, D / 2] hold the angles of this call's tokens, and `angle` int64 [B, S] says which row
    of them is whose: a piece may grow longer than any table. P is B S or more, and W or more.
    """
    if config.positions == "rotary":
        for name in ANGLES[:2]:
            graph.input(name, TensorProto.FLOAT, ["P", config.head_width // 2])
        graph.input(ANGLES[2], TensorProto.INT64, ["B", "S"])
        return {}
    if config.positions == "absolute":
        return {"places": graph.input("places", TensorProto.INT32, ["B", "S"])}
    queries = graph.input("places", TensorProto.INT32, ["B", 1, "S", 1])
    zero, step = graph.constant("zero", 0, np.int32), graph.constant("one", 1, np.int32)
    keys = graph.op("Range", zero, key_count, step)
    distance = graph.op("Max", graph.op("Sub", queries, keys), zero)  # [B, 1, S, T]; keys to come are masked anyway
    return {"distance": graph.op("Expand", distance, graph.constant("by_heads", [1, config.heads, 1, 1]))}


def _relative_logits(graph: Graph, config: ModelConfig, name: str, qkv: str, distance: str, *, is_decode: bool) -> str:
    """Add q E_d / sqrt(D) laid out by key, float32 [B, H, S, T]: one product with all W distances, then a gather.

    The table is packed once, in float32; a slice of the distances in use would be a copy at every step, and 8
    bits took 1.6 times as long.
    """
    relative = graph.weights[f"{name}.relative"] * np.float32(config.head_width**-0.5)  # [1 or H, W, D]
    if is_decode:  # a transposition would move nothing where S is 1, and costs a copy
        heads = graph.op("Reshape", qkv, graph.constant("heads_of_a_row", [0, -1, 1, config.head_width]))
    else:
        split = graph.op("Reshape", qkv, graph.constant("rows_and_heads", [0, 0, -1, config.head_width]))
        heads = graph.op("Transpose", split, perm=[0, 2, 1, 3])  # [B, H + 2 Hkv, S, D]
    starts, ends = graph.constant("from_0", [0]), graph.constant("head_count", [config.heads])
    queries = graph.op("Slice", heads, starts, ends, graph.constant("axis_1", [1]))
    by_distance = relative.transpose(0, 2, 1).copy()  # [1 or H, D, W]
    table = graph.constant(f"{name}.relative", by_distance[0] if len(by_distance) == 1 else by_distance, np.float32)
    return str(graph.op("GatherElements", graph.op("MatMul", queries, table), distance, axis=3))


def _mixed_hidden(graph: Graph, config: ModelConfig, hidden: str) -> list[str]:
    """Add A_i h + a_i for the fields after the first, one product for all; returns one [.., width] for each."""
    count = len(config.field_sizes) - 1
    if not count:
        return []
    matrix = np.concatenate([graph.weights[f"heads.mix.{head}.weight"] for head in range(count)])
    bias = np.concatenate([graph.weights[f"heads.mix.{head}.bias"] for head in range(count)])
    mixed = graph.linear(hidden, "heads.mix", matrix, bias)
    parts = graph.op("Split", mixed, outputs=count, axis=-1, num_outputs=count)
    return [parts] if count == 1 else list(parts)


def _head(graph: Graph, field: int, hidden: str, mixed: Sequence[str], earlier: Sequence[str]) -> str:
    """Add the log-likelihoods of one field's values, given the earlier fields' values."""
    if field > 0:
        names = [f"heads.chain.{field - 1}.{index}.weight" for index in range(len(earlier))]
        tables = [graph.constant(name, graph.weights[name], np.float32) for name in names]
        chained = [graph.op("Gather", table, values) for table, values in zip(tables, earlier, strict=True)]
        hidden = graph.op("Gelu", graph.op("Sum", mixed[field - 1], *chained))
    return str(graph.op("LogSoftmax", graph.layer(hidden, f"heads.out.{field}"), axis=-1))


def _nll_of(graph: Graph, config: ModelConfig, log_p: str, tokens: str) -> str:
    """Add -log p of each field's value, [.., F], for the fields' log p side by side [.., sum V] and tokens [.., F]."""
    starts = graph.constant("field_starts", np.cumsum([0, *config.field_sizes[:-1]]))
    return str(graph.op("Neg", graph.op("GatherElements", log_p, graph.add(tokens, starts), axis=-1)))


def _sampled_heads(graph: Graph, config: ModelConfig, codec: Codec, hidden: str) -> tuple[str, str, str]:
    """Add the sampling of the next token, field by field: (tokens [B, F], nll [B, F], log p [B, 1, sum V]).

    Everything keeps the axis of the one token, so that a value drawn, [B, 1], is an index and a column at once. The
    piece in a slot draws from `own` log p + `other` log p', where p' is the chance in the slot `twin`, its partner
    (guidance: see `generation/loop`); nll and log p are the slot's own, without guidance.
    """
    sizes = config.field_sizes
    allowed = graph.input("allowed", TensorProto.BOOL, ["B", 1, sum(sizes)])
    noise = graph.input("noise", TensorProto.FLOAT, ["B", 1, sum(sizes)])
    if len(sizes) > 1:
        graph.input("earliest", TensorProto.INT64, ["B", 1, sizes[BOUNDED_FIELD]])
    settings = [graph.input(name, TensorProto.FLOAT, ["B", 1, len(sizes)]) for name in WHOLE]
    settings_by_field = list(zip(*(_by_field(graph, name, [1] * len(sizes)) for name in settings), strict=True))
    partner = graph.input("twin", TensorProto.INT64, ["B"])
    weight, partner_weight = (graph.input(name, TensorProto.FLOAT, ["B", 1, 1]) for name in ("own", "other"))
    allowed_by_field, noise_by_field = _by_field(graph, allowed, sizes), _by_field(graph, noise, sizes)
    mixed = _mixed_hidden(graph, config, hidden)
    values: list[str] = []
    log_p: list[str] = []
    for field in range(len(sizes)):
        log_p.append(_head(graph, field, hidden, mixed, values))
        mask = _mask(graph, codec, field, allowed_by_field[field], values)
        from_partner = graph.op("Mul", graph.op("Gather", log_p[-1], partner), partner_weight)
        guided = graph.op("Add", graph.op("Mul", log_p[-1], weight), from_partner)
        logits = graph.op("Where", mask, guided, graph.constant("hidden_logit", HIDDEN_LOGIT, np.float32))
        logits = _cut_tails(graph, logits, sizes[field], settings_by_field[field])
        # The largest of logits with Gumbel noise is a draw from their softmax (Gumbel 1954; Maddison et al. 2014).
        values.append(graph.op("ArgMax", graph.op("Add", logits, noise_by_field[field]), axis=-1, keepdims=0))
    tokens, joined = (graph.op("Concat", *parts, axis=-1) for parts in (values, log_p))
    rows = graph.op("Unsqueeze", tokens, graph.constant("axis_1", [1]))
    nll = graph.op("Squeeze", _nll_of(graph, config, joined, rows), graph.constant("axis_1", [1]))
    return tokens, nll, joined


def _by_field(graph: Graph, joined: str, sizes: Sequence[int]) -> list[str]:
    """Cut [B, 1, sum of sizes] into one [B, 1, size] for each field."""
    if len(sizes) == 1:
        return [joined]
    edges = graph.constant("sizes_" + "_".join(map(str, sizes)), sizes)
    return list(graph.op("Split", joined, edges, outputs=len(sizes), axis=-1))


def _mask(graph: Graph, codec: Codec, field: int, allowed: str, values: Sequence[str]) -> str:
    """Add which values of a field may be drawn, bool [B, 1, V]: `codecs.Masks` and the codec's tables."""
    if field == BOUNDED_FIELD:
        time = graph.op("Unsqueeze", values[TIME_FIELD], graph.constant("axis_last", [-1]))
        allowed = graph.op("And", allowed, graph.op("GreaterOrEqual", time, "earliest"))
    if field in codec.tables:
        on, table = codec.tables[field]
        rows = graph.op("Gather", graph.constant(f"table.{field}", table, np.bool_), values[on])
        allowed = graph.op("And", allowed, rows)
    return allowed


def _cut_tails(graph: Graph, logits: str, size: int, settings: Sequence[str]) -> str:
    """Add temperature, then min-p and top-p over masked logits [B, 1, V]; `model/sampling` has the same in numpy."""
    temperature, top_p, min_p = settings
    hidden = graph.constant("hidden_logit", HIDDEN_LOGIT, np.float32)
    scaled = graph.op("Div", logits, temperature)
    chance = graph.op("Softmax", scaled, axis=-1)
    ordered = graph.op("TopK", chance, graph.constant(f"size_{size}", [size]), outputs=2, axis=-1)[0]
    last = graph.constant("axis_last", [-1])
    best = graph.op("Slice", ordered, graph.constant("from_0", [0]), graph.constant("to_1", [1]), last)
    # Top-p ends with the first value whose likelier ones have top_p among them; the likeliest stays in any case.
    likelier = graph.op("CumSum", ordered, graph.constant("last_axis", -1), exclusive=1)
    is_inside = graph.op("Less", likelier, top_p)
    least = graph.op("ReduceMin", graph.op("Where", is_inside, ordered, best), last)
    floor = graph.op("Max", least, graph.op("Mul", best, min_p))
    return str(graph.op("Where", graph.op("GreaterOrEqual", chance, floor), scaled, hidden))

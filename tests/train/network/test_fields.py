"""What the networks share: inputs, embeddings of fields, chained heads, and the likelihood of what counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from arietta.train.network.fields import (
    ChainedHeads,
    FieldEmbedding,
    one_hot_product,
    rows_of,
    shift_right,
    token_nll,
)
from tests.support.networks import SIZES, SMALL, learner, random_tokens, run

pytestmark = pytest.mark.usefixtures("single_torch_thread")

NO_CONDITIONS = torch.zeros(2, 2, dtype=torch.int64)


def test_inputs_are_the_tokens_before_and_first_a_token_of_none() -> None:
    tokens = random_tokens(3)
    moved = shift_right(tokens, SIZES)
    assert moved[:, 0].tolist() == [list(SIZES)] * 2
    assert torch.equal(moved[:, 1:], tokens[:, :-1])


def test_likelihood_is_that_of_the_softmax_and_0_where_nothing_counts() -> None:
    tokens = random_tokens(5)
    logits = run(learner(SMALL), tokens)
    counted = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    nll = token_nll(logits, tokens, counted)
    assert nll.dtype == torch.float32 and nll.shape == tokens.shape
    for field, logit in enumerate(logits):
        expected = -functional.log_softmax(logit, -1).gather(-1, tokens[..., field, None])[..., 0]
        assert torch.allclose(nll[..., field], expected * counted[..., field], atol=1e-6)


def test_likelihood_is_summed_in_float32_when_the_logits_are_bfloat16() -> None:
    tokens = random_tokens(5)
    logits = [logit.bfloat16() for logit in run(learner(SMALL), tokens)]
    assert token_nll(logits, tokens, torch.ones_like(tokens, dtype=torch.bool)).dtype == torch.float32


def test_a_likelihood_that_is_not_counted_never_reaches_the_weights() -> None:
    tokens = random_tokens(5)
    logits = [logit.requires_grad_() for logit in run(learner(SMALL), tokens)]
    counted = torch.ones_like(tokens, dtype=torch.bool)
    counted[..., 2] = False
    token_nll(logits, tokens, counted).sum().backward()
    assert [bool(logit.grad is not None and logit.grad.any()) for logit in logits] == [True, True, False, True]


def test_an_embedding_is_the_sum_of_its_fields_and_conditions() -> None:
    embedding = FieldEmbedding(SMALL)
    inputs, conditions = random_tokens(4), torch.tensor([[[0, 2], [1, 0], [1, 1], [0, 0]], [[1, 1]] * 4])
    embedded = embedding(inputs, conditions)
    torch.testing.assert_close(embedding(inputs, torch.tensor([[1, 1], [1, 1]]))[1], embedded[1])
    composer, source = embedding.conditions.values()
    for piece in range(2):
        for position in range(4):
            by_field = [table.weight[inputs[piece, position, field]] for field, table in enumerate(embedding.tables)]
            ids = conditions[piece, position]
            by_condition = composer.weight[ids[0]] + source.weight[ids[1]]
            torch.testing.assert_close(embedded[piece, position], sum(by_field) + by_condition)


def test_a_product_with_one_hot_rows_is_the_table_looked_up_with_its_gradient() -> None:
    """The same rows and gradients as the table gives, which a GPU finds sooner in this way."""
    table, ids = nn.Embedding(7, 5), torch.tensor([[0, 6, 3], [3, 3, 1]])
    looked_up = rows_of(table, ids)
    product = one_hot_product(table.weight, ids)
    assert torch.equal(product, looked_up)
    weights = torch.randn(2, 3, 5)
    (by_table,) = torch.autograd.grad((looked_up * weights).sum(), table.weight)
    (by_product,) = torch.autograd.grad((product * weights).sum(), table.weight)
    torch.testing.assert_close(by_product, by_table)


def test_a_fresh_network_finds_all_values_equally_likely() -> None:
    for logit, size in zip(ChainedHeads(SMALL)(torch.randn(2, 3, SMALL.width), random_tokens(3)), SIZES, strict=True):
        assert torch.equal(logit.softmax(dim=-1), torch.full((2, 3, size), 1 / size))


def test_every_field_has_a_value_more_for_none_and_every_condition_one_for_any() -> None:
    embedding = FieldEmbedding(SMALL)
    assert [len(table.weight) for table in embedding.tables] == [size + 1 for size in SIZES]
    assert {name: len(table.weight) for name, table in embedding.conditions.items()} == {"composer": 2, "source": 3}
    embedding(shift_right(random_tokens(1), SIZES), NO_CONDITIONS)
    with pytest.raises(IndexError):
        embedding(torch.tensor([[[size + 1 for size in SIZES]]] * 2), NO_CONDITIONS)


def test_chained_heads_are_the_formula_of_their_docstring() -> None:
    torch.manual_seed(0)
    heads, hidden, targets = ChainedHeads(SMALL), torch.randn(2, 3, SMALL.width), random_tokens(3)
    for linear in heads.out:
        linear.reset_parameters()  # a fresh network has zeros there
    logits = heads(hidden, targets)
    torch.testing.assert_close(logits[0], heads.out[0](hidden))
    for field in range(1, len(SIZES)):
        mixed = hidden @ heads.mix[field - 1].weight.T + heads.mix[field - 1].bias
        for earlier in range(field):
            mixed = mixed + functional.one_hot(targets[..., earlier], SIZES[earlier]).float() @ (
                heads.chain[field - 1][earlier].weight
            )
        expected = functional.gelu(mixed) @ heads.out[field].weight.T + heads.out[field].bias
        torch.testing.assert_close(logits[field], expected, rtol=1e-5, atol=1e-5)


def test_heads_have_a_table_for_every_field_before_theirs() -> None:
    tables = [[len(table.weight) for table in chain] for chain in ChainedHeads(SMALL).chain]
    assert tables == [list(SIZES[:field]) for field in range(1, len(SIZES))]
    alone = ChainedHeads(replace(SMALL, field_sizes=(9,)))
    assert not list(alone.chain) and not list(alone.mix) and isinstance(alone.out[0], nn.Linear)

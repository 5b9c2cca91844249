"""Optimisers: what Muon does to a matrix, which weights are whose, and that a state goes on as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from arietta.train.config import OPTIMISERS, TrainSettings
from arietta.train.network import build_model
from arietta.train.optimiser import (
    GAIN_RATE,
    HEAD_RATE,
    TABLE_RATE,
    Optimiser,
    descend,
    hidden_matrices,
    orthogonalise,
)
from tests.support.networks import SMALL, random_tokens, run

pytestmark = pytest.mark.usefixtures("single_torch_thread")
MUON = TrainSettings(rate=0.01, weight_decay=0.0)
ADAMW = TrainSettings(optimiser="adamw", rate=0.01, weight_decay=0.1)
KINDS = {"rotary": SMALL, "lstm": replace(SMALL, kind="lstm"), "relative": replace(SMALL, positions="relative")}


def network(kind: str = "rotary") -> nn.Module:
    torch.manual_seed(0)
    return build_model(replace(KINDS[kind], positions="rotary" if kind == "rotary" else KINDS[kind].positions))


def with_gradients(model: nn.Module, seed: int = 0) -> nn.Module:
    numbers = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.grad = torch.randn(weight.shape, generator=numbers)
    return model


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("shape", [(8, 8), (20, 8), (8, 20)])
def test_newton_schulz_brings_singular_values_near_1_and_keeps_their_vectors(shape: tuple[int, int]) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    result = orthogonalise(matrices)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.6 and values.max() < 1.3
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    turned = left.mT @ result @ right.mT
    assert (turned - torch.diag_embed(torch.diagonal(turned, dim1=-2, dim2=-1))).abs().max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_has_one_owner_and_hidden_matrices_are_muons(kind: str) -> None:
    model = network(kind)
    optimiser = Optimiser(model, MUON)
    rest = [id(weight) for group in optimiser._adamw.param_groups for weight in group["params"]]
    taken = {id(matrix.weight) for matrix in hidden_matrices(model)}
    assert len(rest) == len(set(rest)) and not taken & set(rest)
    assert taken | set(rest) == {id(weight) for weight in model.parameters()}
    names = {name for name, weight in model.named_parameters() if id(weight) in taken}
    inside = ("attention.qkv.", "attention.out.", "up.", "down.", "lstm.weight", ".mix.")
    assert names == {name for name in weights_of(model) if any(part in name for part in inside) and "bias" not in name}
    rates = [group["lr"] for group in optimiser._adamw.param_groups]
    assert rates == pytest.approx([0.01 * share for share in (TABLE_RATE, HEAD_RATE, GAIN_RATE)])


def test_parts_of_one_weight_are_matrices_by_themselves_and_cover_it() -> None:
    rows: dict[int, list[tuple[int, int]]] = {}
    for matrix in hidden_matrices(network()):
        rows.setdefault(id(matrix.weight), []).append((matrix.first, matrix.last))
    qkv = network().blocks[0].attention.qkv.weight
    assert [(0, 16), (16, 24), (24, 32)] in rows.values() and len(qkv) == 32
    gates = {(m.first, m.last) for m in hidden_matrices(network("lstm")) if len(m.weight) == 4 * SMALL.width}
    assert gates == {(0, 16), (16, 32), (32, 48), (48, 64)}


def test_a_matrix_moves_by_the_rate_in_every_direction() -> None:
    """All singular values of an update are near the rate, times sqrt(rows / columns) for a tall matrix."""
    model = with_gradients(network())
    before = weights_of(model)
    Optimiser(model, MUON).step(1.0)
    for name in ("blocks.0.attention.out.weight", "blocks.0.up.weight", "blocks.1.down.weight"):
        change = before[name] - weights_of(model)[name]
        factor = 0.01 * max(1.0, change.shape[0] / change.shape[1]) ** 0.5
        values = torch.linalg.svdvals(change) / factor
        assert values.min() > 0.4 and values.max() < 1.6, name


def test_rows_come_to_move_by_the_same_length() -> None:
    model = network()
    optimiser = Optimiser(model, MUON)
    for seed in range(12):
        if seed:
            optimiser.step(1.0)
        with_gradients(model, seed)
        model.blocks[0].up.weight.grad[:8] *= 50.0  # eight outputs learn from far larger gradients
    before = weights_of(model)["blocks.0.up.weight"]
    optimiser.step(1.0)
    lengths = (weights_of(model)["blocks.0.up.weight"] - before).norm(dim=1)
    assert lengths.max() / lengths.min() < 4


@pytest.mark.parametrize("is_towards_zero", [True, False])
def test_weights_decay_only_where_the_update_goes_towards_zero_anyway(*, is_towards_zero: bool) -> None:
    changes = []
    for decay in (0.0, 0.5):
        model = network()
        weight = model.blocks[0].up.weight
        before = weight.detach().clone()
        with_gradients(model)
        Optimiser(model, replace(MUON, weight_decay=decay)).step(1.0)
        changes.append(weight.detach() - before)
    plain, decayed = changes
    chosen = (plain * before < 0) == is_towards_zero
    expected = plain - 0.01 * 0.5 * before if is_towards_zero else plain
    assert chosen.any() and torch.allclose(decayed[chosen], expected[chosen], atol=1e-7)


def test_adamw_alone_pulls_matrices_and_tables_towards_zero_but_no_gains() -> None:
    model = network()
    optimiser = Optimiser(model, ADAMW)
    assert optimiser.state_dict()["stacks"] == {}
    decayed, free = optimiser._adamw.param_groups
    assert decayed["weight_decay"] == 0.1 and all(weight.ndim >= 2 for weight in decayed["params"])
    assert free["weight_decay"] == 0.0 and all(weight.ndim < 2 for weight in free["params"])
    assert len(decayed["params"]) + len(free["params"]) == len(list(model.parameters()))
    assert decayed["betas"] == (0.9, 0.95)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_share_of_the_rate_moves_everything_that_share_as_far(name: str) -> None:
    changes = []
    for share in (1.0, 0.25):
        model = with_gradients(network())
        before = weights_of(model)
        settings = TrainSettings(optimiser=name, rate=0.01, weight_decay=0.0)
        Optimiser(model, settings).step(share)
        changes.append({key: weight - before[key] for key, weight in weights_of(model).items()})
    for key in ("blocks.0.up.weight", "norm.weight"):
        assert torch.allclose(changes[1][key], changes[0][key] / 4, atol=1e-6), key


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_restored_optimiser_makes_the_same_updates_to_the_bit(name: str, kind: str) -> None:
    settings = TrainSettings(optimiser=name, rate=0.01)
    first, second = network(kind), network(kind)
    unbroken = Optimiser(first, settings)
    for seed in range(3):
        with_gradients(first, seed)
        unbroken.step(0.5)
    second.load_state_dict(first.state_dict())
    resumed = Optimiser(second, settings)
    resumed.load_state_dict(unbroken.state_dict())
    for seed in range(3, 5):
        for model, optimiser in ((first, unbroken), (second, resumed)):
            with_gradients(model, seed)
            optimiser.step(0.5)
    assert resumed.updates == 5
    after, same = weights_of(first), weights_of(second)
    assert not [key for key in after if not torch.equal(after[key], same[key])]


def test_a_step_forgets_the_gradients_and_tells_their_length() -> None:
    model = with_gradients(network())
    expected = torch.cat([weight.grad.flatten() for weight in model.parameters()]).norm()
    assert float(Optimiser(model, MUON).step(1.0)) == pytest.approx(float(expected), rel=1e-5)
    assert not [weight for weight in model.parameters() if weight.grad is not None]


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_learns_with_every_optimiser(name: str, kind: str) -> None:
    model, tokens = network(kind), random_tokens(12)
    rate = {"muon": 0.02, "adamw": 0.01}[name]
    optimiser, losses = Optimiser(model, TrainSettings(optimiser=name, rate=rate)), []
    for _ in range(30):
        logits = grad_run(model, tokens)
        loss = sum(
            nn.functional.cross_entropy(logit.flatten(0, 1), tokens[..., field].flatten())
            for field, logit in enumerate(logits)
        )
        loss.backward()
        losses.append(float(loss.detach()))
        optimiser.step(1.0)
    assert losses[-1] < 0.7 * losses[0]


grad_run = run.__wrapped__  # as `run`, with gradients


def test_an_update_goes_down_a_gradient_of_norm_1_at_most_at_the_rate() -> None:
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    optimiser = torch.optim.SGD([weight], lr=9.0)
    for rate, expected in ((0.5, [2.7, 3.6]), (0.1, [2.64, 3.52])):
        descend(optimiser, 50 * weight.square().sum(), rate)
        assert weight.tolist() == pytest.approx(expected)

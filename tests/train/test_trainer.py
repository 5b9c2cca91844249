"""Updates: what an update learns from, how far it goes, and what it leaves in the average."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from arietta.codecs.note import NoteCodec
from arietta.corpus.store import Store
from arietta.errors import ConfigError
from arietta.train.checkpoint import Content
from arietta.train.config import OPTIMISERS, DataSettings, ModelSettings, RunSettings, TrainSettings
from arietta.train.hardware import LAPTOP, Hardware
from arietta.train.plan import plan_run
from arietta.train.pretrained import Pretrained
from arietta.train.trainer import Trainer
from tests.support.corpora import make_store, scale

pytestmark = pytest.mark.usefixtures("single_torch_thread")
SETTINGS = RunSettings(
    ModelSettings(width=16, layers=1, heads=2, kv_heads=1, context=32, dropout=0.1),
    DataSettings(length=32, min_composer_pieces=1),
    TrainSettings(steps=8, batch=2, rate=0.01, warm_up=2, precision="float32"),
)


def changed(**values: object) -> RunSettings:
    """Settings with other values in [train]."""
    return replace(SETTINGS, train=replace(SETTINGS.train, **values))


def state_after(trainer: Trainer, steps: int) -> Content:
    while trainer.step < steps:
        trainer.advance()
    return trainer.content(with_optimiser=True)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_an_update_is_a_function_of_the_state_the_seed_and_the_step(store: Store, optimiser: str) -> None:
    plan = plan_run(changed(average=0.5, optimiser=optimiser), store)
    unbroken, resumed = Trainer(plan, LAPTOP), Trainer(plan, LAPTOP)
    resumed.restore(state_after(Trainer(plan, LAPTOP), 2))
    torch.rand(5)  # whatever else happens to torch's generator
    expected, content = state_after(unbroken, 4), state_after(resumed, 4)
    for weights in ("model", "average"):
        assert all(torch.equal(content[weights][name], weight) for name, weight in expected[weights].items())
    assert (content["step"], content["rows"]) == (expected["step"], expected["rows"])


def test_a_checkpoint_to_use_holds_the_average_and_no_optimiser(store: Store) -> None:
    trainer = Trainer(plan_run(changed(average=0.9), store), LAPTOP)
    trainer.advance()
    content = trainer.content(with_optimiser=False)
    assert content["optimiser"] == {} and content["average"] == {}
    name = "heads.out.0.weight"
    assert torch.equal(content["model"][name], trainer.averaged.state_dict()[name])
    assert not torch.equal(content["model"][name], trainer.model.state_dict()[name])


def test_an_update_has_the_rate_of_the_course_that_lies_behind(store: Store) -> None:
    trainer, rates = Trainer(plan_run(changed(hold=0.5), store), LAPTOP), []
    for _ in range(8):
        trainer.advance()
        rates.append(trainer.rate)
    assert rates[:5] == pytest.approx([0.005, 0.01, 0.01, 0.01, 0.01])
    assert rates[5:] == pytest.approx([0.01 * (1 - 0.97 * k / 4) for k in (1, 2, 3)])


def test_progress_is_of_updates_or_of_the_clock_and_begins_where_the_settings_say(store: Store) -> None:
    by_updates, by_clock, branch = (
        Trainer(plan_run(settings, store), LAPTOP)
        for settings in (SETTINGS, changed(minutes=2.0), changed(begin=0.5, minutes=2.0))
    )
    for trainer in (by_updates, by_clock, branch):
        trainer.step, trainer.seconds = 2, 90.0
    assert (by_updates.progress, by_clock.progress, branch.progress) == (0.25, 0.75, 0.875)


def test_a_step_counts_the_tokens_it_learned_from(store: Store) -> None:
    trainer = Trainer(plan_run(changed(accumulate=2), store), LAPTOP)
    expected = sum(trainer.crops.batch(number, 2).token_count for number in (0, 1))
    trainer.advance()
    assert trainer.rows == expected and np.isfinite(trainer.rate)


def test_accumulated_batches_give_the_gradient_of_one_large_batch(tmp_path: Path) -> None:
    """Crops of different lengths weigh by their rows, not by their batch."""
    store = make_store(tmp_path, pieces=[scale(k, 12 if k % 2 else 40) for k in range(8)], splits=("train",) * 8)
    settings = replace(changed(accumulate=4), model=replace(SETTINGS.model, dropout=0.0))
    trainer = Trainer(plan_run(settings, store), LAPTOP)
    batches = [trainer.crops.batch(number, 2) for number in range(4)]
    assert len({batch.token_count for batch in batches}) > 1
    loss = trainer._backpropagate(batches, sum(batch.token_count for batch in batches))
    gradient = trainer.model.heads.out[0].weight.grad.clone()
    trainer.optimiser.forget_gradients()
    nll = sum(trainer._nll(batch) for batch in batches) / sum(batch.token_count for batch in batches)
    nll.backward()
    assert torch.allclose(loss, nll, rtol=1e-5)
    assert torch.allclose(gradient, trainer.model.heads.out[0].weight.grad, atol=1e-6)


def test_the_average_forgets_by_its_factor(store: Store) -> None:
    trainer = Trainer(plan_run(changed(average=0.5), store), LAPTOP)
    trainer.step = 10**6
    mean, weight = trainer.averaged.heads.out[0].bias, trainer.model.heads.out[0].bias
    with torch.no_grad():
        mean.fill_(1.0)
        weight.fill_(3.0)
    trainer._update_average()
    assert torch.allclose(mean, torch.full_like(mean, 2.0))


def test_preparing_leaves_weights_and_updates_as_they_were(store: Store) -> None:
    trainer, alone = Trainer(plan_run(SETTINGS, store), LAPTOP), Trainer(plan_run(SETTINGS, store), LAPTOP)
    trainer.prepare()
    assert not [name for name, weight in trainer.model.named_parameters() if weight.grad is not None]
    expected, content = state_after(alone, 2), state_after(trainer, 2)
    assert all(torch.equal(content["model"][name], weight) for name, weight in expected["model"].items())


def test_a_branch_goes_on_with_the_momentum_of_its_snapshot_where_it_has_the_same_weights(store: Store) -> None:
    content = state_after(Trainer(plan_run(SETTINGS, store), LAPTOP), 3)
    config = plan_run(SETTINGS, store).model
    pretrained = Pretrained("trunk", config, NoteCodec(), content["model"], "f", optimiser=content["optimiser"])
    branch = Trainer(plan_run(changed(begin=0.5), store, pretrained), LAPTOP)
    assert branch.optimiser.updates == 3 and branch.step == 0
    before, after = content["optimiser"]["stacks"], branch.optimiser.state_dict()["stacks"]
    assert before and all(torch.equal(before[key]["momentum"], after[key]["momentum"]) for key in before)
    assert Trainer(plan_run(changed(optimiser="adamw"), store, pretrained), LAPTOP).optimiser.updates == 0


def test_processes_must_share_a_step_evenly(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"train\.accumulate \(1\) batches cannot be shared evenly by 2 processes"):
        Trainer(plan_run(SETTINGS, store), Hardware(world=2))

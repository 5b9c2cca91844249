"""Training runs: they learn, they stop, and a run that was killed ends as one that was not."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from arietta.codecs.note import NoteCodec
from arietta.codecs.performance import PerformanceCodec
from arietta.corpus.store import Store
from arietta.errors import ConfigError, CorpusError
from arietta.train.checkpoint import BEST, LAST, load_trained, read_checkpoint
from arietta.train.config import DataSettings, ModelSettings, RunSettings, TrainSettings, load_config
from arietta.train.hardware import LAPTOP, Hardware
from arietta.train.log import read_metrics
from arietta.train.loop import Run, TrainingOutcome, TrainingProgress, stop_requests, train
from arietta.train.plan import ORDER, plan_run
from arietta.train.pretrained import read_pretrained
from arietta.train.validation import evaluate
from tests.support.corpora import make_store, scale

SETTINGS = RunSettings(
    ModelSettings(width=16, layers=1, heads=2, kv_heads=1, context=32, dropout=0.1),
    DataSettings(length=32, min_composer_pieces=1),
    TrainSettings(
        steps=8, batch=2, rate=0.01, warm_up=2, validate_every=4, validation_windows=4, log_every=2, precision="float32"
    ),
)
pytestmark = pytest.mark.usefixtures("one_thread")


def changed(settings: RunSettings = SETTINGS, **values: object) -> RunSettings:
    """Settings with other values in [train]."""
    return replace(settings, train=replace(settings.train, **values))


def run_of(
    store: Store, folder: Path, settings: RunSettings = SETTINGS, hardware: Hardware = LAPTOP
) -> TrainingOutcome:
    return train(plan_run(settings, store), folder, hardware)


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = read_checkpoint(path)["model"]
    return weights


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert not [name for name in one if not torch.equal(one[name], other[name])]


def stopped_after(run: Run, steps: int) -> TrainingOutcome:
    """Let a run go until it has made that many steps in all, then ask it to stop."""
    return run.loop(lambda: run.trainer.step >= steps)


def test_training_learns_scales(store: Store, tmp_path: Path) -> None:
    settings = changed(steps=120, validate_every=120, log_every=10)
    settings = replace(settings, model=replace(settings.model, width=32, dropout=0.0))
    outcome = run_of(store, tmp_path, settings)
    losses = [line["loss"] for line in read_metrics(tmp_path) if line["kind"] == "training"]
    assert losses[-1] < 0.8 * losses[0]
    assert outcome.best < 11


def test_a_run_leaves_all_its_files(store: Store, tmp_path: Path) -> None:
    outcome = run_of(store, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.pt",
        "curve.png",
        "last.pt",
        "metrics.jsonl",
        "run.json",
    ]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    described = json.loads((tmp_path / "run.json").read_text())
    assert described["settings"]["train"]["steps"] == 8
    assert described["store"] == store.fingerprint
    assert described["outcome"]["reason"] == outcome.reason == "finished"
    assert described["machine"]["threads"] == 1 and "torch" in described["versions"]
    assert [(line["kind"], line["step"]) for line in read_metrics(tmp_path)] == [
        ("training", 2),
        ("training", 4),
        ("validation", 4),
        ("training", 6),
        ("training", 8),
        ("validation", 8),
    ]


def test_the_best_checkpoint_scores_what_the_log_says(store: Store, tmp_path: Path) -> None:
    outcome = run_of(store, tmp_path)
    figures = evaluate(load_trained(tmp_path / BEST), store, split="validation", length=32, max_windows=4)
    assert figures["nats_per_row"] == pytest.approx(outcome.best, rel=1e-6)


def test_two_runs_of_one_seed_are_the_same_and_of_two_are_not(store: Store, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run_of(store, tmp_path / name, changed(seed=seed))
    assert_same(weights_of(tmp_path / "a" / LAST), weights_of(tmp_path / "b" / LAST))
    name = "heads.out.0.weight"
    assert not torch.equal(weights_of(tmp_path / "a" / LAST)[name], weights_of(tmp_path / "c" / LAST)[name])


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        changed(average=0.9),
        changed(accumulate=2, precision="bfloat16"),
        replace(SETTINGS, model=ModelSettings(kind="lstm", width=16, layers=2, dropout=0.3)),
        changed(optimiser="adamw"),
    ],
    ids=["plain", "average", "accumulate", "lstm", "adamw"],
)
@pytest.mark.parametrize("stop", [3, 4, 5])
def test_a_stopped_run_ends_with_the_weights_of_an_unstopped_one(
    store: Store, tmp_path: Path, settings: RunSettings, stop: int
) -> None:
    plan = plan_run(settings, store)
    hardware = Hardware(is_bfloat16=settings.train.precision == "bfloat16")
    whole = train(plan, tmp_path / "whole", hardware)
    first = Run(plan, tmp_path / "parts", hardware, None)
    first.begin()
    assert stopped_after(first, stop).reason == "interrupted"
    torch.rand(7)  # whatever else happened to torch's generator in between
    rest = train(plan, tmp_path / "parts", hardware)
    assert_same(weights_of(tmp_path / "parts" / LAST), weights_of(tmp_path / "whole" / LAST))
    assert_same(weights_of(tmp_path / "parts" / BEST), weights_of(tmp_path / "whole" / BEST))
    assert (rest.best, rest.best_step, rest.rows) == (whole.best, whole.best_step, whole.rows)


def test_going_on_takes_back_what_was_logged_after_the_checkpoint(store: Store, tmp_path: Path) -> None:
    plan = plan_run(changed(checkpoint_minutes=1000.0), store)
    run = Run(plan, tmp_path, LAPTOP, None)
    run.begin()
    stopped_after(run, 4)
    run.loop(lambda: run.trainer.step >= 7)
    before = (tmp_path / "metrics.jsonl").read_text()
    checkpoint = read_checkpoint(tmp_path / LAST) | {"step": 4}
    torch.save(checkpoint, tmp_path / LAST)  # as if killed after step 7, saved at 4
    (tmp_path / "metrics.jsonl").write_text(before + '{"kind": "train')  # and in the middle of a line
    train(plan, tmp_path, LAPTOP)
    steps = [line["step"] for line in read_metrics(tmp_path) if line["kind"] == "training"]
    assert steps == sorted(set(steps)) == [2, 4, 6, 8]


def test_a_finished_run_can_be_extended_and_says_so(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_of(store, tmp_path)
    with caplog.at_level("INFO", "arietta"):
        outcome = run_of(store, tmp_path, changed(steps=12))
    assert (outcome.step, outcome.reason) == (12, "finished")
    assert "12 steps instead of 8" in caplog.text
    assert {"kind": "planned", "step": 8, "length": "12 steps", "before": "8 steps"} in read_metrics(tmp_path)


def test_running_a_finished_run_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    first = run_of(store, tmp_path)
    weights = weights_of(tmp_path / LAST)
    assert run_of(store, tmp_path) == first
    assert_same(weights_of(tmp_path / LAST), weights)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (changed(rate=0.02), r"holds a run with settings\.train\.rate = 0\.01, and this one has 0\.02"),
        (replace(SETTINGS, data=DataSettings(length=48)), r"settings\.data\.length = 32, and this one has 48"),
    ],
)
def test_a_folder_with_another_run_is_refused_and_kept(
    store: Store, tmp_path: Path, settings: RunSettings, said: str
) -> None:
    run_of(store, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ConfigError, match=said):
        run_of(store, tmp_path, settings)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_with_a_run_on_another_corpus_is_refused_naming_both(store: Store, tmp_path: Path) -> None:
    run_of(store, tmp_path / "run")
    other = make_store(tmp_path / "other", pieces=[scale(k + 50, 100) for k in range(6)])
    with pytest.raises(ConfigError, match=f"store = {store.fingerprint}, and this one has {other.fingerprint}"):
        run_of(other, tmp_path / "run")


def test_training_stops_when_validation_no_longer_improves(store: Store, tmp_path: Path) -> None:
    """At a rate that throws the weights far off, every score is worse than the one before."""
    outcome = run_of(store, tmp_path, changed(steps=200, rate=0.9, validate_every=1, patience=3))
    assert outcome.reason == "no longer improving"
    assert outcome.step < 200
    assert outcome.step - outcome.best_step == 3
    assert run_of(store, tmp_path, changed(steps=200, rate=0.9, validate_every=1, patience=3)) == outcome


def test_a_loss_that_is_no_number_stops_the_run_and_saves_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(plan_run(changed(checkpoint_minutes=0.0, log_every=100), store), tmp_path, LAPTOP, None)
    run.begin()
    monkeypatch.setattr(run.trainer, "advance", lambda: (torch.tensor(math.nan), torch.tensor(1.0)))
    with pytest.raises(ConfigError, match=r"the loss became nan.*lower train\.rate"):
        run.loop(lambda: False)
    assert not (tmp_path / LAST).exists()


def test_without_validation_windows_the_newest_weights_are_the_best(tmp_path: Path) -> None:
    store = make_store(tmp_path / "corpus", splits=("train",) * 3)
    outcome = run_of(store, tmp_path / "run", changed(validation_windows=0))
    assert_same(weights_of(tmp_path / "run" / BEST), weights_of(tmp_path / "run" / LAST))
    assert math.isnan(outcome.best)


def test_a_missing_validation_split_is_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path / "corpus", splits=("train",) * 3)
    with pytest.raises(CorpusError, match="no piece in the validation split"):
        run_of(store, tmp_path / "run")


class FakeClock:
    """A clock on which each look takes a second; it notes how often it was looked at."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        self.seconds += 1.0
        return self.seconds


BY_CLOCK = changed(minutes=0.5, warm_up=0, hold=0.0, validate_every=1000, checkpoint_minutes=1000.0, log_every=1)


@pytest.mark.timed
def test_a_run_by_the_clock_ends_when_its_minutes_are_over_with_the_rate_run_down(store: Store, tmp_path: Path) -> None:
    outcome = train(plan_run(BY_CLOCK, store), tmp_path, LAPTOP, clock=FakeClock())
    assert outcome.reason == "finished" and 30 <= outcome.seconds < 34
    lines = [line for line in read_metrics(tmp_path) if line["kind"] == "training"]
    # An update takes a second, and what surrounds it another: the rate falls with them, whatever `steps` says.
    assert len(lines) == outcome.step == 16 != BY_CLOCK.train.steps
    assert lines[-1]["rate"] == pytest.approx(0.01 * (1 - 0.97 * 29 / 30))
    assert [line["step"] for line in read_metrics(tmp_path) if line["kind"] == "validation"] == [16]


def test_a_stopped_run_by_the_clock_has_the_rest_of_its_minutes_left(store: Store, tmp_path: Path) -> None:
    whole = train(plan_run(BY_CLOCK, store), tmp_path / "whole", LAPTOP, clock=FakeClock())
    run = Run(plan_run(BY_CLOCK, store), tmp_path / "parts", LAPTOP, None, FakeClock())
    run.begin()
    assert stopped_after(run, 6).reason == "interrupted"
    spent = read_checkpoint(tmp_path / "parts" / LAST)["seconds"]
    assert spent == 11
    rest = train(plan_run(BY_CLOCK, store), tmp_path / "parts", LAPTOP, clock=FakeClock())
    assert (rest.reason, rest.step) == ("finished", whole.step)
    assert rest.seconds == pytest.approx(whole.seconds, abs=2)


def test_what_the_clock_says_left_counts_down(store: Store, tmp_path: Path) -> None:
    seen: list[TrainingProgress] = []
    train(plan_run(BY_CLOCK, store), tmp_path, LAPTOP, report=seen.append, clock=FakeClock())
    assert [progress.seconds_left for progress in seen] == [*(31.0 - 2 * k for k in range(1, 16)), 0.0]
    assert {progress.steps for progress in seen} == {0}


def test_a_snapshot_is_saved_once_at_its_share_of_the_course_and_can_be_gone_on_from(
    store: Store, tmp_path: Path
) -> None:
    run_of(store, tmp_path / "trunk", changed(snapshots=(0.5, 0.75)))
    snapshot = tmp_path / "trunk" / "snapshot-50.pt"
    assert read_checkpoint(snapshot)["step"] == 4 and (tmp_path / "trunk" / "snapshot-75.pt").exists()
    pretrained = read_pretrained(snapshot)
    branch = plan_run(changed(begin=0.5, steps=2), store, pretrained)
    outcome = train(branch, tmp_path / "branch", LAPTOP)
    assert (outcome.reason, outcome.step) == ("finished", 2)
    assert pretrained.optimiser["updates"] == 4
    rates = [line["rate"] for line in read_metrics(tmp_path / "branch") if line["kind"] == "training"]
    assert rates == pytest.approx([0.01 * (1 - 0.97 * (0.75 - 0.35) / 0.65)])


TINY_RECIPE = {
    "model.width": 16, "model.layers": 1, "model.heads": 2, "model.kv_heads": 1, "model.context": 96,
    "data.length": 96, "data.corpora": [], "data.shares": [], "data.min_composer_pieces": 1, "train.batch": 4,
    "train.minutes": 0.25, "train.validate_every": 4, "train.validation_windows": 4, "train.precision": "float32",
}  # fmt: skip


def test_the_recipe_of_the_shipped_models_trains_a_tiny_one(store: Store, tmp_path: Path) -> None:
    """Piano by the clock, with levels and given music, and concert from it: configs/ with another size."""
    configs = Path(__file__).parents[2] / "configs"
    piano, concert = (load_config(RunSettings, configs / f"{name}.toml", TINY_RECIPE) for name in ("piano", "concert"))
    outcome = train(plan_run(piano, store), tmp_path / "piano", LAPTOP, clock=FakeClock())
    assert outcome.reason == "finished" and outcome.step > 4
    trained = load_trained(tmp_path / "piano" / BEST)
    assert tuple(condition.name for condition in trained.config.conditions) == ORDER
    assert trained.codec.field_sizes == (128, 104, 128, 32)
    for start in ("snapshot-55.pt", BEST):
        pretrained = read_pretrained(tmp_path / "piano" / start)
        folder = tmp_path / f"concert from {start}"
        outcome = train(plan_run(concert, store, pretrained), folder, LAPTOP, clock=FakeClock())
        assert outcome.reason == "finished" and load_trained(folder / BEST).config.conditions


def test_progress_counts_to_the_end(store: Store, tmp_path: Path) -> None:
    seen: list[TrainingProgress] = []
    train(plan_run(SETTINGS, store), tmp_path, LAPTOP, report=seen.append)
    assert [progress.step for progress in seen] == [2, 4, 6, 8]
    assert all(progress.tokens_per_second > 0 and progress.steps == 8 for progress in seen)
    scored = [line["nats_per_row"] for line in read_metrics(tmp_path) if line["kind"] == "validation"]
    assert math.isnan(seen[0].validation) and seen[-1].validation == scored[-1] != scored[-2]
    assert seen[-1].seconds_left == 0


def test_training_leaves_torchs_own_randomness_alone(store: Store, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run_of(store, tmp_path, changed(steps=2))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(("name", "kind"), [("note", NoteCodec), ("performance", PerformanceCodec)])
def test_every_codec_can_be_trained_on_and_is_kept_in_the_checkpoint(
    store: Store, tmp_path: Path, name: str, kind: type
) -> None:
    settings = replace(changed(steps=2), data=DataSettings(codec=name, length=32, min_composer_pieces=1))
    run_of(store, tmp_path, settings)
    trained = load_trained(tmp_path / BEST)
    assert isinstance(trained.codec, kind)
    assert trained.config.field_sizes == trained.codec.field_sizes


@pytest.mark.posix
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop_is_heard_once_and_the_old_handlers_return(kind: signal.Signals) -> None:
    before = signal.getsignal(kind)
    with stop_requests() as is_asked:
        assert not is_asked()
        os.kill(os.getpid(), kind)
        time.sleep(0.01)
        assert is_asked()
        assert signal.getsignal(kind) == before, "the second one acts as ever"
    assert signal.getsignal(kind) == before


def test_outside_the_main_thread_nothing_can_ask_to_stop() -> None:
    heard: list[bool] = []

    def listen() -> None:
        with stop_requests() as is_asked:
            heard.append(is_asked())

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert heard == [False]


def test_processes_that_do_not_see_one_checkpoint_are_refused(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_of(store, tmp_path)
    monkeypatch.setattr(Hardware, "sum_number", lambda hardware, number: number + 1)
    with pytest.raises(ConfigError, match="not every process sees the checkpoint"):
        run_of(store, tmp_path)


def test_a_run_may_be_asked_to_stop_by_other_than_signals(store: Store, tmp_path: Path) -> None:
    outcome = train(plan_run(SETTINGS, store), tmp_path, LAPTOP, is_asked_to_stop=lambda: True)
    assert (outcome.reason, outcome.step) == ("interrupted", 1)

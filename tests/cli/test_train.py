"""`arietta train` as a user meets it: whole processes, killed, stopped, joined by torchrun, and told off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from arietta.cli import main
from arietta.program import install_command
from arietta.train.checkpoint import read_checkpoint
from arietta.train.config import RunSettings, load_config
from arietta.train.log import read_metrics
from arietta.train.plan import plan_run
from tests.support.corpora import make_store

ROOT = Path(__file__).parents[2]
TINY = ROOT / "configs" / "tiny.toml"
SMALL = ["--set", "data.length=32", "--set", "model.width=16", "--set", "model.layers=1", "--device", "cpu"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("made") / "corpus").path


def words(corpus: Path, out: Path, *more: str) -> list[str]:
    return ["train", str(TINY), "--corpus", str(corpus), "--out", str(out), "--threads", "1", *SMALL, *more]


def start(arguments: Sequence[str], *launcher: str) -> subprocess.Popen[str]:
    command = [sys.executable, *launcher, "-m", "arietta", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finish(process: subprocess.Popen[str]) -> str:
    said, complained = process.communicate(timeout=240)
    assert process.returncode == 0, complained
    return said


def wait_for_step(run: Path, process: subprocess.Popen[str], step: int) -> None:
    """Wait until the run has logged that step."""
    for _ in range(12_000):
        if process.poll() is not None or any(line["step"] >= step for line in read_metrics(run)):
            break
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = read_checkpoint(path)["model"]
    return weights


def assert_same_run(one: Path, other: Path) -> None:
    for name in ("last.pt", "best.pt"):
        mine, theirs = weights_of(one / name), weights_of(other / name)
        assert not [key for key in mine if not torch.equal(mine[key], theirs[key])], name
    mine, theirs = (read_checkpoint(run / "last.pt")["optimiser"]["stacks"] for run in (one, other))
    assert mine and all(torch.equal(mine[key]["momentum"], theirs[key]["momentum"]) for key in mine)


@pytest.fixture(scope="module")
def whole_run(corpus: Path) -> Path:
    """A run of 60 steps that nothing disturbed."""
    out = corpus.parent / "whole"
    finish(start(words(corpus, out, "--steps", "60", "--set", "model.dropout=0.1")))
    return out


@pytest.mark.posix
def test_a_run_killed_at_any_moment_ends_with_the_same_bits_as_one_left_alone(
    corpus: Path, whole_run: Path, tmp_path: Path
) -> None:
    arguments = words(corpus, tmp_path / "run", "--steps", "60", "--set", "model.dropout=0.1")
    arguments += ["--set", "train.checkpoint_minutes=0", "--set", "train.log_every=1"]
    for step in (7, 31):
        process = start(arguments)
        wait_for_step(tmp_path / "run", process, step)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert 7 <= read_checkpoint(tmp_path / "run" / "last.pt")["step"] < 60
    finish(start([*arguments[:-1], "train.log_every=10"]))
    assert_same_run(tmp_path / "run", whole_run)


@pytest.mark.posix
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_run_asked_to_stop_saves_and_says_how_to_go_on(
    corpus: Path, whole_run: Path, tmp_path: Path, kind: signal.Signals
) -> None:
    arguments = words(corpus, tmp_path / "run", "--steps", "60", "--set", "model.dropout=0.1")
    process = start([*arguments, "--set", "train.log_every=1"])
    wait_for_step(tmp_path / "run", process, 3)
    process.send_signal(kind)
    said, complained = process.communicate(timeout=120)
    assert process.returncode == 130, complained
    assert "interrupted at step" in said and "the same command goes on from here" in said
    assert "Traceback" not in complained
    finish(start(arguments))
    assert_same_run(tmp_path / "run", whole_run)


def test_two_processes_under_torchrun_train_the_same_model_as_one(corpus: Path, tmp_path: Path) -> None:
    both = ["--steps", "6", "--set", "train.accumulate=2", "--set", "train.precision=float32", "--set", "train.batch=2"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for attempt in range(3):  # gloo's own threads now and then abort a process that has finished its work
        said, complained = start(words(corpus, tmp_path / f"two-{attempt}", *both), *launcher).communicate(timeout=240)
        if "terminate called without an active exception" not in complained:
            break
    (tmp_path / f"two-{attempt}").rename(tmp_path / "two")
    assert said.count("finished at step 6") == 1, complained
    finish(start(words(corpus, tmp_path / "one", *both)))
    one, two = weights_of(tmp_path / "one" / "last.pt"), weights_of(tmp_path / "two" / "last.pt")
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-4
    metrics = [read_metrics(tmp_path / name) for name in ("one", "two")]
    assert [line["step"] for line in metrics[0]] == [line["step"] for line in metrics[1]]
    for mine, theirs in zip(*metrics, strict=True):
        key = "loss" if mine["kind"] == "training" else "nats_per_row"
        assert mine[key] == pytest.approx(theirs[key], rel=1e-4)
    assert json.loads((tmp_path / "two" / "run.json").read_text())["processes"] == 2


def test_more_steps_extend_a_finished_run(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(corpus, tmp_path, "--steps", "4")) == 0
    assert main(words(corpus, tmp_path, "--steps", "6")) == 0
    captured = capsys.readouterr()
    assert "finished at step 4" in captured.out and "finished at step 6" in captured.out
    assert "arietta export" in captured.out


def test_a_split_can_be_scored_instead(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(words(corpus, tmp_path, "--steps", "2"))
    capsys.readouterr()
    assert main(words(corpus, tmp_path, "--evaluate", "test")) == 0
    captured = capsys.readouterr()
    figures = json.loads(captured.out)
    assert figures["notes"] == 300 and figures["nats_per_note"] > 0
    assert f"{figures['nats_per_note']:.2f} nats per note, of which fewer are better" in captured.err
    with pytest.raises(SystemExit):
        main(words(corpus, tmp_path, "--evaluate", "tests"))
    assert "did you mean test?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--set", "train.stepz=3"], "train.stepz is not a setting; the nearest are steps"),
        (["--set", "train.steps"], "write NAME=VALUE"),
        (["--set", "train.rate=fast"], "train.rate must be a number, not 'fast'"),
        (["--steps", "0"], "train.steps must be at least 1, not 0"),
        (["--threads", "-1"], "--threads must lie in 0-1024, not -1"),
        (["--evaluate", "test"], "no such checkpoint"),
        (["--set", "model.heads=5"], "heads (5) must divide width (16)"),
    ],
)
def test_a_bad_setting_is_refused_in_a_sentence(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert main(words(corpus, tmp_path / "run", *more)) == 2
    complained = capsys.readouterr().err
    assert said in complained and complained.startswith("arietta: ") and complained.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_corpus_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(tmp_path / "nothing", tmp_path / "run")) == 2
    assert "no corpus here" in capsys.readouterr().err


def test_a_corpus_without_training_pieces_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_store(tmp_path / "corpus", splits=("test", "test"))
    assert main(words(tmp_path / "corpus", tmp_path / "run")) == 2
    assert "no piece in the train split (the corpus has test)" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["torch", "matplotlib"])
def test_without_the_train_extra_it_says_what_to_install(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(words(corpus, tmp_path)) == 2
    assert install_command("train") in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_config_loads_and_plans_a_model(path: Path, corpus: Path) -> None:
    from arietta.corpus.store import open_store

    settings = load_config(RunSettings, path)
    store = open_store(corpus)
    corpora = settings.data.corpora or ("own",)
    pieces = [replace(piece, corpus=corpora[piece.index % len(corpora)]) for piece in store.pieces]
    plan = plan_run(settings, store.with_pieces(pieces))
    assert plan.model.kind == settings.model.kind


@pytest.mark.parametrize("more", [["--workers", "2"], ["--workers", "2", "--cluster", "auto", "--evaluate", "test"]])
def test_workers_without_a_run_on_a_cluster_are_refused(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(tmp_path, tmp_path / "out", *more)) == 2
    assert "--workers are the processes of a training run on a Ray cluster" in capsys.readouterr().err

"""Tokens per second of a training step, by positions and by precision, and a step's peak memory at 2,048 tokens.

    python -m benchmarks.speed.train [--repeats 5] [--threads 1] [--device cpu]

The model is that of configs/small.toml; a step is the whole of it, crops drawn and encoded, 4 of 1,024
tokens. The music is made, so no corpus is needed. Cases are timed in turn, so that a busy machine slows all alike.
"Written plainly" is the same network as a first reading of the paper gives it: all logits [L, L] at once, keys and
values repeated for each head, in float32. Peak memory is of a process that makes two steps of one crop, torch itself
(about 0.3 GB) included.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from arietta.corpus.store import COLUMNS, PEDAL, Piece, Store, rows_checksum
from arietta.train.config import RunSettings, load_config
from arietta.train.hardware import Hardware, has_fast_bfloat16
from arietta.train.network.transformer import Attention, skew
from arietta.train.plan import plan_run
from arietta.train.trainer import Trainer
from benchmarks.shared.report import ROOT, report, seconds

CONFIG = ROOT / "configs" / "small.toml"
POSITIONS = {"relative": "relative", "rotary": "rotary", "plain": "absolute"}
LONG = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--peak", choices=POSITIONS, help="print this case's peak memory in MB, nothing else")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = load_config(RunSettings, CONFIG)
    name = "cuda:0" if arguments.device == "cuda" else "cpu"
    hardware = Hardware(name, has_fast_bfloat16(is_cuda=arguments.device == "cuda"))
    if arguments.peak:
        print(peak_megabytes(settings, arguments.peak, hardware))
        return
    measure(settings, hardware, arguments.repeats, arguments.threads)
    options = ["--threads", str(arguments.threads), "--device", arguments.device]
    for name in POSITIONS:
        command = [sys.executable, __file__, "--peak", name, *options]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        report(f"train/peak memory at {LONG} rows, {name}", [float(done.stdout)], "MB", threads=arguments.threads)


def measure(settings: RunSettings, hardware: Hardware, repeats: int, threads: int) -> None:
    """Print tokens per second for each kind of positions, relative attention's cost, and what bfloat16 is worth."""
    trainers = {name: trainer_of(settings, name, hardware) for name in POSITIONS}
    in_float32 = trainer_of(settings, "relative", replace(hardware, is_bfloat16=False))
    plain = trainer_of(settings, "relative", replace(hardware, is_bfloat16=False))
    for part in plain.model.modules():
        if isinstance(part, Attention):
            part.forward = partial(attend_plainly, part)
    for trainer in (*trainers.values(), in_float32, plain):
        tokens_per_second(trainer)  # the first step sets up memory and kernels
    rounds = [{name: tokens_per_second(trainer) for name, trainer in trainers.items()} for _ in range(repeats)]
    for name in POSITIONS:
        report(f"train/step, {name}", [speeds[name] for speeds in rounds], "rows/s", threads=threads)
    for name in ("rotary", "plain"):
        ratios = [speeds["relative"] / speeds[name] for speeds in rounds]
        report(f"train/relative against {name}", ratios, "times", threads=threads)
    ratios = [tokens_per_second(trainers["relative"]) / tokens_per_second(plain) for _ in range(repeats)]
    report("train/relative against the same written plainly", ratios, "times", threads=threads)
    if hardware.is_bfloat16:
        ratios = [tokens_per_second(trainers["relative"]) / tokens_per_second(in_float32) for _ in range(repeats)]
        report("train/bfloat16 against float32", ratios, "times", threads=threads)


def attend_plainly(attention: Attention, hidden: torch.Tensor) -> torch.Tensor:
    """Attend as `attention` does to hidden [B, L, width] with L up to its window, without a thought for speed."""
    config, (batch, length, _) = attention.config, hidden.shape
    split = [config.heads, config.kv_heads, config.kv_heads]
    qkv = attention.qkv(hidden).view(batch, length, sum(split), config.head_width).transpose(1, 2)
    query, key, value = qkv.split(split, dim=1)
    key, value = (part.repeat_interleave(config.heads // config.kv_heads, dim=1) for part in (key, value))
    query = query / config.head_width**0.5
    by_distance = query @ attention.relative[:, :length].flip(1).transpose(1, 2)
    logits = query @ key.transpose(2, 3) + skew(by_distance)
    later = torch.ones(length, length, dtype=torch.bool, device=hidden.device).triu(1)
    mixed = logits.masked_fill(later, float("-inf")).softmax(dim=-1) @ value
    return attention.out(mixed.transpose(1, 2).reshape(batch, length, config.width))


def trainer_of(settings: RunSettings, name: str, hardware: Hardware) -> Trainer:
    model, data = replace(settings.model, positions=POSITIONS[name]), replace(settings.data, corpora=())
    return Trainer(plan_run(replace(settings, model=model, data=data), random_store()), hardware)


def tokens_per_second(trainer: Trainer) -> float:
    before = trainer.rows
    passed = seconds(lambda: float(trainer.advance()[0]))  # reading the loss waits for a GPU
    return (trainer.rows - before) / passed


def peak_megabytes(settings: RunSettings, name: str, hardware: Hardware) -> float:
    """Most memory that this process (or the GPU) ever held, after two steps of one crop of LONG rows."""
    long = replace(
        settings,
        model=replace(settings.model, context=LONG),
        data=replace(settings.data, length=LONG),
        train=replace(settings.train, batch=1, compile=False),
    )
    trainer = trainer_of(long, name, hardware)
    for _ in range(2):
        trainer.advance()
    if hardware.is_cuda:
        return torch.cuda.max_memory_allocated() / 1e6
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())  # ru_maxrss outlives an exec
    assert peak
    return int(peak.group(1)) * 1024 / 1e6


def random_store(note_count: int = 40_000) -> Store:
    """A store in memory: one long piece of random notes, ten a second, pedalled now and then."""
    rng = np.random.default_rng(0)
    onset = np.cumsum(rng.exponential(0.1, note_count))
    down = onset[:-8:8]
    columns = {
        "onset": onset,
        "duration": rng.uniform(0.05, 1.0, note_count),
        "pitch": rng.integers(30, 100, note_count).astype(np.uint8),
        "velocity": rng.integers(20, 110, note_count).astype(np.uint8),
        "pedal": np.stack([down, down + 0.01], axis=1),
        "spans": np.array([[0, note_count, 0, len(down)]]),
    }
    texts = dict.fromkeys(("file", "folder", "sha256", "composer", "title", "work", "corpus", "licence"), "made")
    checksum = rows_checksum(columns[name] for name in (*COLUMNS, PEDAL))
    piece = Piece(
        **texts,
        checksum=checksum,
        index=0,
        notes=note_count,
        seconds=float(onset[-1]),
        split="train",
        source="sequenced",
    )
    return Store(Path("made"), [piece], "made", columns)


if __name__ == "__main__":
    main()

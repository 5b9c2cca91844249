"""How every benchmark times and prints: one JSON line a case.

    from benchmarks.shared.report import report, seconds
    report("compose/100 notes", [100 / seconds(compose) for _ in range(5)], "notes/s", threads=1)

`median` is of the repeats; `p95` is the figure that 95 % of them reach: the high end of times, the low end of rates.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
RATES = ("/s", "times")  # ends of units of which more is better


def seconds(work: Callable[[], object]) -> float:
    """Run `work` once; seconds by the clock."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def processor_seconds() -> float:
    """Seconds of the processor that all commands took which this process ran and that have ended.

    In steps of a hundredth; Windows does not count them, and gives 0.
    """
    used = os.times()
    return used.children_user + used.children_system


def report(name: str, values: Sequence[float], unit: str, *, threads: int) -> None:
    print(json.dumps(line(name, values, unit, threads=threads)), flush=True)


def line(name: str, values: Sequence[float], unit: str, *, threads: int) -> dict[str, object]:
    """Sum up the repeats of one case."""
    worse_end = 0.05 if unit.endswith(RATES) else 0.95
    figures = {"median": _rounded(np.median(values)), "p95": _rounded(np.quantile(values, worse_end))}
    about = {"unit": unit, "repeats": len(values), "threads": threads, "commit": commit()}
    return {"name": name} | figures | about


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share of `hits` in `count` (Wilson 1927), which holds for shares near 0 too."""
    if not count:
        return 0.0, 1.0
    square, share = 1.96**2, hits / count
    middle = share + square / (2 * count)
    reach = 1.96 * (share * (1 - share) / count + square / (4 * count**2)) ** 0.5
    return max((middle - reach) / (1 + square / count), 0.0), min((middle + reach) / (1 + square / count), 1.0)


def _rounded(value: np.floating[object]) -> float:
    """Four digits that count."""
    return float(f"{float(value):.4g}")


@cache
def commit() -> str:
    """The commit of this checkout, with a + where files differ from it; "" outside of one."""
    words = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()

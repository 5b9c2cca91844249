"""Ctrl-C while processes are started: they ignore it from their first moment, and this one takes it as before."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from arietta.processes import interrupts_ignored

SURVIVOR = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(0.1); print('alive')"


def started() -> str:
    with interrupts_ignored():
        return subprocess.run([sys.executable, "-c", SURVIVOR], capture_output=True, text=True, check=False).stdout


@pytest.mark.posix
def test_a_process_that_is_started_outlives_ctrl_c_from_its_first_moment() -> None:
    handler, mask = signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert started().strip() == "alive"
    with ThreadPoolExecutor(1) as others:
        assert others.submit(started).result(60.0).strip() == "alive"
        assert others.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result(60.0) == mask
    assert signal.getsignal(signal.SIGINT) == handler

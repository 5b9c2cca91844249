"""Run benchmarks one after the other and write what they print as one JSON file.

    python -m benchmarks.shared.run_all bench.json speed.step "speed.compose --long" ...

The file is {"machine": ..., "figures": [line, ...]}; each line is also printed as it comes. A benchmark that fails
ends the run, and no file is written.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

PACKAGE = "benchmarks"


def main() -> int:
    out, *commands = sys.argv[1:]
    figures = [line for command in commands for line in lines_of(command)]
    content = {"machine": f"{os.cpu_count()} x {platform.machine()}, {platform.system()}", "figures": figures}
    part = Path(f"{out}.part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(out)
    return 0


def lines_of(command: str) -> list[dict[str, object]]:
    """The JSON lines of a benchmark, by its module's name and arguments; raises CalledProcessError where it fails."""
    name, *arguments = shlex.split(command)
    words, lines = [sys.executable, "-m", f"{PACKAGE}.{name}", *arguments], []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            print(line, end="", flush=True)
            lines += [json.loads(line)] if line.startswith("{") else []
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, words)
    return lines


if __name__ == "__main__":
    sys.exit(main())

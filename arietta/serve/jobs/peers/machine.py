"""What notes depend on beside their request: the processor's kind, and the versions of what computes on it."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

from .... import __version__


@cache
def machine_kind() -> str:
    """Return a text that is the same on machines where the same request gives the same bytes."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    about = {name.strip(): text.strip() for name, text in fields.items()}
    model = about.get("model name") or platform.processor() or platform.machine()
    # A virtual machine may hide some of what a processor of that name can do.
    abilities = hashlib.sha256(about.get("flags", about.get("Features", "")).encode()).hexdigest()[:8]
    packages = f"Arietta {__version__}, ONNX Runtime {version('onnxruntime')}"
    return f"{platform.machine()} {model} ({abilities}), {packages}"

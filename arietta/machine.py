"""The machine that this runs on: its processor, and what else the bytes of a piece depend on beside the request."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from . import __version__


def processor_name() -> str:
    """Return the processor's model as its maker calls it, where the system tells it, else its architecture."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


@cache
def machine_kind() -> str:
    """Return a text that is the same on machines where the same request gives the same bytes."""
    # A virtual machine may hide some of what a processor of that name can do.
    abilities = _cpuinfo().get("flags") or _cpuinfo().get("Features") or ""
    told = hashlib.sha256(abilities.encode()).hexdigest()[:8]
    # ONNX Runtime is in a package of another name where it is one for a GPU.
    runtimes = {each.name: each.version for each in distributions() if str(each.name).startswith("onnxruntime")}
    packages = [f"Arietta {__version__}", *(f"{name} {runtimes[name]}" for name in sorted(runtimes))]
    return f"{platform.machine()} {processor_name()} ({told}), {', '.join(packages)}"


@cache
def _cpuinfo() -> Mapping[str, str]:
    """What Linux says of the first processor, where `platform.processor` is often empty; nothing elsewhere."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    fields = (line.split(":", 1) for line in reversed(lines) if ":" in line)
    return {name.strip(): text.strip() for name, text in fields}

"""The kind of a machine says what the bytes of a piece depend on."""

from __future__ import annotations

import platform

from arietta import __version__
from arietta.machine import machine_kind, processor_name


def test_a_kind_has_the_processor_and_the_versions() -> None:
    kind = machine_kind()
    assert kind == machine_kind() and kind.startswith(f"{platform.machine()} {processor_name()} (")
    assert f"Arietta {__version__}, ONNX Runtime " in kind

"""The kind of a machine says what the bytes of a piece depend on."""

from __future__ import annotations

import platform

from arietta import __version__
from arietta.serve.jobs.peers.machine import machine_kind


def test_a_kind_has_the_processor_and_the_versions() -> None:
    kind = machine_kind()
    assert kind == machine_kind() and kind.startswith(platform.machine())
    assert f"Arietta {__version__}, ONNX Runtime " in kind

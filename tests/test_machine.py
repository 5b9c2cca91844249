"""The kind of a machine says what the bytes of a piece depend on."""

from __future__ import annotations

import platform
from types import SimpleNamespace

import pytest

from arietta import __version__
from arietta.machine import machine_kind, processor_name


def test_a_kind_has_the_processor_and_the_versions() -> None:
    kind = machine_kind()
    assert kind == machine_kind() and kind.startswith(f"{platform.machine()} {processor_name()} (")
    assert f"Arietta {__version__}, onnxruntime " in kind


def test_another_package_of_onnx_runtime_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = [SimpleNamespace(name="numpy", version="2.0"), SimpleNamespace(name="onnxruntime-gpu", version="9.8")]
    monkeypatch.setattr("arietta.machine.distributions", lambda: installed)
    assert machine_kind.__wrapped__().endswith(f"Arietta {__version__}, onnxruntime-gpu 9.8")

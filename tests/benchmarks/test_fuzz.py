"""Damaged inputs of every kind are read or refused, for some seconds in all; a fault is told with its number."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from arietta.errors import MidiError
from benchmarks.reliability import fuzz as module
from benchmarks.reliability.fuzz import KINDS, Refused, alter_bytes, alter_json, fuzz


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_input_is_read_or_refused(kind: str, tiny_lstm: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # starlette's, about its own client of tests
        findings = fuzz(kind, 2.0, model=str(tiny_lstm), out=tmp_path / "findings")
    assert not findings.faults
    assert findings.tried == findings.read + findings.refused and findings.refused
    assert not (tmp_path / "findings").exists()


def test_a_fault_is_told_and_its_input_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def broken(_: str):  # type: ignore[no-untyped-def]
        def reader(data: bytes) -> None:
            if data[0] % 3 == 0:
                raise MidiError("refused")
            assert data[0] % 3 == 1, "a fault"

        yield lambda rng: module._read(rng.bytes(1), reader)

    monkeypatch.setitem(module.KINDS, "broken", broken)  # type: ignore[arg-type]
    findings = fuzz("broken", 0.05, out=tmp_path)
    assert findings.read and findings.refused and findings.faults
    number, fault = findings.faults[0].split(": ", 1)
    assert "a fault" in fault and (tmp_path / f"broken-0-{number}").read_bytes()[0] % 3 == 2


def test_the_same_number_is_the_same_input() -> None:
    one, other = (alter_bytes(bytes(100), np.random.default_rng([1, 2])) for _ in range(2))
    assert one == other != bytes(100)
    text = b'{"a": [1, {"b": "c"}], "d": null}'
    assert len({alter_json(text, np.random.default_rng(number)) for number in range(50)}) > 20


def test_a_refusal_carries_its_input() -> None:
    with pytest.raises(Refused) as refusal:
        module._read(b"x", lambda _: (_ for _ in ()).throw(MidiError("no")))
    assert refusal.value.args == (b"x",)

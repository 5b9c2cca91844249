"""The public functions answer values of any wrong kind with our own sentence, never with an error from within."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import arietta
from arietta.model.engine import OnnxEngine

PACKAGE = str(Path(arietta.__file__).parent)
WRONG: list[Any] = [None, "hot", -1, 3.7, True, [1], {"a": 1}, object(), float("nan"), b"x", ""]
TUNE = arietta.Notes.of([0.0, 0.5, 1.0], [0.4, 0.4, 0.4], [60, 62, 64], [60, 60, 60])


def compose(engine: OnnxEngine, notes: int = 2, **options: Any) -> object:
    return arietta.compose(notes, **{"model": str(engine.bundle.path), "seed": 1} | options)


# Argument -> a call that has a value for it; whatever the value is, the call may succeed.
CALLS: dict[str, Callable[[OnnxEngine, Any, Path], object]] = {
    **{
        f"compose {name}": lambda engine, value, path, name=name: compose(engine, **{name: value})
        for name in (
            *("seconds", "style", "prompt", "model", "seed", "temperature", "top_p", "min_p", "guidance"),
            *("sampling", "ending", "original", "progress"),
        )
    },
    "compose notes": lambda engine, value, path: compose(engine, value or 0),
    "temperature of a field": lambda engine, value, path: compose(engine, temperature={"time": value}),
    "field": lambda engine, value, path: compose(engine, top_p={value if value.__hash__ else 0: 0.5, "time": 0.9}),
    "Request edit": lambda engine, value, path: arietta.Request(edit=value),
    "Request stopped_at": lambda engine, value, path: arietta.Request(3, stopped_at=value),
    "Edit music": lambda engine, value, path: arietta.Edit(value, 0.0, 1.0),
    "Edit start": lambda engine, value, path: arietta.Edit(TUNE, value, 1.0),
    "stream request": lambda engine, value, path: list(arietta.stream(value, engine)),
    "stream engine": lambda engine, value, path: list(arietta.stream(arietta.Request(2), value)),
    "Notes onset": lambda engine, value, path: arietta.Notes.of(value, [0.4], [60], [60]),
    "Notes duration": lambda engine, value, path: arietta.Notes.of([0.0], [value], [60], [60]),
    "Notes pitch": lambda engine, value, path: arietta.Notes.of([0.0], [0.4], [value], [60]),
    "Notes velocity": lambda engine, value, path: arietta.Notes.of([0.0], [0.4], [60], value),
    "Notes pedal": lambda engine, value, path: arietta.Notes.of([0.0], [0.4], [60], [60], value),
    "Notes index": lambda engine, value, path: TUNE[value],
    "Notes between": lambda engine, value, path: TUNE.between(0.0, value),
    "read_midi": lambda engine, value, path: arietta.read_midi(value),
    "write_midi path": lambda engine, value, path: arietta.write_midi(value or path, TUNE),
    "write_midi notes": lambda engine, value, path: arietta.write_midi(path / "a.mid", value),
    "write_midi title": lambda engine, value, path: arietta.write_midi(path / "a.mid", TUNE, title=value),
    "write_midi grid": lambda engine, value, path: arietta.write_midi(path / "a.mid", TUNE, grid=value),
    "as_notes": lambda engine, value, path: arietta.as_notes(value),
    "convert notes": lambda engine, value, path: arietta.convert(value, "mido"),
    "convert library": lambda engine, value, path: arietta.convert(TUNE, value),
    "load_bundle": lambda engine, value, path: arietta.load_bundle(value),
    "load_engine bundle": lambda engine, value, path: arietta.load_engine(value),
    "load_engine threads": lambda engine, value, path: arietta.load_engine(engine.bundle, threads=value),
    "Client": lambda engine, value, path: arietta.Client(value),
    "regenerate music": lambda engine, value, path: arietta.regenerate(value, 0.4, 0.9, model=engine),
    "regenerate start": lambda engine, value, path: arietta.regenerate(TUNE, value, 0.9, model=engine),
    "regenerate stop": lambda engine, value, path: arietta.regenerate(TUNE, 0.4, value, model=engine),
    **{
        f"regenerate {name}": lambda engine, value, path, name=name: arietta.regenerate(
            TUNE, 0.4, 0.9, **{"model": engine, name: value}
        )
        for name in ("keep", "n", "seed", "style", "guidance", "density", "loudness", "key", "model")
    },
    "extend at": lambda engine, value, path: arietta.extend(TUNE, value, notes=2, model=engine),
    "extend notes": lambda engine, value, path: arietta.extend(TUNE, notes=value, model=engine),
    "lead_in": lambda engine, value, path: arietta.lead_in(TUNE, value, model=engine),
    "connect second": lambda engine, value, path: arietta.connect(TUNE, value, 1.0, model=engine),
    "connect seconds": lambda engine, value, path: arietta.connect(TUNE, TUNE, value, model=engine),
    "accompany": lambda engine, value, path: arietta.accompany(TUNE, keep=value, model=engine),
    "perform": lambda engine, value, path: arietta.perform(value, model=engine),
    "vary": lambda engine, value, path: arietta.vary(TUNE, value, model=engine),
}


@pytest.mark.parametrize("argument", CALLS)
def test_a_value_of_a_wrong_kind_is_answered_with_our_sentence(
    argument: str, filling_engine: OnnxEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inner = {
        repr(value): unexplained(lambda value=value: CALLS[argument](filling_engine, value, tmp_path))
        for value in WRONG
    }
    assert not {value: error for value, error in inner.items() if error}


def unexplained(call: Callable[[], object]) -> str:
    """Make a call and return the error that it ended with, unless it is one of ours, raised on purpose."""
    try:
        call()
    except arietta.AriettaError as error:
        return "" if str(error) else repr(error)
    except (TypeError, ValueError, IndexError) as error:  # of the columns of Notes, as Python's own containers do
        raised = traceback.extract_tb(error.__traceback__)[-1]
        line = linecache.getline(raised.filename, raised.lineno or 0).strip()
        return "" if raised.filename.startswith(PACKAGE) and line.startswith("raise ") else repr(error)
    return ""


def test_a_take_is_saved_under_a_path_alone(filling_engine: OnnxEngine) -> None:
    take = arietta.compose(2, model=str(filling_engine.bundle.path), seed=1)
    for value in (None, 3, b"x.mid", ["x.mid"], True):
        with pytest.raises(arietta.RequestError, match=r"a file is named by its path, such as piece\.mid, not "):
            take.save(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: arietta.Sampling(temperature="hot"), r"^temperature must lie in 0.05-3.0, not 'hot'$"),  # type: ignore[arg-type]
        (lambda: arietta.Sampling(top_p=True), r"^top_p must lie above 0 and at most at 1, not True$"),
        (lambda: arietta.Sampling(min_p={"time": "x"}), r"^min_p of time must lie at 0 or above"),  # type: ignore[dict-item]
        (lambda: arietta.Sampling(guidance={"time": 2}), r"^guidance must lie in 1-10, not \{'time': 2\}$"),  # type: ignore[arg-type]
        (lambda: arietta.Request(3, ending="no"), r"^ending is True or False, not 'no'$"),  # type: ignore[arg-type]
        (lambda: arietta.convert(TUNE, np.zeros((40, 40))), r"^notes can be converted to .*, not a ndarray$"),  # type: ignore[arg-type]
    ],
)
def test_the_sentence_names_the_argument_and_what_would_be_right(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(arietta.RequestError, match=sentence):
        call()

"""Corpora that were altered: whatever stands in them, opening and reading ends in a sentence or in sound notes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arietta.corpus.ingest import IngestConfig, ingest
from arietta.corpus.store import MANIFEST, open_store
from arietta.errors import CorpusError
from arietta.music.midi import write_midi
from arietta.music.notes import Notes
from tests.support.tunes import tune


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    for seed in range(3):
        write_midi(folder / f"{seed}.mid", tune(seed))
    ingest([folder], folder / "corpus", IngestConfig(workers=1))
    return folder / "corpus"


def lines(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def alter(folder: Path) -> None:
        parsed = [json.loads(line) for line in (folder / MANIFEST).read_text().split("\n") if line]
        for line in parsed:
            change(line)
        (folder / MANIFEST).write_text("".join(json.dumps(line) + "\n" for line in parsed))

    return alter


def column(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / f"{name}.npy", change(np.load(folder / f"{name}.npy")))


def manifest(content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / MANIFEST).write_bytes(content) and None


VALUES = {"index": "0", "notes": 10**12, "composer": ["x"], "split": 5, "seconds": "x", "file": None, "checksum": 7}
ALTERED = {
    f"{name} {value!r}": lines(lambda line, n=name, v=value: line.update({n: v})) for name, value in VALUES.items()
}
ALTERED |= {
    "seconds nan": lines(partial(dict.update, seconds=float("nan"))),
    "no state": lines(lambda line: line.pop("state")),
    "spans negative": column("spans", lambda spans: spans - 1000),
    "spans huge": column("spans", lambda spans: spans + 10**12),
    "spans turned": column("spans", lambda spans: spans[:, ::-1].copy()),
    "spans float": column("spans", lambda spans: spans.astype(float)),
    "onset nan": column("onset", lambda onset: onset * np.nan),
    "onset unsorted": column("onset", lambda onset: onset[::-1].copy()),
    "onset text": column("onset", lambda onset: onset.astype("S8")),
    "onset in two columns": column("onset", lambda onset: np.stack([onset, onset], 1)),
    "a bit of a pitch": column("pitch", lambda pitch: pitch ^ 1),
    "pedal flat": column("pedal", lambda pedal: pedal.reshape(-1)),
    "manifest deep": manifest(b"[" * 200_000),
    "manifest of lists": manifest(b"[1]\n"),
    "manifest of numbers": manifest(b"5\n"),
    "manifest not text": manifest(b'{"a":"\xff"}\n'),
    "column gone": lambda folder: (folder / "onset.npy").unlink(),
}


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_corpus_is_a_sentence(sound: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(sound, tmp_path / "corpus"))
    ALTERED[name](folder)
    with pytest.raises(CorpusError, match=str(folder)):
        read_all(folder)


def read_all(folder: Path) -> list[Notes]:
    store = open_store(folder)
    return [store.notes(index) for index in range(len(store.pieces))]


def test_the_corpus_they_are_made_of_is_sound(sound: Path) -> None:
    assert len(read_all(sound)) == 3

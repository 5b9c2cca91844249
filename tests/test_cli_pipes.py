"""A MIDI file may come through a pipe, as `arietta judge <(cat piece.mid)` has it: it can be read only once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.generation.request import Request
from arietta.music.midi import midi_bytes
from arietta.music.notes import Notes
from tests.support.indexes import knowing

pytestmark = pytest.mark.posix

VERBS = {
    "judge": ("judge", "PIPE", "--model", "MODEL"),
    "render": ("render", "PIPE", "-o", "piece.musicxml"),
    "inspect": ("inspect", "PIPE"),
    "originality": ("originality", "PIPE", "--model", "MODEL"),
    "compose": ("compose", "--prompt", "PIPE", "--notes", "5", "--model", "MODEL", "-o", "piece.mid"),
    "roundtrip": ("roundtrip", "PIPE"),
}


@pytest.fixture
def pipe(waltz: Notes) -> Iterator[str]:
    """A pipe that holds one file, under the name that a shell gives it."""
    reading, writing = os.pipe()
    os.write(writing, midi_bytes(waltz))  # it fits into the pipe's buffer
    os.close(writing)
    yield f"/dev/fd/{reading}"
    os.close(reading)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_reads_a_pipe_once(
    verb: str, pipe: str, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = tiny_bundle
    if verb == "originality":
        model = knowing(tmp_path / "tiny", tiny_bundle, Request(notes=100, seed=7))
    words = {"PIPE": pipe, "MODEL": str(model)}
    assert main([words.get(word, word) for word in VERBS[verb]]) == 0

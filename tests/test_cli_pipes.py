"""A MIDI file may come through a pipe, as `arietta judge <(cat piece.mid)` has it: it can be read only once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import arietta
from arietta.cli import main
from arietta.generation.request import Request
from arietta.music.midi import midi_bytes, read_midi
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


@pytest.mark.parametrize(
    "words",
    [
        ("compose", "--notes", "5", "--seed", "1", "-o", "-"),
        ("extend", "-", "--notes", "5", "--seed", "1", "-o", "-"),
        ("render", "-", "--to", "mid", "-o", "-"),
        ("render", "-", "--to", "png", "-o", "-"),
    ],
)
def test_a_dash_is_standard_input_and_output_and_what_is_printed_does_not_mix_with_the_file(
    words: tuple[str, ...], tiny_bundle: Path, waltz: Notes, tmp_path: Path
) -> None:
    model = () if words[0] == "render" else ("--model", str(tiny_bundle))
    call = [sys.executable, "-m", "arietta", *words, *model]
    environment = os.environ | {"PYTHONPATH": str(Path(arietta.__file__).parents[1])}
    done = subprocess.run(call, input=midi_bytes(waltz), capture_output=True, check=True, cwd=tmp_path, env=environment)
    assert done.stdout.startswith(b"\x89PNG" if "png" in words else b"MThd") and not list(tmp_path.iterdir())
    assert done.stderr
    if words[0] == "extend":
        assert len(read_midi(done.stdout)) == len(waltz) + 5


def test_several_files_do_not_go_to_standard_output(
    tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mid").write_bytes(midi_bytes(Notes.of([0], [1], [60], [60])))
    words = ["compose", "--notes", "5", "--model", str(tiny_bundle), "-o", "-"]
    assert main([*words, "--count", "2"]) == 2
    assert "-: 2 takes need a folder, not one file" in capsys.readouterr().err
    assert main([*words, "--roll"]) == 2
    assert "--roll and --sound need a folder" in capsys.readouterr().err
    assert main(["render", str(tmp_path / "a.mid"), "--to", "wav,png", "-o", "-"]) == 2
    assert "one kind of --to KINDS" in capsys.readouterr().err

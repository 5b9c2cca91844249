"""`arietta ingest` from the shell: what it prints, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.corpus.store import open_store
from arietta.music.midi import read_midi
from arietta.names import is_shown
from tests.support.file_names import NAMES
from tests.support.tunes import play_again, tune, write

ROOT = Path(__file__).parents[2]


def test_it_says_what_was_kept_what_was_not_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "midi" / "a.mid", tune(1))
    write(tmp_path / "midi" / "b.mid", play_again(tune(1), 2))
    write(tmp_path / "midi" / "short.mid", tune(2, 3))
    code = main(["ingest", str(tmp_path / "midi"), "--out", str(tmp_path / "corpus"), "--composer", "Clara Schumann"])
    printed = capsys.readouterr().out
    assert code == 0
    assert "2 of 3 files kept, 1 works" in printed
    assert "2 files, 240 notes" in printed
    assert "rejected 1: short.mid (too short" in printed
    assert "largest work: 2 files (100.0%), Clara Schumann: a" in printed
    assert printed.count("nothing for ") == 1  # of one work there is one side


def test_of_many_works_no_side_is_said_to_be_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(60):
        write(tmp_path / "midi" / f"demo {seed}.mid", tune(seed, 30))
    assert main(["ingest", str(tmp_path / "midi"), "--out", str(tmp_path / "corpus")]) == 0
    printed = capsys.readouterr().out
    assert "own test" in printed and "own validation" in printed and "nothing for" not in printed


def test_what_is_said_of_all_files_stands_in_the_manifest(tmp_path: Path) -> None:
    write(tmp_path / "midi" / "a.mid", tune(1))
    words = ["--composer", "Clara Schumann", "--licence", "CC0 1.0", "--source", "measured", "--workers", "1"]
    assert main(["ingest", str(tmp_path / "midi"), "--out", str(tmp_path / "corpus"), *words]) == 0
    piece = open_store(tmp_path / "corpus").pieces[0]
    assert (piece.composer, piece.licence, piece.source) == ("Clara Schumann", "CC0 1.0", "measured")


def test_shorter_files_are_kept_when_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "midi" / "a.mid", tune(1, 4))
    assert main(["ingest", str(tmp_path / "midi"), "--out", str(tmp_path / "corpus"), "--fewest-notes", "4"]) == 0
    assert len(open_store(tmp_path / "corpus")) == 1


@pytest.mark.posix
def test_names_of_any_bytes_are_kept_shown_and_found_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = os.fsencode(tmp_path) + b"/m\xfe"
    for seed, raw in enumerate(NAMES):
        write(Path(os.fsdecode(folder + b"/" + raw + b".mid")), tune(seed))
    Path(os.fsdecode(folder + b"/caf\xe9 2.mid")).write_bytes(b"no music")
    corpus = os.fsdecode(os.fsencode(tmp_path) + b"/c\xff")
    assert main(["ingest", os.fsdecode(folder), "--out", corpus, "--workers", "1"]) == 0
    assert main(["inspect", corpus]) == 0
    printed = capsys.readouterr().out
    assert f"{len(NAMES)} of {len(NAMES) + 1} files kept, {len(NAMES)} works" in printed
    assert "rejected 1: caf\\xe9 2.mid" in printed
    assert all(is_shown(letter) for letter in printed.replace("\n", ""))
    store = open_store(corpus)
    assert {os.fsencode(piece.file) for piece in store.pieces} == {raw + b".mid" for raw in NAMES}
    for piece in store.pieces:
        assert store.notes(piece.index) == read_midi(Path(piece.folder, piece.file))


@pytest.mark.posix
@pytest.mark.usefixtures("single_torch_thread")
def test_every_verb_that_opens_a_corpus_opens_one_with_names_of_any_bytes(tiny_bundle: Path, tmp_path: Path) -> None:
    for seed, raw in enumerate(NAMES):
        write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xff/" + raw + b".mid")), tune(seed, 60))
    corpus, out = str(tmp_path / os.fsdecode("c\u2028\u0085".encode() + b"\xff")), str(tmp_path)
    assert main(["ingest", str(tmp_path / os.fsdecode(b"m\xff")), "--out", corpus, "--workers", "1"]) == 0
    brief = ["--steps", "1", "--threads", "1", "--device", "cpu", "--set", "train.batch=1", "--set", "data.length=32"]
    tiny = [str(ROOT / "configs" / "tiny.toml"), "--set", "model.width=16", "--set", "model.layers=1"]
    verbs = {
        "inspect": ["inspect", corpus],
        "checksums": ["inspect", corpus, "--verify"],
        "originality": ["originality", "--build", corpus, "--out", f"{out}/index"],
        "train": ["train", *tiny, "--corpus", corpus, "--out", f"{out}/run", *brief],
        "finetune": ["finetune", corpus, "--from", str(tiny_bundle), "--out", f"{out}/mine", *brief],
    }
    files = (ROOT / "arietta" / "cli").glob("*.py")
    assert verbs.keys() == {path.stem for path in files if "open_store(" in path.read_text(encoding="utf-8")}
    for words in verbs.values():
        assert main(words) == 0


def test_reasons_of_one_kind_are_one_line_with_a_count_and_an_example(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(9):
        write(tmp_path / "midi" / f"{seed}.mid", tune(seed))
    for number in range(3):
        write(tmp_path / "midi" / f"short {number}.mid", tune(20 + number, 3 + number))
    for number in range(2):
        (tmp_path / "midi" / f"x{number}.mid").write_bytes(bytes([number, 200, 39, 34]) * 4)
    assert main(["ingest", str(tmp_path / "midi"), "--out", str(tmp_path / "corpus"), "--workers", "1"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "rejected" in line]
    assert lines == [
        "  rejected 3: too short, for example short 0.mid (3 notes, fewer than 10)",
        "  rejected 2: unreadable: not a MIDI file: it begins with … where … must stand, for example x0.mid "
        """(unreadable: not a MIDI file: it begins with '\\x00È\\'"' where 'MThd' must stand)""",
    ]


def test_numbered_files_without_a_composer_are_works_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(1, 4):
        write(tmp_path / "midi" / f"demo {number}.mid", tune(number))
    write(tmp_path / "midi" / "October, The Seasons, Tchaikovsky.mid", tune(9))
    for words in ([], ["--composer", "Clara Schumann"]):
        corpus = tmp_path / f"corpus{len(words)}"
        assert main(["ingest", str(tmp_path / "midi"), "--out", str(corpus), "--workers", "1", *words]) == 0
        assert "4 of 4 files kept, 4 works" in capsys.readouterr().out
        assert {(piece.corpus, piece.licence) for piece in open_store(corpus).pieces} == {("own", "")}
        assert {piece.composer for piece in open_store(corpus).pieces} == {words[-1] if words else ""}


def test_a_missing_folder_is_a_sentence_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingest", str(tmp_path / "nowhere"), "--out", str(tmp_path / "corpus")]) == 2
    error = capsys.readouterr().err
    assert error == f"arietta: {tmp_path / 'nowhere'}: there is no such folder; name folders with MIDI files\n"
    assert not (tmp_path / "corpus").exists()


def test_an_unknown_source_is_refused_with_the_choices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["ingest", str(tmp_path), "--out", "x", "--source", "dreamt"])
    assert "measured" in capsys.readouterr().err


@pytest.mark.posix
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_all_processes_and_leaves_the_old_corpus(tmp_path: Path, kind: signal.Signals) -> None:
    for attempt in range(3):  # a fast machine may be done before the signal arrives
        folder = tmp_path / str(attempt)
        before, code, error = _interrupt_ingest(folder, kind)
        if code:
            break
    assert code == 130
    assert error == "arietta: interrupted; nothing was left half-written\n"
    assert open_store(folder / "corpus").fingerprint == before
    assert sorted(path.name for path in folder.iterdir()) == ["corpus", "midi"]


def _interrupt_ingest(folder: Path, kind: signal.Signals) -> tuple[str, int, str]:
    """Interrupt a second ingest into a corpus: (the first one's fingerprint, exit code, what was said on stderr)."""
    for seed in range(6):
        write(folder / "midi" / f"{seed:02}.mid", tune(seed, 20))
    words = [sys.executable, "-m", "arietta", "ingest", str(folder / "midi"), "--out", str(folder / "corpus")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([*words, "--workers", "1"], check=True, env=environment, stdout=subprocess.DEVNULL)
    before = open_store(folder / "corpus").fingerprint
    for seed in range(6, 160):
        write(folder / "midi" / f"{seed:02}.mid", tune(seed, 2000))
    with subprocess.Popen(
        [*words, "--workers", "2"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_interrupts,  # noqa: PLW1509 - no threads here
    ) as running:
        try:
            _wait_for_unfinished(folder)
            running.send_signal(kind)
            _, error = running.communicate(timeout=30)
        finally:
            running.kill()
    return before, running.returncode, error


def _hear_interrupts() -> None:
    """Undo what a shell does to the signals of what it runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _wait_for_unfinished(folder: Path) -> None:
    for _ in range(500):
        if any(path.suffix == ".part" for path in folder.iterdir()):
            return
        time.sleep(0.01)
    pytest.fail("nothing was begun")


def test_of_a_folder_with_broken_files_the_rest_is_taken_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(5):
        write(tmp_path / "midi" / f"{seed}.mid", tune(seed))
    for number in range(3):
        (tmp_path / "midi" / f"broken-{number}.mid").write_bytes(b"MThd, but no more")
    words = ["ingest", str(tmp_path / "midi"), "--out", str(tmp_path / "corpus")]
    assert main(words) == 2
    assert "3 of 8 files cannot be read" in (refusal := capsys.readouterr().err) and "--partial" in refusal
    assert main([*words, "--partial"]) == 0
    assert "5 of 8 files kept" in capsys.readouterr().out

"""Ingest: every file has its line, kept or rejected; nothing is read twice; whatever goes wrong is a sentence."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from arietta.corpus import reader
from arietta.corpus.columns import ColumnWriter
from arietta.corpus.ingest import IngestConfig, ingest
from arietta.corpus.known import is_trained_on
from arietta.corpus.store import READER_VERSION, notes_checksum, open_store, read_manifest
from arietta.errors import CorpusError
from arietta.music.midi import read_midi
from tests.support.tunes import play_again, play_all, tune, write, write_maestro

ONE = IngestConfig(workers=1)


def lines(corpus: Path) -> dict[str, dict[str, Any]]:
    """Read the manifest's lines by file."""
    return {line["file"]: line for line in read_manifest(corpus)}


def test_every_file_has_a_line_and_the_store_its_notes(tmp_path: Path) -> None:
    for seed in range(3):
        write(tmp_path / "midi" / "deep" / f"{seed}.mid", tune(seed))
    report = ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    store = open_store(tmp_path / "corpus")
    assert [piece.file for piece in store.pieces] == ["deep/0.mid", "deep/1.mid", "deep/2.mid"]
    for piece in store.pieces:
        assert store.notes(piece.index) == read_midi(tmp_path / "midi" / piece.file)
    assert (report["files"], report["kept"], report["works"]) == (3, 3, 3)
    assert json.loads((tmp_path / "corpus" / "report.json").read_text()) == report


def test_a_line_says_all_that_is_known(tmp_path: Path) -> None:
    write_maestro(tmp_path / "maestro", [("Frédéric Chopin", "Etude Op. 10 No. 1", "test", tune(1))])
    ingest([tmp_path / "maestro"], tmp_path / "corpus", ONE)
    line = lines(tmp_path / "corpus")["2004/0.midi"]
    assert len(line.pop("sha256")) == 64
    assert line.pop("checksum") == notes_checksum(read_midi(tmp_path / "maestro" / "2004" / "0.midi"))
    assert line.pop("seconds") == pytest.approx(tune(1).seconds, abs=0.001)
    assert line == {
        "file": "2004/0.midi", "folder": str(tmp_path / "maestro"), "state": "kept", "reason": "", "index": 0,
        "notes": 120, "composer": "Frédéric Chopin", "title": "Etude Op. 10 No. 1",
        "work": "Frédéric Chopin: Etude Op. 10 No. 1", "split": "test", "source": "measured", "corpus": "maestro",
        "licence": "CC BY-NC-SA 4.0", "reader": READER_VERSION,
    }  # fmt: skip


@pytest.mark.posix
def test_broken_and_short_files_are_rejected_with_the_reason(tmp_path: Path) -> None:
    for seed in range(9):
        write(tmp_path / "midi" / f"{seed}.mid", tune(seed))
    write(tmp_path / "midi" / "short.mid", tune(9, 5))
    (tmp_path / "midi" / "empty.mid").touch()
    (tmp_path / "midi" / "gone.mid").symlink_to(tmp_path / "nowhere.mid")
    report = ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    found = lines(tmp_path / "corpus")
    assert found["short.mid"]["reason"] == "too short: 5 notes, fewer than 10"
    assert found["empty.mid"]["reason"] == "unreadable: the file is empty (0 bytes)"
    assert found["gone.mid"]["reason"].startswith("unreadable: cannot be read (No such file")
    assert {found[name]["state"] for name in ("short.mid", "empty.mid", "gone.mid")} == {"rejected"}
    assert report["kept"] == 9
    assert sum(report["rejected"].values()) == 3


def test_mostly_broken_folders_are_refused_with_an_example(tmp_path: Path) -> None:
    write(tmp_path / "midi" / "0.mid", tune(0))
    for name in ("a", "b"):
        (tmp_path / "midi" / f"{name}.mid").write_bytes(b"not MIDI at all")
    with pytest.raises(CorpusError, match=r"2 of 3 files cannot be read.*a\.mid.*not a MIDI file"):
        ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    assert not (tmp_path / "corpus").exists()


def test_folders_with_nothing_to_keep_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "midi" / "a.mid", tune(1, 5))
    with pytest.raises(CorpusError, match="nothing to keep: too short: 5 notes, fewer than 10; see --fewest-notes"):
        ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)


def test_duplicates_are_dropped_in_bytes_and_in_performance(tmp_path: Path) -> None:
    first = write(tmp_path / "midi" / "a.mid", tune(1))
    shutil.copy(first, tmp_path / "midi" / "b.mid")
    write(tmp_path / "midi" / "c.mid", read_midi(first)).touch()
    notes = tune(1)
    moved = type(notes).of((notes.onset + 3.21).round(2), notes.duration, notes.pitch, notes.velocity)
    write(tmp_path / "midi" / "d.mid", moved)
    write(tmp_path / "midi" / "e.mid", play_again(tune(1), 5))
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    reasons = {name: line["reason"].removesuffix("/a.mid") for name, line in lines(tmp_path / "corpus").items()}
    folder = tmp_path / "midi"
    assert reasons == {
        "a.mid": "",
        "b.mid": f"same bytes: as {folder}",
        "c.mid": f"same bytes: as {folder}",
        "d.mid": f"same performance: as {folder}",
        "e.mid": "",
    }


def test_two_performances_of_a_piece_are_both_kept_as_one_work(tmp_path: Path) -> None:
    write(tmp_path / "midi" / "here.mid", tune(1))
    write(tmp_path / "midi" / "there.mid", play_again(tune(1), 5))
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    assert len({piece.work for piece in open_store(tmp_path / "corpus").pieces}) == 1


def test_of_two_equal_files_the_one_with_a_prescribed_side_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "mine" / "a.mid", tune(1))
    write_maestro(tmp_path / "maestro", [("Frédéric Chopin", "Etude", "test", tune(1))])
    ingest([tmp_path / "mine", tmp_path / "maestro"], tmp_path / "corpus", ONE)
    assert [piece.corpus for piece in open_store(tmp_path / "corpus").pieces] == ["maestro"]


def test_files_of_one_name_in_different_folders_are_kept_apart(tmp_path: Path) -> None:
    for number, folder in enumerate(("one", "two", "one/deeper")):
        write(tmp_path / folder / "piece.mid", tune(number))
    ingest([tmp_path / "one", tmp_path / "two"], tmp_path / "corpus", ONE)
    store = open_store(tmp_path / "corpus")
    where = [(Path(piece.folder).name, piece.file) for piece in store.pieces]
    assert where == [("one", "deeper/piece.mid"), ("one", "piece.mid"), ("two", "piece.mid")]
    assert store.notes(2) == read_midi(tmp_path / "two" / "piece.mid")


def test_what_a_corpus_holds_out_is_dropped_from_the_others(tmp_path: Path) -> None:
    write_maestro(tmp_path / "maestro", [("A", "One", "test", tune(1)), ("A", "Two", "train", tune(2))])
    write(tmp_path / "mine" / "whole.mid", play_all(play_again(tune(1), 9), tune(3)))
    write(tmp_path / "mine" / "other.mid", play_again(tune(2), 9))
    ingest([tmp_path / "mine", tmp_path / "maestro"], tmp_path / "corpus", ONE)
    found = lines(tmp_path / "corpus")
    assert found["whole.mid"]["reason"] == "held out: plays A, One, which maestro keeps for test"
    assert found["other.mid"]["split"] == "train"
    assert found["other.mid"]["work"] == found["2004/1.midi"]["work"]


def test_two_processes_make_the_same_corpus_as_one(tmp_path: Path) -> None:
    for seed in range(2 * reader.FILES_PER_BATCH + 1):
        write(tmp_path / "midi" / f"{seed}.mid", tune(seed))
    for workers in (1, 2):
        ingest([tmp_path / "midi"], tmp_path / f"corpus{workers}", IngestConfig(workers=workers))
    for path in (tmp_path / "corpus1").iterdir():
        assert path.read_bytes() == (tmp_path / "corpus2" / path.name).read_bytes()


def test_an_interruption_leaves_the_old_corpus_whole(tmp_path: Path) -> None:
    write(tmp_path / "midi" / "a.mid", tune(1))
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    write(tmp_path / "midi" / "b.mid", tune(2))
    with pytest.raises(KeyboardInterrupt):
        ingest([tmp_path / "midi"], tmp_path / "corpus", ONE, _interrupt)
    assert [piece.file for piece in open_store(tmp_path / "corpus").pieces] == ["a.mid"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "midi"]


def _interrupt(done: int, total: int) -> None:
    raise KeyboardInterrupt


def test_a_full_disk_leaves_the_old_corpus_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "midi" / "a.mid", tune(1))
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)

    def fail(self: ColumnWriter, rows: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(ColumnWriter, "append", fail)
    with pytest.raises(CorpusError, match=r"corpus: cannot be written \(No space left on device\)"):
        ingest([tmp_path / "midi"], tmp_path / "corpus", ONE)
    assert len(open_store(tmp_path / "corpus")) == 1


def test_progress_counts_to_the_number_of_files(tmp_path: Path) -> None:
    for seed in range(3):
        write(tmp_path / "midi" / f"{seed}.mid", tune(seed))
    steps: list[tuple[int, int]] = []
    ingest([tmp_path / "midi"], tmp_path / "corpus", ONE, lambda done, total: steps.append((done, total)))
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_the_report_lists_the_largest_works_with_their_titles(tmp_path: Path) -> None:
    rows = [("Franz Liszt", f"Hungarian Rhapsody No. 2, take {k}", "train", play_again(tune(1), k)) for k in range(4)]
    write_maestro(tmp_path / "maestro", [*rows, ("Franz Liszt", "Au bord d'une source", "train", tune(2))])
    report = ingest([tmp_path / "maestro"], tmp_path / "corpus", ONE)
    largest = report["largest works"][0]
    assert (largest["files"], largest["share"], largest["split"]) == (4, 0.8, "train")
    assert len(largest["titles"]) == 4
    assert report["splits"] == {"maestro train": {"files": 5, "notes": 600, "hours": pytest.approx(0.04, abs=0.02)}}


@pytest.fixture(scope="session")
def everything(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Ingest MAESTRO, GiantMIDI and Grieg together, as before any training; give the manifest."""
    out = tmp_path_factory.mktemp("everything") / "corpus"
    folders = [corpora / name for name in ("maestro-v3.0.0", "midis", "grieg")]
    missing = [folder.name for folder in folders if not folder.is_dir()]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} too")
    ingest(folders, out, IngestConfig())
    found = read_manifest(out)
    shutil.rmtree(out)
    return found


def test_no_work_of_all_corpora_together_stands_on_two_sides(everything: list[dict[str, Any]]) -> None:
    sides = defaultdict(set)
    for line in everything:
        if line["state"] == "kept":
            sides[line["work"]].add(line["split"])
    assert all(len(side) == 1 for side in sides.values())


def test_no_work_of_all_corpora_together_holds_one_file_in_a_hundred(everything: list[dict[str, Any]]) -> None:
    sizes = defaultdict(int)
    for line in everything:
        sizes[line["work"]] += line["state"] == "kept"
    assert max(sizes.values()) < 0.01 * len(everything)


def test_no_file_that_the_weights_were_trained_on_is_held_out(everything: list[dict[str, Any]]) -> None:
    trained_on = [line for line in everything if is_trained_on(line["sha256"])]
    assert len(trained_on) == 8894 + 962
    assert {line["split"] for line in trained_on} == {"train"}


def test_maestro_keeps_all_its_files_and_its_published_split(everything: list[dict[str, Any]]) -> None:
    counts = defaultdict(int)
    for line in everything:
        counts[line["split"] if line["state"] == "kept" else "rejected"] += line["corpus"] == "maestro"
    assert dict(counts) == {"train": 962, "validation": 137, "test": 177, "rejected": 0}


def test_what_is_held_out_of_grieg_is_held_out_of_giantmidi(everything: list[dict[str, Any]]) -> None:
    opuses = {line["title"]: line for line in everything if line["title"].startswith("Lyric Pieces, Op.")}
    rejected = {title for title, line in opuses.items() if line["state"] == "rejected"}
    assert rejected == {"Lyric Pieces, Op.62", "Lyric Pieces, Op.65", "Lyric Pieces, Op.71"}

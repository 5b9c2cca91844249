"""Parts: read apart and merged, a corpus has the bytes it has in one go; parts that do not belong are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arietta.cli import main
from arietta.corpus.ingest import IngestConfig, ingest
from arietta.corpus.parts import LISTING, Shard, merge_parts, read_part
from arietta.corpus.reader import READING_CACHE
from arietta.corpus.store import open_store
from arietta.errors import CorpusError
from tests.support.tunes import play_again, tune, write, write_maestro

ONE = IngestConfig(workers=1)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two folders with a copy, a second performance, a broken file and one that is too short."""
    write_maestro(tmp_path / "maestro", [("Frédéric Chopin", f"Etude Op. 10 No. {n}", "test", tune(n)) for n in (1, 2)])
    for seed in range(3, 10):
        write(tmp_path / "own" / f"{seed}.mid", tune(seed))
    write(tmp_path / "own" / "copy.mid", tune(3))
    write(tmp_path / "own" / "again.mid", play_again(tune(4), 1))
    write(tmp_path / "own" / "short.mid", tune(11, 5))
    (tmp_path / "own" / "broken.mid").write_bytes(b"no MIDI")
    return [tmp_path / "maestro", tmp_path / "own"]


def read_all(folders: list[Path], out: Path, count: int, config: IngestConfig = ONE) -> list[Path]:
    parts = [out / f"part-{number}" for number in range(1, count + 1)]
    for number, part in enumerate(parts, start=1):
        read_part(folders, part, config, Shard(number, count))
    return parts


def content(corpus: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(corpus.iterdir()) if path.name != READING_CACHE}


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_merged_parts_are_the_corpus_of_one_machine_to_the_byte(
    tmp_path: Path, folders: list[Path], count: int
) -> None:
    report = ingest(folders, tmp_path / "corpus", ONE)
    parts = read_all(folders, tmp_path, count)  # of twenty parts of fourteen files some are empty
    assert merge_parts(parts[::-1], tmp_path / "merged") == report
    assert content(tmp_path / "merged") == content(tmp_path / "corpus")
    assert open_store(tmp_path / "merged").fingerprint == open_store(tmp_path / "corpus").fingerprint


def test_named_folders_give_one_corpus_wherever_they_lie(tmp_path: Path, folders: list[Path]) -> None:
    config = IngestConfig(workers=1, names=("maestro", "own"))
    (part,) = read_all(folders, tmp_path, 1, config)
    moved = [folder.rename(tmp_path / f"moved-{folder.name}") for folder in folders]
    merge_parts([part], tmp_path / "merged")
    ingest(moved, tmp_path / "corpus", config)
    assert content(tmp_path / "merged") == content(tmp_path / "corpus")
    with pytest.raises(CorpusError, match="2 folders and 1 different names"):
        ingest(moved, tmp_path / "corpus", IngestConfig(names=("maestro", "maestro")))


def test_a_part_is_read_again_only_where_files_changed(tmp_path: Path, folders: list[Path], monkeypatch: Any) -> None:
    (part,) = read_all(folders, tmp_path, 1)
    before = content(part)
    monkeypatch.setattr("arietta.corpus.reader.read_midi", None)  # any file of sound content would now fail
    (folders[1] / "broken.mid").unlink()
    read_part(folders, part, ONE, Shard(1, 1))
    assert content(part)["onset.npy"] == before["onset.npy"]


def test_parts_that_do_not_belong_together_are_refused(tmp_path: Path, folders: list[Path]) -> None:
    first, second = read_all(folders, tmp_path, 2)
    with pytest.raises(CorpusError, match=r"part 2 of 2 is missing \(1 in all\)"):
        merge_parts([first], tmp_path / "corpus")
    with pytest.raises(CorpusError, match="part 1 again"):
        merge_parts([first, second, first], tmp_path / "corpus")
    read_part(folders, tmp_path / "third", ONE, Shard(2, 3))
    with pytest.raises(CorpusError, match="differ in the number of parts"):
        merge_parts([first, tmp_path / "third"], tmp_path / "corpus")
    read_part(folders, tmp_path / "other", IngestConfig(fewest_notes=2), Shard(2, 2))
    with pytest.raises(CorpusError, match="differ in options"):
        merge_parts([first, tmp_path / "other"], tmp_path / "corpus")
    write(folders[1] / "new.mid", tune(12))
    read_part(folders, tmp_path / "later", ONE, Shard(2, 2))
    with pytest.raises(CorpusError, match="differ in files"):
        merge_parts([first, tmp_path / "later"], tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]\n", '{"shard": [1, 1], "agreed": {}}\n', '{"shard": [0, 1], "agreed": {"files": 0}}\n', "[" * 9999],
)
def test_a_damaged_part_is_refused(tmp_path: Path, folders: list[Path], text: str) -> None:
    (part,) = read_all(folders, tmp_path, 1)
    (part / LISTING).write_text(text)
    with pytest.raises(CorpusError, match=r"damaged|no part"):
        merge_parts([part], tmp_path / "corpus")


def test_altered_notes_and_another_reader_are_refused(tmp_path: Path, folders: list[Path]) -> None:
    (part,) = read_all(folders, tmp_path, 1)
    header, *lines = (part / LISTING).read_text().splitlines()
    changed = json.loads(header)
    changed["agreed"]["reader"] = 1
    (part / LISTING).write_text("\n".join([json.dumps(changed), *lines]))
    with pytest.raises(CorpusError, match="read by version 1 of the reader"):
        merge_parts([part], tmp_path / "corpus")
    (part / LISTING).write_text("\n".join([header, *lines]))
    pitch = np.load(part / "pitch.npy", mmap_mode="r+")
    pitch[0] ^= 1
    pitch.flush()
    with pytest.raises(CorpusError, match="were altered; read the part again"):
        merge_parts([part], tmp_path / "corpus")


def test_no_part_is_written_over_something_else(tmp_path: Path, folders: list[Path]) -> None:
    with pytest.raises(CorpusError, match="is there already"):
        read_part(folders, folders[0], ONE, Shard(1, 1))


@pytest.mark.parametrize("text", ["3", "0/2", "3/2", "a/b", "1/0", "-1/2"])
def test_an_impossible_part_is_refused(text: str) -> None:
    with pytest.raises(CorpusError, match="part"):
        Shard.parse(text)


def test_the_command_reads_parts_and_merges_them(tmp_path: Path, folders: list[Path], capsys: Any) -> None:
    names = [str(folder) for folder in folders]
    for number in (1, 2):
        assert main(["ingest", *names, "--shard", f"{number}/2", "--out", str(tmp_path / f"part-{number}")]) == 0
    assert "part 2/2, 6 files" in capsys.readouterr().out
    parts = [str(tmp_path / f"part-{number}") for number in (1, 2)]
    assert main(["ingest", "--merge", *parts, "--out", str(tmp_path / "corpus")]) == 0
    assert "files kept" in capsys.readouterr().out
    assert main(["ingest", "--out", str(tmp_path / "corpus")]) == 2

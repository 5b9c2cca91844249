"""Files read by a cluster of two simulated machines, one of which is lost meanwhile: the corpus of one machine."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arietta.cli import main
from arietta.corpus.ingest import IngestConfig, ingest
from arietta.corpus.reader import READING_CACHE, SourceFile, find_files
from arietta.errors import CorpusError
from tests.support.tunes import tune, write, write_maestro

FILES = 40


def test_without_ray_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    write(tmp_path / "midi" / "a.mid", tune(1))
    assert main(["ingest", str(tmp_path / "midi"), "--out", str(tmp_path / "corpus"), "--cluster", "auto"]) == 2
    assert "needs Ray: " in (error := capsys.readouterr().err) and "install" in error
    assert not (tmp_path / "corpus").exists()


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tunes, a broken file and a piece of MAESTRO's form; the corpus of one machine is beside it."""
    folder = tmp_path_factory.mktemp("music")
    for seed in range(FILES):
        write(folder / "midi" / f"{seed:02}.mid", tune(seed))
    (folder / "midi" / "broken.mid").write_bytes(b"MThd, but no more")
    write_maestro(folder / "maestro", [("A", "One", "test", tune(101)), ("A", "Two", "train", tune(102))])
    config = IngestConfig(workers=1, names=("midi", "maestro"))
    ingest([folder / "midi", folder / "maestro"], folder / "corpus", config)
    return folder


@pytest.fixture
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    from arietta.cluster import ingest as module

    monkeypatch.setattr(module, "FILES_PER_SHARE", 2)


CONFIG = IngestConfig(names=("midi", "maestro"))


def assert_same_corpus(found: Path, expected: Path) -> None:
    names = sorted(path.name for path in expected.iterdir() if path.name != READING_CACHE)
    assert sorted(path.name for path in found.iterdir()) == names
    for name in names:
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name


@pytest.mark.usefixtures("small_shares")
@pytest.mark.parametrize("kind", ["folders", "stores"])
def test_a_cluster_makes_the_corpus_of_one_machine_though_a_machine_is_lost(
    music: Path, cluster: Any, tmp_path: Path, kind: str
) -> None:
    from arietta.cluster.ingest import ingest_on_cluster

    second, done = cluster.add_node(num_cpus=1), threading.Event()

    def progress(count: int, total: int) -> None:
        if count >= 6 and not done.is_set():
            done.set()
            cluster.remove_node(second, allow_graceful=False)

    folders = [music / "midi", music / "maestro"]
    names = [folder.as_uri() if kind == "stores" else str(folder) for folder in folders]
    report = ingest_on_cluster(names, tmp_path / "corpus", CONFIG, cluster.address, progress)
    assert report["files"] == FILES + 3
    assert done.is_set()
    assert_same_corpus(tmp_path / "corpus", music / "corpus")
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


@pytest.mark.usefixtures("small_shares")
def test_a_run_that_was_ended_goes_on_from_what_was_read(music: Path, cluster: Any, tmp_path: Path) -> None:
    from arietta.cluster.ingest import ingest_on_cluster

    folders, seen = [str(music / "midi"), str(music / "maestro")], []

    def interrupt(count: int, total: int) -> None:
        if count >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest_on_cluster(folders, tmp_path / "corpus", CONFIG, cluster.address, interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.parts"]
    ingest_on_cluster(folders, tmp_path / "corpus", CONFIG, cluster.address, lambda count, total: seen.append(count))
    assert seen[0] >= 10
    assert_same_corpus(tmp_path / "corpus", music / "corpus")


@pytest.mark.usefixtures("small_shares")
def test_a_store_that_vanishes_half_way_is_told_and_the_run_goes_on_when_it_is_back(
    music: Path, cluster: Any, tmp_path: Path
) -> None:
    from arietta.cluster.ingest import ingest_on_cluster

    shutil.copytree(music / "midi", tmp_path / "midi")
    names = [(tmp_path / "midi").as_uri(), (music / "maestro").as_uri()]

    def progress(count: int, total: int) -> None:
        if count >= 10 and (tmp_path / "midi").exists():
            (tmp_path / "midi").rename(tmp_path / "away")

    with pytest.raises(CorpusError, match="the store does not give it"):
        ingest_on_cluster(names, tmp_path / "corpus", CONFIG, cluster.address, progress)
    assert not (tmp_path / "corpus").exists()
    (tmp_path / "away").rename(tmp_path / "midi")
    ingest_on_cluster(names, tmp_path / "corpus", CONFIG, cluster.address)
    assert_same_corpus(tmp_path / "corpus", music / "corpus")


def test_a_folder_that_a_machine_does_not_see_is_told(
    music: Path, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arietta.cluster import ingest as module

    monkeypatch.setattr(module, "find_files", hidden)
    with pytest.raises(CorpusError, match="midi: a machine of the cluster does not see it"):
        module.ingest_on_cluster([str(music / "midi")], tmp_path / "corpus", IngestConfig(), cluster.address)


def hidden(folders: Sequence[str], names: Sequence[str]) -> list[SourceFile]:
    """List files as `find_files`, in places that no machine has."""
    return [replace(source, path=f"/elsewhere{source.path}") for source in find_files(folders, names)]

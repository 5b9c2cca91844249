"""A run's folder: files are complete or as they were, only our own checkpoints are read, differences are named."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from arietta.codecs.note import NoteCodec
from arietta.errors import ConfigError
from arietta.train.checkpoint import (
    check_same_run,
    load_trained,
    read_checkpoint,
    versions,
    write_checkpoint,
    write_file,
    write_json,
)
from tests.support.networks import SMALL, learner

CONTENT = {"model": {"weight": torch.arange(3.0)}, "config": {}, "codec": {}, "store": "s", "step": 7}


class Trap:
    """Unpickling this would call a function."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("sprung",)


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "last.pt", CONTENT)
    content = read_checkpoint(tmp_path / "last.pt")
    assert content["step"] == 7 and torch.equal(content["model"]["weight"], torch.arange(3.0))


def test_a_flipped_bit_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    write_checkpoint(path, CONTENT)
    sound = path.read_bytes()
    for position in [*range(0, len(sound), 37), *range(len(sound) - 47, len(sound))]:
        flipped = bytearray(sound)
        flipped[position] ^= 16
        path.write_bytes(flipped)
        with pytest.raises(ConfigError, match=r"last\.pt: not a checkpoint .*altered or cut off"):
            read_checkpoint(path)
    for size in range(len(sound) - 80, len(sound), 7):
        path.write_bytes(sound[:size])
        with pytest.raises(ConfigError, match="altered or cut off"):
            read_checkpoint(path)


def test_a_checkpoint_without_a_checksum_is_read_as_before_and_torch_reads_one_with_it(tmp_path: Path) -> None:
    torch.save(CONTENT, tmp_path / "old.pt")
    write_checkpoint(tmp_path / "new.pt", CONTENT)
    assert read_checkpoint(tmp_path / "old.pt")["step"] == 7
    assert torch.load(tmp_path / "new.pt", weights_only=True)["step"] == 7


@pytest.mark.posix
def test_a_pipe_is_no_checkpoint_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "last.pt")
    with pytest.raises(ConfigError, match="a pipe or a device"):
        read_checkpoint(tmp_path / "last.pt")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path / "last.pt", CONTENT)
    before = (tmp_path / "last.pt").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(tmp_path / "last.pt", CONTENT | {"step": 8})
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]
    assert (tmp_path / "last.pt").read_bytes() == before


def test_nothing_is_run_by_reading_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(CONTENT | {"model": Trap()}, tmp_path / "zip.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Trap(), protocol=2))
    for name in ("zip.pt", "plain.pt"):
        with pytest.raises(ConfigError, match="not a checkpoint"):
            read_checkpoint(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_a_file_of_torchs_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(ConfigError, match=r"other\.pt: not a checkpoint of `arietta train`"):
        read_checkpoint(tmp_path / "other.pt")


def test_a_missing_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"best\.pt: no such checkpoint"):
        read_checkpoint(tmp_path / "best.pt")


def test_a_checkpoint_of_the_first_release_has_its_weights_under_new_names(tmp_path: Path) -> None:
    config, model = SMALL, learner(SMALL)
    described = config.describe()
    del described["conditions"]
    described |= {"composers": list(config.composers), "sources": list(config.sources)}
    old = {name.replace("embedding.conditions.", "embedding."): weight for name, weight in model.state_dict().items()}
    codec = NoteCodec().describe()
    write_checkpoint(tmp_path / "best.pt", CONTENT | {"model": old, "config": described, "codec": codec})
    trained = load_trained(tmp_path / "best.pt")
    assert trained.config == config and "embedding.composer.weight" in old
    assert all(torch.equal(weight, model.state_dict()[name]) for name, weight in trained.model.state_dict().items())


def test_runs_that_differ_only_in_their_length_are_the_same() -> None:
    old = {"settings": {"train": {"steps": 10, "rate": 0.1, "patience": 0}}, "store": "s"}
    new = {"settings": {"train": {"steps": 20, "rate": 0.1, "patience": 3}}, "store": "s"}
    check_same_run(Path("run"), old, new)


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("store = s, and this one has t", {"settings": {"train": {"rate": 0.1}}, "store": "t"}),
        ("settings.train.rate = 0.1, and this one has 0.2", {"settings": {"train": {"rate": 0.2}}, "store": "s"}),
        ("settings.train.rate = 0.1, and this one has 0.015", {"settings": {"train": {}}, "store": "s"}),
    ],
)
def test_runs_that_differ_are_told_apart_by_name_and_both_values(name: str, new: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as error:
        check_same_run(Path("run"), {"settings": {"train": {"rate": 0.1}}, "store": "s"}, new)
    assert name in str(error.value) and str(error.value).startswith("run: ")


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"long content")
    write_file(tmp_path / "a", b"short")
    assert (tmp_path / "a").read_bytes() == b"short"
    write_json(tmp_path / "b", {"name": "Frédéric"})
    assert "Frédéric" in (tmp_path / "b").read_text() and json.loads((tmp_path / "b").read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_versions_name_what_computes() -> None:
    assert {"python", "torch", "numpy"} <= set(versions())

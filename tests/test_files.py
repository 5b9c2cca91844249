"""Files and folders appear complete or not at all, whatever interrupts, and failures are one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from arietta.errors import MidiError, RequestError, explain
from arietta.files import atomic_file, atomic_folder, name_with, user_data_folder, write_errors_as, write_file
from arietta.music.midi import write_midi
from arietta.music.notes import Notes


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def build(folder: Path, files: Iterable[str]) -> None:
    with atomic_folder(folder) as unfinished:
        for name in files:
            (unfinished / name).touch()


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)


def test_a_file_is_replaced_by_a_shorter_one_without_remains(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"long content")
    write_file(str(tmp_path / "a"), b"short")
    assert (tmp_path / "a").read_bytes() == b"short"
    assert names(tmp_path) == ["a"]


def test_a_file_appears_only_when_its_block_has_ended(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "a") as file:
        file.write(b"content")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_bytes() == b"content"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_file_leaves_the_older_one(tmp_path: Path, error: type[BaseException]) -> None:
    def interrupted() -> None:
        with atomic_file(tmp_path / "a") as file:
            file.write(b"newer")
            raise error

    (tmp_path / "a").write_bytes(b"older")
    with pytest.raises(error):
        interrupted()
    assert (tmp_path / "a").read_bytes() == b"older"
    assert names(tmp_path) == ["a"]


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_older_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"older")
    with pytest.raises(OSError, match="No space left"):
        write_file(tmp_path / "a", b"newer")
    assert (tmp_path / "a").read_bytes() == b"older"
    assert names(tmp_path) == ["a"]


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("error", [MidiError, RequestError])
def test_a_failed_write_is_the_callers_error_in_one_sentence(tmp_path: Path, error: type[MidiError]) -> None:
    with pytest.raises(error) as failure:
        write_file(tmp_path / "a", b"content", error)
    assert (
        str(failure.value) == f"{tmp_path / 'a'}: cannot be written {explain(OSError(28, 'No space left on device'))}"
    )


@pytest.mark.parametrize("name", ["", "a\0b", "absent/a", "file/a"])
def test_a_path_that_takes_no_file_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(RequestError, match=r": cannot be written \(.+\); [a-z ,]+$"):
        write_file(name, b"content", RequestError)
    assert names(tmp_path) == ["file"]


@pytest.mark.posix
@pytest.mark.parametrize("is_dangling", [False, True])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, is_dangling: bool) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to("middle")
    (tmp_path / "middle").symlink_to("far/target")
    if not is_dangling:
        (tmp_path / "far" / "target").write_bytes(b"older")
    write_file(tmp_path / "near", b"newer")
    assert (tmp_path / "near").readlink() == Path("middle")
    assert (tmp_path / "middle").readlink() == Path("far/target")
    assert (tmp_path / "far" / "target").read_bytes() == b"newer"
    assert names(tmp_path / "far") == ["target"]


@pytest.mark.posix
@pytest.mark.parametrize("target", ["folder", "absent/target", "link"])
def test_a_link_to_what_takes_no_file_is_refused_and_stays(tmp_path: Path, target: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(RequestError, match=r"link: cannot be written \(.+\); [a-z ,]+$"):
        write_file(tmp_path / "link", b"content", RequestError)
    assert (tmp_path / "link").readlink() == Path(target)
    assert names(tmp_path) == ["folder", "link"]


def every_writer(notes: Notes) -> dict[str, Callable[[Path], object]]:
    from arietta.render.audio import write_audio
    from arietta.render.roll import write_roll
    from arietta.render.score import write_score

    return {
        "a.mid": lambda path: write_midi(path, notes),
        "a.wav": lambda path: write_audio(path, notes),
        "a.png": lambda path: write_roll(path, notes),
        "a.musicxml": lambda path: write_score(path, notes),
    }


@pytest.mark.posix
@pytest.mark.parametrize("name", ["a.mid", "a.wav", "a.png", "a.musicxml"])
def test_music_sound_picture_and_score_are_written_through_a_link(tmp_path: Path, waltz: Notes, name: str) -> None:
    (tmp_path / name).symlink_to("target")
    every_writer(waltz)[name](tmp_path / name)
    assert (tmp_path / name).is_symlink() and (tmp_path / "target").stat().st_size > 100


@pytest.mark.posix
def test_a_pipe_is_written_into_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as readers:
        content = readers.submit((tmp_path / "pipe").read_bytes)
        write_file(tmp_path / "pipe", b"content")
    assert content.result() == b"content"
    assert (tmp_path / "pipe").is_fifo()


def test_an_error_that_is_not_about_files_stays_itself(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), write_errors_as(RequestError, tmp_path):
        raise ZeroDivisionError


def test_a_folder_takes_the_place_of_the_older_one(tmp_path: Path) -> None:
    build(tmp_path / "deep" / "folder", ["a", "b"])
    build(tmp_path / "deep" / "folder", ["c"])
    assert names(tmp_path / "deep" / "folder") == ["c"]
    assert names(tmp_path / "deep") == ["folder"]


@pytest.mark.posix
def test_a_link_to_a_folder_stays_and_the_folder_is_replaced(tmp_path: Path) -> None:
    build(tmp_path / "folder", ["a"])
    (tmp_path / "link").symlink_to("folder")
    build(tmp_path / "link", ["b"])
    assert (tmp_path / "link").readlink() == Path("folder")
    assert names(tmp_path / "folder") == ["b"]
    assert names(tmp_path) == ["folder", "link"]


def test_an_interrupted_folder_leaves_the_older_one(tmp_path: Path) -> None:
    build(tmp_path / "folder", ["a"])

    def files() -> Iterator[str]:
        yield "b"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "folder", files())
    assert names(tmp_path / "folder") == ["a"]
    assert names(tmp_path) == ["folder"]


def test_a_folder_whose_replacement_was_killed_halfway_is_put_back_first(tmp_path: Path) -> None:
    build(tmp_path / "folder", ["a"])
    (tmp_path / "folder").rename(tmp_path / ".folder.replaced")  # as a kill between the two renamings leaves it
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "folder"):
        raise KeyboardInterrupt
    assert names(tmp_path / "folder") == ["a"]


def test_a_failed_renaming_puts_the_older_folder_back(tmp_path: Path) -> None:
    build(tmp_path / "folder", ["a"])
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "folder") as unfinished:
        unfinished.rmdir()  # so that the second renaming has nothing to rename
    assert names(tmp_path / "folder") == ["a"]
    assert names(tmp_path) == ["folder"]


@pytest.mark.posix
def test_what_a_kill_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    """A kill leaves it unlocked; what another process is at is locked or new, and other programs have other names."""
    name = ".corpus.0123abcd.part"
    for folder in ("left", "owned", "new"):
        (tmp_path / folder / name / "inner").mkdir(parents=True)
        (tmp_path / folder / f".{'0f' * 16}.part").touch()
    (tmp_path / "left" / ".mine.part").touch()
    for path in [*tmp_path.glob("left/.*"), *tmp_path.glob("owned/.*")]:
        os.utime(path, (0, 0))
    build_other = "import sys, time; from arietta.files import _locked; from pathlib import Path\n"
    build_other += "with _locked(Path(sys.argv[1])), _locked(Path(sys.argv[2])): print('', flush=True); time.sleep(60)"
    owned = [str(path) for path in (tmp_path / "owned").glob(".*")]
    with subprocess.Popen([sys.executable, "-c", build_other, *owned], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None and owner.stdout.readline()
        for folder in ("left", "owned", "new"):
            write_file(tmp_path / folder / "a", b"content")
        owner.kill()
    assert names(tmp_path / "left") == [".mine.part", "a"]
    assert len(names(tmp_path / "owned")) == len(names(tmp_path / "new")) == 3


@pytest.mark.parametrize("stem", ["x" * 300, "é" * 200, "\udce9" * 300, "🎹" * 80, "piece"])
def test_a_name_is_cut_to_what_a_file_system_can_hold(tmp_path: Path, stem: str) -> None:
    name = name_with(stem, "musicxml")
    (tmp_path / name).touch()
    assert name.endswith(".musicxml")
    assert stem.startswith(name.removesuffix(".musicxml"))
    assert len(os.fsencode(name)) <= 255 < len(os.fsencode(name)) + 4 or name == "piece.musicxml"


@pytest.mark.parametrize(
    ("system", "folder"),
    [
        ("linux", ".local/share/arietta"),
        ("darwin", "Library/Application Support/arietta"),
        ("win32", "AppData/Local/arietta"),
    ],
)
def test_the_users_data_is_where_the_system_wants_it_unless_told_otherwise(
    system: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert user_data_folder() == tmp_path / folder
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "mine"))
    assert user_data_folder() == tmp_path / "mine" / "arietta"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # which the specification tells to ignore
    assert user_data_folder() == tmp_path / folder

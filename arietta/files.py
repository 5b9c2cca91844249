"""Files and folders that are written atomically: complete under their name, or not there at all.

    write_file(Path("piece.svg"), content)
    with atomic_folder(Path("corpus")) as unfinished: ...

Both are built beside their place under a hidden name and renamed at the end, so a kill or a full disk leaves what was
there before as it was. A symbolic link stays, and what it points to is written. What a kill leaves under a hidden name
is removed by the next process that writes into the folder: a lock tells that its owner is gone (not on Windows).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import re
import shutil
import stat
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from .errors import AriettaError, explain, require

CHECKOUT = Path(__file__).parents[1]
MODELS_VARIABLE = "ARIETTA_MODELS"  # environment variable that replaces the user's default model folder
LONGEST_NAME = 255  # bytes, on the file systems in use
# Hidden names of what is being built, and for how many seconds it is nobody's business: an owner locks it at once.
_UNFINISHED, _NEW_SECONDS = re.compile(r"\.(?:.+\.)?[0-9a-f]{8}(?:[0-9a-f]{24})?\.part", re.DOTALL), 60.0
# Of programs' data in a user's home: by sys.platform, and for the rest the XDG Base Directory Specification's.
_DATA_FOLDERS = {"win32": ("AppData", "Local"), "darwin": ("Library", "Application Support")}


def user_data_folder() -> Path:
    """Return the folder of this user's data for Arietta, by the rules of the system or where $XDG_DATA_HOME says."""
    chosen = Path(os.environ.get("XDG_DATA_HOME", ""))  # the specification tells to ignore a relative one
    base = (
        chosen if chosen.is_absolute() else Path.home().joinpath(*_DATA_FOLDERS.get(sys.platform, (".local", "share")))
    )
    return base / "arietta"


def user_models() -> Path:
    """Return the user's own model folder, with the user's other data unless a variable names it."""
    return Path(os.environ.get(MODELS_VARIABLE) or user_data_folder() / "models")


def added_models() -> list[Path]:
    """Return the folders of models that are not in the package, in the order of lookup: its checkout's, the user's."""
    # Only a checkout has pyproject.toml: beside an installed package `models/` would be somebody else's folder.
    beside = [CHECKOUT / "models"] if (CHECKOUT / "pyproject.toml").exists() else []
    return [*beside, user_models()]


def name_with(stem: str, ending: str) -> str:
    """Return "stem.ending", with as much of the stem as the name of a file can hold."""
    while len(os.fsencode(f"{stem}.{ending}")) > LONGEST_NAME:
        stem = stem[:-1]
    return f"{stem}.{ending}"


def write_file(path: str | Path, content: bytes, error: type[AriettaError] | None = None) -> None:
    """Write `content` to `path` atomically; a failure raises `error`, or OSError where none is given."""
    with write_errors_as(error, path) if error else nullcontext(), atomic_file(Path(path)) as file:
        file.write(content)


@contextmanager
def write_errors_as(error: type[AriettaError], path: str | Path) -> Iterator[None]:
    """Raise an OSError of the block as `error`, in one sentence: that `path` cannot be written, and why."""
    require(path, (str, os.PathLike), "a file is named by its path", error)
    try:
        yield
    except OSError as failure:
        raise error(f"{path}: cannot be written {explain(failure)}") from failure


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be written bit by bit; it appears as `path` when the block ends without an error.

    A pipe or a device gets the whole content at the end: a file renamed over /dev/null would take its place.
    """
    if not path.name or "\0" in str(path):  # Python raises ValueError for these, and only at the renaming
        raise OSError(errno.EINVAL, "not a name that a file can have", str(path))
    if _is_stream(path):
        content = io.BytesIO()
        yield content
        with path.open("wb") as stream:
            stream.write(content.getbuffer())
        return
    path = _follow_link(path)
    _sweep(path.parent)
    unfinished = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with unfinished.open("w+b") as file:
            _lock(file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())  # else a crash after the renaming could leave an empty file under the name
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _is_stream(path: Path) -> bool:
    """Tell whether a pipe, a socket or a device stands under the name, or behind a link of that name."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _follow_link(path: Path) -> Path:
    """Return what a symbolic link points to in the end, there or not, and any other path as it is."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_symlink():  # realpath gives up at a link that leads back to itself
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return target


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to build in; it takes the place of `folder` when the block ends without an error.

    Until then the older one stays. A folder cannot be replaced in one step as a file can, so the older one is renamed
    first; where a kill came between the two renamings, the next call puts it back.
    """
    folder = _follow_link(folder)
    replaced = folder.with_name(f".{folder.name}.replaced")
    folder.parent.mkdir(parents=True, exist_ok=True)
    if replaced.exists() and not folder.exists():
        replaced.rename(folder)
    shutil.rmtree(replaced, ignore_errors=True)
    with hidden_folder(folder) as unfinished:
        yield unfinished
        try:
            if folder.exists():
                folder.rename(replaced)
            unfinished.rename(folder)
        except BaseException:  # an interruption too must not leave the name empty
            if replaced.exists() and not folder.exists():
                replaced.rename(folder)
            raise
        shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def hidden_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside `folder` to build it in; what is not renamed is gone when the block ends."""
    _sweep(folder.parent)
    unfinished = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        unfinished.mkdir()
        with _locked(unfinished):
            yield unfinished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _lock(descriptor: int) -> bool:
    """Lock an open file or folder until its process ends; tell whether it was to be had. Windows has no such locks."""
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Lock a file or a folder by its name for the block; give whether it was to be had."""
    if sys.platform == "win32":
        yield False
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


@functools.cache  # once a process: a folder may have a hundred thousand files
def _sweep(folder: Path) -> None:
    """Remove from a folder what processes that are gone left unfinished in it."""
    with contextlib.suppress(OSError):
        for path in [path for path in folder.iterdir() if _UNFINISHED.fullmatch(path.name)]:
            if time.time() - path.lstat().st_mtime < _NEW_SECONDS:
                continue
            with _locked(path) as is_abandoned:
                if is_abandoned:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

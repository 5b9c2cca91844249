"""Fetch public corpora from their publishers: resumed after a break, checked by checksum, unpacked whole or not at all.

    folder = download(DATASETS["maestro"], "corpora")

Standard library only. What has come so far waits beside the archive as a .part file for the next call.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import shutil
import stat
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import CorpusError

ATTEMPTS = 6  # without a byte of progress between them
TIMEOUT = 30.0  # seconds without an answer
BLOCK = 1 << 16  # bytes
LARGEST_UNPACKED = 4 << 30  # bytes: twenty times the larger corpus; more is a broken archive, or one made to harm

NOT_THERE = (404, 410)  # answers of a server that has no such file
ALGORITHMS = ("md5", "sha1", "sha256", "sha512")

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


class MissingError(CorpusError):
    """The server has no such file."""


@dataclass(frozen=True)
class Dataset:
    """A corpus as published: `checksum` is "algorithm:digest" of `archive`, `folder` is where it unpacks to.

    `url` is "" where the publisher has no direct address; `by_hand` then says where to fetch the archive.
    """

    name: str
    archive: str
    checksum: str
    folder: str
    licence: str
    url: str = ""
    by_hand: str = ""


DATASETS = {
    "maestro": Dataset(
        name="maestro",
        archive="maestro-v3.0.0-midi.zip",
        # The checksum that MAESTRO's own page gives for the MIDI-only archive.
        checksum="sha256:70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c",
        folder="maestro-v3.0.0",
        licence="CC BY-NC-SA 4.0",
        url="https://storage.googleapis.com/magentadata/datasets/maestro/v3.0.0/maestro-v3.0.0-midi.zip",
    ),
    "giantmidi": Dataset(
        name="giantmidi",
        archive="midis_v1.2.zip",
        # Its publisher gives no checksum: this one was noted by a user, of a file whose size (192,678,627 bytes) is
        # the one the publisher states. Not confirmed by us.
        checksum="md5:aaece5750b0cfe30b6a3be5c7bb14f83",
        folder="midis",
        licence="CC BY 4.0",
        by_hand=(
            "GiantMIDI-Piano has no direct address. Read and accept its disclaimer at "
            "https://github.com/bytedance/GiantMIDI-Piano/blob/master/disclaimer.md, fetch midis_v1.2.zip (193 MB) "
            "from the Google Drive folder named there, then run: arietta download giantmidi --archive midis_v1.2.zip"
        ),
    ),
}


def download(
    dataset: Dataset,
    out: str | Path,
    progress: Progress = lambda done, total: None,
    *,
    archive: str | Path | None = None,
    checksum: str = "",
) -> Path:
    """Fetch, check and unpack `dataset` below `out`; return its folder, at once when it is there already.

    `archive` is one fetched by hand; `checksum` overrules the known one. Raises CorpusError when the publisher cannot
    be reached, the checksum differs, the archive is unsafe or broken, or `out` cannot be written.
    """
    folder = Path(out) / dataset.folder
    if folder.is_dir():
        return folder
    if archive is None and not dataset.url:
        raise CorpusError(dataset.by_hand)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        path = Path(archive) if archive else fetch(dataset.url, folder.parent / dataset.archive, progress)
        _check(path, checksum or dataset.checksum, is_ours=archive is None)
        _unpack(path, folder)
        if archive is None:
            path.unlink()
    except OSError as error:
        where = error.filename or out
        raise CorpusError(f"{where}: {error.strerror or error}; see that it can be read or written") from error
    return folder


def fetch(
    url: str, path: Path, progress: Progress = lambda done, total: None, pause: Callable[[float], None] = time.sleep
) -> Path:
    """Fetch `url` to `path`, going on where an earlier call or a broken connection left off; return `path`.

    `pause(seconds)` waits between attempts. Raises CorpusError when there is no progress after several of them,
    MissingError where there is no such file.
    """
    part = path.with_name(path.name + ".part")
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _go_on(url, part, before, progress):
                part.replace(path)
                return path
            why = "the connection broke"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in NOT_THERE:
                raise MissingError(f"{url}: cannot be fetched (it answers {error.code} {error.reason})") from error
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before:
                part.unlink()  # longer than the file: begin again
                continue
            why = f"it answers {error.code} {error.reason}"
            failures += ATTEMPTS if 400 <= error.code < 500 and error.code not in (408, 429) else 0
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            why = str(getattr(error, "reason", error)) or type(error).__name__
        failures = failures + 1 if not part.exists() or part.stat().st_size <= before else 1
        if failures >= ATTEMPTS:
            raise CorpusError(f"{url}: cannot be fetched ({why}); run again later, what has come is kept in {part}")
        logger.info("%s: %s, trying again", url, why)
        pause(2.0 ** (failures - 1))


def _go_on(url: str, part: Path, before: int, progress: Progress) -> bool:
    """Append what is missing to `part`; return whether it is complete. A server that ignores ranges starts anew."""
    headers = {"User-Agent": "arietta", "Accept-Encoding": "identity"}
    if before:
        headers["Range"] = f"bytes={before}-"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
        is_rest = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        done = before if is_rest else 0
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length else 0
        with part.open("ab" if is_rest else "wb") as file:
            while block := answer.read(BLOCK):
                file.write(block)
                done += len(block)
                progress(done, max(done, total))
    return done >= total


def _check(path: Path, checksum: str, *, is_ours: bool) -> None:
    algorithm, _, expected = checksum.partition(":")
    if algorithm not in ALGORITHMS or not expected:
        raise CorpusError(f"checksum {checksum!r}: say algorithm:digest, for example sha256:70470e...")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected.lower():
        if is_ours:
            path.unlink()
        advice = "it was deleted; run again" if is_ours else "fetch it again, or give the one you trust with --checksum"
        raise CorpusError(f"{path}: its {algorithm} is {found} and should be {expected}; {advice}")


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack so that `folder` appears at once and whole: beside it first, then renamed.

    An archive with one folder at its top becomes that folder, any other is put into it as it is.
    """
    unfinished = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with zipfile.ZipFile(archive) as packed:
            _refuse_unsafe(packed, archive)
            packed.extractall(unfinished)
        inside = [path for path in unfinished.iterdir() if path.name != "__MACOSX"]
        (inside[0] if len(inside) == 1 and inside[0].is_dir() else unfinished).rename(folder)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise CorpusError(f"{archive}: is not a sound zip archive ({error}); fetch it again") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _refuse_unsafe(packed: zipfile.ZipFile, archive: Path) -> None:
    """Refuse members that would land elsewhere, links, and more than a corpus can be."""
    size = sum(member.file_size for member in packed.infolist())
    if size > LARGEST_UNPACKED:
        raise CorpusError(f"{archive}: would unpack to {size >> 20} MB, more than {LARGEST_UNPACKED >> 20}")
    for member in packed.infolist():
        parts = member.filename.replace("\\", "/").split("/")
        is_outside = ".." in parts or parts[0] == "" or ":" in parts[0]
        if is_outside or stat.S_ISLNK(member.external_attr >> 16):
            raise CorpusError(f"{archive}: its member {member.filename!r} points out of the archive; do not trust it")

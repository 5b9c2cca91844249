"""Public corpora as their publishers offer them: fetched, checked by checksum, and unpacked atomically.

    folder = fetch_dataset(DATASETS["maestro"], "corpora")

What it leaves is a folder of MIDI files for `ingest`; no file is read.
"""

from __future__ import annotations

import hashlib
import lzma
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import CorpusError, explain
from ..fetch import Progress, fetch_file
from ..files import hidden_folder

LARGEST_UNPACKED = 4 << 30  # bytes: twenty times the larger corpus; more is a broken archive, or one made to harm
ALGORITHMS = ("md5", "sha1", "sha256", "sha512")


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


def fetch_dataset(
    dataset: Dataset,
    out: str | Path,
    progress: Progress = lambda done, total: None,
    *,
    archive: str | Path | None = None,
    checksum: str = "",
) -> Path:
    """Fetch, check and unpack `dataset` below `out`; return its folder, at once when it is there already.

    `archive` is one fetched by hand; `checksum` overrules the known one. Raises FetchError when the publisher cannot
    be reached; CorpusError when the checksum differs, the archive is unsafe or broken, or `out` cannot be written.
    """
    folder = Path(out) / dataset.folder
    if folder.is_dir():
        return folder
    if archive is None and not dataset.url:
        raise CorpusError(dataset.by_hand)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        path = Path(archive) if archive else fetch_file(dataset.url, folder.parent / dataset.archive, progress)
        _check(path, checksum or dataset.checksum, is_ours=archive is None)
        _unpack(path, folder)
        if archive is None:
            path.unlink()
    except OSError as error:
        where = error.filename or out
        raise CorpusError(f"{where}: cannot be used {explain(error)}") from error
    return folder


def _check(path: Path, checksum: str, *, is_ours: bool) -> None:
    """Refuse an archive with another checksum; delete it where it is ours, so that the next call fetches it anew."""
    algorithm, _, expected = checksum.partition(":")
    if algorithm not in ALGORITHMS or not expected:
        raise CorpusError(f"checksum {checksum!r}: say algorithm:digest, for example sha256:70470e...")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, algorithm).hexdigest()
    if digest != expected.lower():
        if is_ours:
            path.unlink()
        advice = "it was deleted; run again" if is_ours else "fetch it again, or give the one you trust with --checksum"
        raise CorpusError(f"{path}: its {algorithm} is {digest} and should be {expected}; {advice}")


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack beside `folder` and rename, so that it appears complete or not at all.

    An archive with one folder at its top becomes that folder, any other is put into it as it is. Raises CorpusError
    for members that would land elsewhere, for links, and for more bytes than a corpus can have.
    """
    try:
        with hidden_folder(folder) as unfinished, zipfile.ZipFile(archive) as file:
            size = sum(member.file_size for member in file.infolist())
            if size > LARGEST_UNPACKED:
                raise CorpusError(
                    f"{archive}: would unpack to {size >> 20} MB, more than {LARGEST_UNPACKED >> 20}; fetch it again"
                )
            for member in file.infolist():
                parts = member.filename.replace("\\", "/").split("/")
                is_outside = ".." in parts or parts[0] == "" or ":" in parts[0]  # "C:" is a drive of Windows
                if is_outside or stat.S_ISLNK(member.external_attr >> 16):
                    raise CorpusError(f"{archive}: its member {member.filename!r} points out of it; do not trust it")
            file.extractall(unfinished)
            # Archives made on a Mac hold a second folder of its own notes.
            top = [path for path in unfinished.iterdir() if path.name != "__MACOSX"]
            (top[0] if len(top) == 1 and top[0].is_dir() else unfinished).rename(folder)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk; bz2 raises one without a number for a broken stream
        # RuntimeError, and NotImplementedError which is one, where it is encrypted or packed in a way unknown here.
        raise CorpusError(f"{archive}: is not a sound zip archive ({error}); fetch it again") from error

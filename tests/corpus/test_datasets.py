"""Public corpora, against a server of this machine: wrong checksums, broken and hostile archives."""

from __future__ import annotations

import hashlib
import io
import random
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.corpus import datasets
from arietta.corpus.datasets import DATASETS, Dataset, fetch_dataset
from arietta.errors import CorpusError
from tests.support.flaky_server import FlakyServer, flaky_server


def packed(files: dict[str, bytes], links: tuple[str, ...] = ()) -> bytes:
    """Make a zip archive."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for name in links:
            member = zipfile.ZipInfo(name)
            member.external_attr = 0o120777 << 16
            archive.writestr(member, "/etc/passwd")
    return memory.getvalue()


ARCHIVE = packed({"corpus/a.mid": bytes(range(256)) * 2000, "corpus/2004/b.midi": b"MThd", "corpus/LICENSE": b"free"})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with flaky_server(ARCHIVE) as running:
        yield running


def dataset(server: FlakyServer, checksum: str = "") -> Dataset:
    known = checksum or "sha256:" + hashlib.sha256(ARCHIVE).hexdigest()
    return Dataset("corpus", "corpus.zip", known, "corpus-v1", "CC0", server.url)


def test_a_corpus_is_fetched_checked_and_unpacked(server: FlakyServer, tmp_path: Path) -> None:
    folder = fetch_dataset(dataset(server), tmp_path / "corpora")
    assert folder == tmp_path / "corpora" / "corpus-v1"
    assert (folder / "a.mid").read_bytes() == bytes(range(256)) * 2000
    assert (folder / "2004" / "b.midi").read_bytes() == b"MThd"
    assert [path.name for path in folder.parent.iterdir()] == ["corpus-v1"]


def test_what_is_there_is_not_fetched_again(server: FlakyServer, tmp_path: Path) -> None:
    for _ in range(2):
        fetch_dataset(dataset(server), tmp_path)
    assert len(server.ranges) == 1


def test_a_wrong_checksum_deletes_the_archive_and_unpacks_nothing(server: FlakyServer, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"its sha256 is [0-9a-f]{64} and should be 00; it was deleted; run again"):
        fetch_dataset(dataset(server, "sha256:00"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_fetched_by_hand_is_checked_and_kept(server: FlakyServer, tmp_path: Path) -> None:
    path = tmp_path / "mine.zip"
    path.write_bytes(ARCHIVE)
    with pytest.raises(CorpusError, match="give the one you trust with --checksum"):
        fetch_dataset(dataset(server, "md5:00"), tmp_path / "out", archive=path)
    checksum = "md5:" + hashlib.md5(ARCHIVE).hexdigest()
    folder = fetch_dataset(dataset(server, "md5:00"), tmp_path / "out", archive=path, checksum=checksum)
    assert (folder / "a.mid").exists()
    assert path.exists()
    assert server.ranges == []


def test_a_checksum_that_is_none_is_refused(server: FlakyServer, tmp_path: Path) -> None:
    for checksum in ("70470e", "crc:12", "sha256:"):
        with pytest.raises(CorpusError, match="say algorithm:digest"):
            fetch_dataset(dataset(server, checksum), tmp_path)


HOSTILE = [{"../x.mid": b""}, {"corpus/../../x.mid": b""}, {"/x.mid": b""}, {"..\\x.mid": b""}, {"C:\\x.mid": b""}]


@pytest.mark.parametrize("files", HOSTILE, ids=[next(iter(files)) for files in HOSTILE])
def test_an_archive_that_points_out_of_itself_is_refused(
    tmp_path: Path, server: FlakyServer, files: dict[str, bytes]
) -> None:
    server.content = packed({"corpus/a.mid": b"", **files})
    with pytest.raises(CorpusError, match="points out of it"):
        fetch_dataset(dataset(server, "sha256:" + hashlib.sha256(server.content).hexdigest()), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["corpus.zip", "out"]


def test_an_archive_with_links_is_refused(tmp_path: Path, server: FlakyServer) -> None:
    server.content = packed({}, links=("corpus/a.mid",))
    with pytest.raises(CorpusError, match="points out of it"):
        fetch_dataset(dataset(server, "sha256:" + hashlib.sha256(server.content).hexdigest()), tmp_path)


def test_an_archive_that_would_fill_the_disk_is_refused(
    tmp_path: Path, server: FlakyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "LARGEST_UNPACKED", 1000)
    with pytest.raises(CorpusError, match="would unpack to"):
        fetch_dataset(dataset(server), tmp_path)


def _claiming_bzip2(archive: bytes) -> bytes:
    """Return an archive whose first member says that it is packed in another way than it is."""
    changed = bytearray(archive)
    for signature, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        changed[archive.index(signature) + at] = zipfile.ZIP_BZIP2
    return bytes(changed)


@pytest.mark.parametrize(
    "content",
    [b"", b"no zip at all", ARCHIVE[:-100], _claiming_bzip2(ARCHIVE)],
    ids=["empty", "text", "cut short", "other packing"],
)
def test_an_archive_that_is_none_is_refused(tmp_path: Path, server: FlakyServer, content: bytes) -> None:
    path = tmp_path / "mine.zip"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match="is not a sound zip archive"):
        fetch_dataset(dataset(server), tmp_path, archive=path, checksum="md5:" + hashlib.md5(content).hexdigest())
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.zip"]


def test_an_archive_with_any_byte_changed_is_unpacked_or_refused(tmp_path: Path, server: FlakyServer) -> None:
    rng = random.Random(0)
    memory = io.BytesIO()
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(memory, "a", method) as archive:
            archive.writestr(f"corpus-v1/{method}.mid", bytes(rng.choices(b"MThd", k=400)))
    sound, refused = memory.getvalue(), 0
    path = tmp_path / "mine.zip"
    for attempt in range(150):
        damaged = bytearray(sound)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(sound))] = rng.choice(b"\0\1\x80\xff")
        path.write_bytes(damaged)
        checksum = f"md5:{hashlib.md5(damaged).hexdigest()}"
        try:
            fetch_dataset(dataset(server), tmp_path / f"out{attempt}", archive=path, checksum=checksum)
        except CorpusError:
            refused += 1
    assert 30 < refused < 150


def test_an_archive_without_a_folder_at_its_top_becomes_one(tmp_path: Path, server: FlakyServer) -> None:
    server.content = packed({"a.mid": b"1", "b.mid": b"2"})
    folder = fetch_dataset(dataset(server, "md5:" + hashlib.md5(server.content).hexdigest()), tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["a.mid", "b.mid"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, server: FlakyServer) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="cannot be used"):
        fetch_dataset(dataset(server), tmp_path / "file")


def test_maestro_comes_from_its_official_address_with_its_published_checksum() -> None:
    maestro = DATASETS["maestro"]
    assert maestro.url.startswith("https://storage.googleapis.com/magentadata/datasets/maestro/v3.0.0/")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", maestro.checksum)


def test_giantmidi_says_where_to_fetch_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "giantmidi", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "github.com/bytedance/GiantMIDI-Piano" in error
    assert "arietta download giantmidi --archive midis_v1.2.zip" in error


def test_the_command_unpacks_an_archive_and_says_what_is_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "midis_v1.2.zip"
    path.write_bytes(ARCHIVE)
    checksum = "sha256:" + hashlib.sha256(ARCHIVE).hexdigest()
    words = ["--archive", str(path), "--checksum", checksum, "--out", str(tmp_path / "corpora")]
    assert main(["download", "giantmidi", *words]) == 0
    printed = capsys.readouterr().out
    assert f"{tmp_path / 'corpora' / 'midis'}: 2 MIDI files, licence CC BY 4.0" in printed
    assert re.search(r"next: .*arietta ingest .*midis.* --out corpus", printed)


def test_an_unknown_corpus_is_refused_with_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "lakh"]) == 2
    assert "giantmidi" in capsys.readouterr().err

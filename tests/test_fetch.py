"""Downloads, against a server on this machine: breaks, servers without ranges, wrong checksums, hostile archives."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from arietta import fetch as download_module
from arietta.cli import main
from arietta.errors import CorpusError
from arietta.fetch import DATASETS, Dataset, download, fetch


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


class Server:
    """What the server gives, how it misbehaves, and what it was asked."""

    def __init__(self) -> None:
        self.content = ARCHIVE
        self.breaks_after: list[int] = []  # bytes sent in each of the first answers before the connection breaks
        self.knows_ranges = True
        self.status = 200
        self.asked: list[str] = []
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range", "")
        self.asked.append(asked)
        start = int(re.sub(r"\D", "", asked)) if asked and self.knows_ranges else 0
        if self.status != 200 or start >= len(self.content):
            handler.send_error(self.status if self.status != 200 else 416)
            return
        rest = self.content[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        handler.wfile.write(rest[: self.breaks_after.pop(0)] if self.breaks_after else rest)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, *arguments: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{listening.server_port}/corpus.zip"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    listening.shutdown()
    thread.join()
    listening.server_close()


def dataset(server: Server, checksum: str = "") -> Dataset:
    known = checksum or "sha256:" + hashlib.sha256(ARCHIVE).hexdigest()
    return Dataset("corpus", "corpus.zip", known, "corpus-v1", "CC0", server.url)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module.time, "sleep", lambda seconds: None)


def fetch_now(server: Server, path: Path) -> bytes:
    return fetch(server.url, path, pause=lambda seconds: None).read_bytes()


def test_a_corpus_is_fetched_checked_and_unpacked(server: Server, tmp_path: Path) -> None:
    folder = download(dataset(server), tmp_path / "corpora")
    assert folder == tmp_path / "corpora" / "corpus-v1"
    assert (folder / "a.mid").read_bytes() == bytes(range(256)) * 2000
    assert (folder / "2004" / "b.midi").read_bytes() == b"MThd"
    assert [path.name for path in folder.parent.iterdir()] == ["corpus-v1"]


def test_what_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        download(dataset(server), tmp_path)
    assert len(server.asked) == 1


def test_a_broken_connection_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.breaks_after = [100_000, 50_000]
    assert fetch_now(server, tmp_path / "x.zip") == ARCHIVE
    assert server.asked == ["", "bytes=100000-", "bytes=150000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_an_earlier_calls_part_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.zip.part").write_bytes(ARCHIVE[:1234])
    assert fetch_now(server, tmp_path / "x.zip") == ARCHIVE
    assert server.asked == ["bytes=1234-"]


def test_a_server_that_ignores_ranges_is_begun_anew(server: Server, tmp_path: Path) -> None:
    server.knows_ranges = False
    server.breaks_after = [100_000]
    assert fetch_now(server, tmp_path / "x.zip") == ARCHIVE
    assert len(server.asked) == 2


def test_a_part_longer_than_the_file_is_begun_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.zip.part").write_bytes(ARCHIVE + b"more")
    assert fetch_now(server, tmp_path / "x.zip") == ARCHIVE
    assert server.asked == [f"bytes={len(ARCHIVE) + 4}-", ""]


def test_a_server_that_always_breaks_is_given_up_and_the_part_is_kept(server: Server, tmp_path: Path) -> None:
    server.breaks_after = [1000] + [0] * 20
    with pytest.raises(CorpusError, match=r"cannot be fetched.*what has come is kept in .*x\.zip\.part"):
        fetch_now(server, tmp_path / "x.zip")
    assert (tmp_path / "x.zip.part").read_bytes() == ARCHIVE[:1000]
    assert len(server.asked) == 1 + download_module.ATTEMPTS - 1


def test_slow_progress_is_not_given_up(server: Server, tmp_path: Path) -> None:
    server.breaks_after = [20_000] * 25
    assert fetch_now(server, tmp_path / "x.zip") == ARCHIVE


def test_a_missing_file_is_given_up_at_once_and_a_busy_server_is_not(server: Server, tmp_path: Path) -> None:
    for status, asked in ((404, 1), (503, download_module.ATTEMPTS)):
        server.status, server.asked = status, []
        kind = download_module.MissingError if status == 404 else CorpusError
        with pytest.raises(kind, match=f"it answers {status}"):
            fetch_now(server, tmp_path / "x.zip")
        assert len(server.asked) == asked


def test_no_server_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(CorpusError, match=r"127\.0\.0\.1:9/x\.zip: cannot be fetched \(.*refused\)"):
        fetch("http://127.0.0.1:9/x.zip", tmp_path / "x.zip", pause=lambda seconds: None)


def test_pauses_grow_and_progress_is_told(server: Server, tmp_path: Path) -> None:
    server.breaks_after = [0, 0, 0]
    pauses: list[float] = []
    steps: list[tuple[int, int]] = []
    fetch(server.url, tmp_path / "x.zip", lambda done, total: steps.append((done, total)), pauses.append)
    assert pauses == [1.0, 2.0, 4.0]
    assert steps[-1] == (len(ARCHIVE), len(ARCHIVE))
    assert steps == sorted(steps)


def test_a_wrong_checksum_deletes_the_archive_and_unpacks_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"its sha256 is [0-9a-f]{64} and should be 00; it was deleted; run again"):
        download(dataset(server, "sha256:00"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_fetched_by_hand_is_checked_and_kept(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "mine.zip"
    path.write_bytes(ARCHIVE)
    with pytest.raises(CorpusError, match="give the one you trust with --checksum"):
        download(dataset(server, "md5:00"), tmp_path / "out", archive=path)
    checksum = "md5:" + hashlib.md5(ARCHIVE).hexdigest()
    folder = download(dataset(server, "md5:00"), tmp_path / "out", archive=path, checksum=checksum)
    assert (folder / "a.mid").exists()
    assert path.exists()
    assert server.asked == []


def test_a_checksum_that_is_none_is_refused(server: Server, tmp_path: Path) -> None:
    for checksum in ("70470e", "crc:12", "sha256:"):
        with pytest.raises(CorpusError, match="say algorithm:digest"):
            download(dataset(server, checksum), tmp_path)


HOSTILE = [{"../x.mid": b""}, {"corpus/../../x.mid": b""}, {"/x.mid": b""}, {"..\\x.mid": b""}, {"C:\\x.mid": b""}]


@pytest.mark.parametrize("files", HOSTILE, ids=[next(iter(files)) for files in HOSTILE])
def test_an_archive_that_points_out_of_itself_is_refused(
    tmp_path: Path, server: Server, files: dict[str, bytes]
) -> None:
    server.content = packed({"corpus/a.mid": b"", **files})
    with pytest.raises(CorpusError, match="points out of the archive"):
        download(dataset(server, "sha256:" + hashlib.sha256(server.content).hexdigest()), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["corpus.zip", "out"]


def test_an_archive_with_links_is_refused(tmp_path: Path, server: Server) -> None:
    server.content = packed({}, links=("corpus/a.mid",))
    with pytest.raises(CorpusError, match="points out of the archive"):
        download(dataset(server, "sha256:" + hashlib.sha256(server.content).hexdigest()), tmp_path)


def test_an_archive_that_would_fill_the_disk_is_refused(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "LARGEST_UNPACKED", 1000)
    with pytest.raises(CorpusError, match="would unpack to"):
        download(dataset(server), tmp_path)


@pytest.mark.parametrize("content", [b"", b"no zip at all", ARCHIVE[:-100]], ids=["empty", "text", "cut short"])
def test_an_archive_that_is_none_is_refused(tmp_path: Path, server: Server, content: bytes) -> None:
    path = tmp_path / "mine.zip"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match="is not a sound zip archive"):
        download(dataset(server), tmp_path, archive=path, checksum="md5:" + hashlib.md5(content).hexdigest())
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.zip"]


def test_an_archive_without_a_folder_at_its_top_becomes_one(tmp_path: Path, server: Server) -> None:
    server.content = packed({"a.mid": b"1", "b.mid": b"2"})
    folder = download(dataset(server, "md5:" + hashlib.md5(server.content).hexdigest()), tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["a.mid", "b.mid"]


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path, server: Server) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="see that it can be read or written"):
        download(dataset(server), tmp_path / "file")


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
    assert "next: arietta ingest" in printed


def test_an_unknown_corpus_is_refused_with_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "lakh"]) == 2
    assert "giantmidi" in capsys.readouterr().err

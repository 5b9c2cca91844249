"""What strangers wrote into files, models and answers of servers never steers a terminal: it is shown, escaped."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.client import Client
from arietta.corpus.store import StoreWriter
from arietta.errors import RequestError
from arietta.fetch import fetch_file
from arietta.music.midi import write_midi
from arietta.names import is_shown
from arietta.originality.build import build_index
from tests.cli.test_inspect import line
from tests.support.indexes import TUNES, about
from tests.support.tunes import tune, write

pytestmark = pytest.mark.posix  # Windows takes no such names

# The title of a window, colours, a control of one byte, an overwritten letter, a turned direction.
EVIL = "\x1b]0;title\x07\x1b[31m\x9b2J\bb\u202e"
SHOWN = r"\x1b]0;title\x07\x1b[31m\x9b2J\x08b\u202e"


@pytest.fixture
def model(tiny_bundle: Path, tmp_path: Path) -> Path:
    """Give a model whose folder, card and composers are a stranger's."""
    folder = shutil.copytree(tiny_bundle, tmp_path / f"tiny {EVIL}")
    description = (folder / "model.json").read_text(encoding="utf-8")
    name = json.dumps("Edvard Grieg")
    assert name in description
    (folder / "model.json").write_text(description.replace(name, json.dumps(f"Edvard {EVIL} Grieg")), encoding="utf-8")
    card = {"summary": EVIL, "licence": EVIL, "allows": EVIL, "data": EVIL, "limits": [EVIL], EVIL: {EVIL: {EVIL: 1}}}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def shown(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> str:
    """Run a verb and return all that it wrote, which is nothing but lines of signs that can be seen."""
    assert main([str(word) for word in words]) == code
    captured = capsys.readouterr()
    written = captured.out + captured.err
    assert [sign for sign in written if sign != "\n" and not is_shown(sign)] == []
    return written


@pytest.mark.parametrize("words", [("inspect",), ("models",), ("styles", "--all", "--model"), ("doctor", "--model")])
def test_a_models_texts_are_escaped(model: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert SHOWN in shown(capsys, *words, model).replace("\n", "")


def test_the_list_of_models_is_escaped(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("arietta.model.bundle.model_folders", lambda: [model.parent])
    assert SHOWN in shown(capsys, "models")


def test_pieces_are_judged_and_composed_without_a_strangers_signs(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    piece = write(tmp_path / f"a {EVIL}.mid", tune(1, 40))
    assert SHOWN in shown(capsys, "judge", piece, "--model", model)
    style = ("--style", f"Edvard {EVIL} Grieg")
    assert SHOWN in shown(capsys, "compose", "--notes", 5, "--model", model, "-o", tmp_path / "b.mid", *style)
    assert SHOWN in shown(capsys, "inspect", tmp_path / "b.mid").replace("\n", "")


def test_what_stands_beside_notes_in_a_file_is_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_midi(tmp_path / "a.mid", tune(1), texts=["arietta " + json.dumps({EVIL: EVIL, "of": {EVIL: [EVIL]}})])
    assert SHOWN in shown(capsys, "inspect", tmp_path / "a.mid").replace("\n", "")


def test_a_corpus_and_what_is_found_in_it_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, texts = tmp_path / "corpus", dict.fromkeys(("composer", "title", "work", "corpus", "licence"), EVIL)
    corpus.mkdir()
    with StoreWriter(corpus) as writer:
        writer.finish([line(0, notes=40, split="train", **texts)], [writer.append(tune(1, 40))])
    assert SHOWN in shown(capsys, "inspect", corpus)
    index = build_index(
        tmp_path / "index", [replace(about(0, TUNES[0]), title=EVIL)], TUNES.__getitem__, corpus="", at_most=1 << 20
    )
    piece = write(tmp_path / "copy.mid", TUNES[0])
    assert SHOWN in shown(capsys, "originality", piece, "--index", index.path)
    described = json.loads(shown(capsys, "originality", piece, "--index", index.path, "--json"))
    assert EVIL in described["passages"][0]["piece"]["title"]


class Stranger(BaseHTTPRequestHandler):
    """Refuses whatever is asked, in signs that steer a terminal."""

    def do_GET(self) -> None:
        body = json.dumps({"detail": EVIL} if self.path.startswith("/v1") else [EVIL]).encode()
        self.send_response(403, "\x1b[31mNo")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_what_a_server_answers_is_escaped_in_errors_and_on_the_terminal(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RequestError) as refused:
        Client(address).models()
    assert str(refused.value) == SHOWN
    with pytest.raises(RequestError, match=r"answered 403 \\x1b\[31mNo"):
        Client(f"{address}/elsewhere").models()
    assert SHOWN in shown(capsys, "compose", "--notes", 5, "--server", address, "-o", tmp_path, code=2)
    assert r"403 \x1b[31mNo" in shown(capsys, "download", "concert", "--url", address, code=2)
    with pytest.raises(Exception, match=r"403 \\x1b\[31mNo"):
        fetch_file(f"{address}/a", tmp_path / "a")

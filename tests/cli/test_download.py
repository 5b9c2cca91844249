"""`arietta download` of a model, from a server on this machine."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.model import bundle as bundles
from arietta.model import registry
from arietta.model.registry import KnownModel
from arietta.originality.index import find_index
from tests.support.indexes import indexed


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def url(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the tiny model as `tiny`, which this version knows; the user's model folder is empty."""
    (tmp_path / "web").mkdir()
    shutil.copytree(tiny_bundle, tmp_path / "web" / "tiny")
    fingerprint = bundles.load_bundle(tiny_bundle).fingerprint
    known = KnownModel("tiny", fingerprint, 1_000_000, "CC0 1.0", "", "A tiny model.", ("Edvard Grieg",))
    monkeypatch.setattr(registry, "known_models", lambda: {"tiny": known})
    monkeypatch.setenv("ARIETTA_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "web")))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_is_fetched_into_the_users_folder_and_found_by_name(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", "tiny", "--url", f"{url}/"]) == 0
    assert "arietta compose --model tiny" in capsys.readouterr().out
    assert bundles.load_bundle("tiny").path == (tmp_path / "models" / "tiny").resolve()
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tiny"]


def test_the_address_may_stand_in_a_variable(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARIETTA_MODELS_URL", f"{url}/")
    assert main(["download", "tiny"]) == 0
    assert (tmp_path / "models" / "tiny" / "model.json").is_file()


def test_a_models_index_comes_with_it_where_it_has_one(url: str, tmp_path: Path) -> None:
    assert main(["download", "tiny", "--url", url]) == 0
    assert find_index(bundles.load_bundle("tiny").index_folder) is None
    indexed(tmp_path / "web" / "tiny" / bundles.INDEX)
    assert main(["download", "tiny", "--url", url]) == 0
    index = find_index(bundles.load_bundle("tiny").index_folder)
    assert index is not None and len(index.pieces) == 8


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nothing"], "nothing: neither a corpus (maestro, giantmidi) nor a model (tiny)"),
        (["tiny"], "tiny: nobody has published the models yet: say where they are kept, as in --url"),
    ],
)
def test_what_cannot_be_fetched_is_refused_in_a_sentence(
    words: list[str], sentence: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "tiny", "--url", f"{url}/elsewhere"]) == 2
    assert "/elsewhere/tiny/model.json: cannot be fetched (it answers 404" in capsys.readouterr().err

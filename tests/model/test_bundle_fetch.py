"""A model is fetched with all of its files and the known fingerprint, or the one that is there stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from arietta.errors import BundleError, FetchError
from arietta.fetch import MissingError
from arietta.files import user_models
from arietta.model.bundle import INDEX, fetch_bundle, load_bundle
from tests.support.beats import random_weights, write_network


@pytest.fixture
def web(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the web and has the model `tiny`; the user has no models."""
    monkeypatch.setenv("ARIETTA_MODELS", str(tmp_path / "models"))
    shutil.copytree(tiny_bundle, tmp_path / "web" / "tiny")
    return tmp_path / "web"


def copy_file(url: str, path: Path) -> None:
    try:
        shutil.copyfile(url, path)
    except FileNotFoundError as error:
        if "/beats/" in url:
            raise MissingError(url) from error
        raise FetchError(f"{url}: cannot be fetched") from error


def no_index(url: str, folder: Path) -> None:
    assert Path(url).name == folder.name == INDEX


def fetch(web: Path, fingerprint: str = "") -> Path:
    return fetch_bundle("tiny", str(web), fingerprint or load_bundle(web / "tiny").fingerprint, copy_file, no_index)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_fetched_model_has_the_bytes_of_its_source_and_nothing_else_is_left(web: Path) -> None:
    folder = fetch(web)
    assert folder == user_models() / "tiny"
    assert files(folder) == {
        name: content for name, content in files(web / "tiny").items() if not name.startswith(INDEX)
    }
    assert [path.name for path in user_models().iterdir()] == ["tiny"]


def test_a_network_of_beats_comes_with_its_model_unless_it_is_damaged(web: Path) -> None:
    published = write_network(web / "tiny" / "beats", random_weights())
    assert files(fetch(web))["beats/card.json"] == (published / "card.json").read_bytes()
    (published / "weights.npz").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"weights\.npz: altered"):
        fetch(web)


def test_a_model_of_another_fingerprint_is_refused_and_the_old_one_stays(web: Path) -> None:
    before = files(fetch(web))
    with pytest.raises(BundleError, match=f"this version knows tiny as {'0' * 16}"):
        fetch(web, "0" * 16)
    assert [path.name for path in user_models().iterdir()] == ["tiny"]
    assert files(user_models() / "tiny") == before


def test_an_altered_model_is_refused_and_the_old_one_stays(web: Path) -> None:
    fingerprint, before = load_bundle(web / "tiny").fingerprint, files(fetch(web))
    weights = web / "tiny" / "weights.bin"
    weights.write_bytes(b"?" + weights.read_bytes()[1:])
    with pytest.raises(BundleError, match=r"weights\.bin: altered"):
        fetch(web, fingerprint)
    assert files(user_models() / "tiny") == before


def test_what_came_before_a_break_waits_for_the_next_download(web: Path) -> None:
    card = (web / "tiny" / "card.json").rename(web / "card.json")
    with pytest.raises(FetchError):
        fetch(web, "0" * 16)
    waiting = user_models() / ".tiny.part" / "tiny"
    assert [path.name for path in waiting.iterdir()] == ["model.json"]
    card.rename(web / "tiny" / "card.json")
    assert load_bundle(fetch(web)).name == "tiny"
    assert not waiting.parent.exists()


def test_a_model_whose_index_cannot_be_fetched_is_not_taken(web: Path) -> None:
    def broken_index(url: str, folder: Path) -> None:
        raise FetchError(f"{url}: cannot be fetched")

    with pytest.raises(FetchError, match=INDEX):
        fetch_bundle("tiny", str(web), load_bundle(web / "tiny").fingerprint, copy_file, broken_index)
    assert not (user_models() / "tiny").exists()

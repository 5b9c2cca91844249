"""Takes from a server: what its verbs write is what the library writes, and an upload is no take but has its notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import arietta
from arietta.client import Client
from arietta.errors import MidiError, RequestError
from arietta.model.engine import OnnxEngine
from arietta.music.midi import read_texts, write_midi
from arietta.music.notes import Notes
from arietta.serve.jobs.models import Models
from tests.support.servers import serving


@pytest.fixture(scope="module")
def client(filling_engine: OnnxEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(Models([filling_engine.bundle.path]), tmp_path_factory.mktemp("server")) as server:
        yield Client(str(server.base_url))


def in_d_major() -> Notes:
    pitch = [62, 66, 69, 74, 67, 71, 64, 69, 73, 62] * 3
    return Notes.of(np.arange(30) * 0.5, np.full(30, 0.4), pitch, np.full(30, 64))


def music(count: int = 60) -> Notes:
    onset = np.arange(count) * 0.25
    return Notes.of(onset, np.full(count, 0.2), 50 + np.arange(count) % 24, np.full(count, 64), [(0.5, 2.9)])


def test_verbs_of_the_client_write_what_those_of_the_library_write(
    client: Client, filling_engine: OnnxEngine, waltz: Notes
) -> None:
    wished: dict[str, Any] = {"seed": 3, "density": "1@0:00,9@0:05", "key": "a minor", "guidance": 2.0}
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("regenerate", (music(), 4.0, 8.0), {"keep": (50, 61), "n": 2, **wished}),
        ("extend", (music(), 5.0), {"notes": 12, **wished}),
        ("lead_in", (music(), 3.0), {"seed": 1}),
        ("connect", (waltz, music(20), 2.5), {"seed": 1}),
        ("accompany", (waltz,), {"keep": [0, 3, 6], "seed": 2}),
        ("regenerate", (music(250), 2.0, 61.0), {"keep": (50, 61), "seed": 5}),  # in parts
        ("vary", (music(130), 0.4), {"seed": 4, "n": 2}),
        ("extend", (in_d_major(),), {"notes": 5, "seed": 1, "key": "C", "transpose": True}),
        ("regenerate", (in_d_major(), 2.0, 6.0), {"seed": 1, "key": "C", "transpose": True}),
        ("vary", (music(), 0.5, 4.0, 8.0), {"seed": 3, "keep": "bottom", "keep_pedal": True}),
        ("perform", (music(130),), {"seed": 6, "n": 2, "key": "a minor"}),  # in parts
        ("perform", (in_d_major(),), {"seed": 1, "key": "C", "transpose": True}),
    ]
    for verb, given, options in calls:
        served = getattr(client, verb)(*given, **options)
        local = getattr(arietta, verb)(*given, model=filling_engine, **options)
        for there, here in zip(served, local, strict=True):
            assert there.notes == here.notes, verb
            assert np.array_equal(there.is_new, here.is_new) and there.note_count == here.note_count
            assert there.title == here.title and there.request.seed == here.request.seed
            assert there.request.describe() == here.request.describe()
            if here.nats is not None:
                assert there.nats == pytest.approx(here.nats, abs=1e-4)
    (varied,) = client.vary(music(), 0.5, 4.0, 8.0, seed=3)
    assert varied.id in repr(varied) and repr(varied.notes) in repr(varied) and len(repr(varied)) < 250
    assert varied.title in varied._repr_html_()
    assert varied.note_count > 0 and not varied.is_new[varied.notes.onset < 4.0].any()


def test_a_prompt_is_moved_into_a_key_here_and_there(client: Client, filling_engine: OnnxEngine) -> None:
    asked: dict[str, Any] = {"seed": 5, "prompt": in_d_major(), "key": "C major", "transpose": True}
    local = arietta.compose(5, model=filling_engine.bundle.path, **asked)
    assert local.request.transposed == -2 and local.describe()["transposed"] == -2
    assert local.notes[:30].pitch.tolist() == (in_d_major().pitch - 2).tolist()
    served = client.compose(5, **asked)
    assert served.notes == local.notes and served.request.transposed == -2
    with pytest.raises(RequestError, match="say which"):
        arietta.compose(5, prompt=in_d_major(), transpose=True)
    with pytest.raises(RequestError, match="give a prompt"):
        arietta.compose(5, key="C major", transpose=True)


def test_a_wish_may_change_while_a_piece_is_composed(client: Client, filling_engine: OnnxEngine) -> None:
    asked: dict[str, Any] = {"seed": 5, "density": [[0, 1], [3, 9]], "style": "grieg"}
    local = arietta.compose(30, model=filling_engine.bundle.path, **asked)
    assert client.compose(30, **asked).notes == local.notes


def test_an_uploaded_piece_is_no_take_but_has_notes_and_can_be_worked_on(client: Client, tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", music())
    key = client.upload(tmp_path / "a.mid")["id"]
    with pytest.raises(RequestError, match=r"was uploaded, not composed: client\.notes has its music"):
        client.take(key)
    assert client.notes(key) == arietta.read_midi(tmp_path / "a.mid")
    (take,) = client.regenerate(key, 4.0, 8.0, seed=1)
    assert client.piece(take.id)["request"]["given"] == key
    with pytest.raises(RequestError, match="lies outside the piece"):
        client.regenerate(key, 40.0, 80.0)


def test_a_take_is_saved_under_a_tempo_with_its_request(client: Client, tmp_path: Path) -> None:
    take = client.compose(10, seed=1)
    take.save(tmp_path / "a.mid", grid=90)
    assert (666_667).to_bytes(3, "big") in (tmp_path / "a.mid").read_bytes()
    assert read_texts(tmp_path / "a.mid") == read_texts(take.file, name="take")


def test_a_take_that_cannot_be_written_names_the_path(client: Client, tmp_path: Path) -> None:
    with pytest.raises(MidiError, match=r"nowhere/a\.mid: cannot be written"):
        client.compose(2).save(tmp_path / "nowhere" / "a.mid")


def test_an_argument_that_there_is_not_is_refused_before_anything_is_asked(client: Client) -> None:
    with pytest.raises(
        TypeError, match=r"compose has no argument 'styl' .did you mean style.., only seconds, bars, bpm"
    ):
        client.compose(10, styl="grieg")  # type: ignore[call-arg]
    with pytest.raises(RequestError, match="bpm and metre go together"):
        client.compose(10, bpm=90)


def test_none_is_as_what_is_not_said_and_numbers_of_numpy_are_numbers(client: Client) -> None:
    take = client.compose(3, seed=None, style=None, sampling=None, model=None)
    assert take.note_count == 3
    (varied,) = client.vary(music(), np.float32(0.5), seed=np.int64(3), n=np.int64(1))
    assert varied.request.seed == 3

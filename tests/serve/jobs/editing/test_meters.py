"""The metres of stored pieces last as long as these, and a damaged one costs nothing but itself."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from arietta.generation.request import Request
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notes import Notes
from arietta.music.reading import ReadPiece
from arietta.serve.jobs.models import Models
from tests.support.servers import finish, opened

METER = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5), Tempo(1.5, 0.25)))


def test_a_metre_is_that_of_the_given_music_and_outlasts_a_restart(
    models: Models, place: Path | str, waltz: Notes
) -> None:
    with opened(models, place) as service:
        (record,) = finish(service, Request(notes=5, prompt=waltz, meter=METER))
        upload, plain = (service.add_upload(ReadPiece(waltz, meter, ()), "waltz") for meter in (METER, None))
    with opened(models, place) as service:
        assert service.music(record.id).meter == service.music(upload.id).meter == METER
        assert service.music(plain.id).meter is None
        service.delete(upload.id)
        assert service.meters.find(upload.id) is None
        assert service.history.read("SELECT count(*) FROM meters", ()) == [(1,)]


def test_a_damaged_metre_is_none(models: Models, tmp_path: Path, waltz: Notes) -> None:
    with opened(models, tmp_path) as service:
        keys = [service.add_upload(ReadPiece(waltz, METER, ()), "waltz").id for _ in range(3)]
    with sqlite3.connect(tmp_path / "history.sqlite") as base:
        for key, text in zip(keys, ("{", "[]", '{"signatures": [[0]], "tempos": []}'), strict=True):
            base.execute("UPDATE meters SET meter = ? WHERE piece = ?", (text, key))
    base.close()
    with opened(models, tmp_path) as service:
        assert [service.music(key).meter for key in keys] == [None] * 3


def test_a_metre_goes_to_no_piece_that_is_not_there(models: Models, place: Path | str) -> None:
    with opened(models, place) as service:
        service.meters.store({"0" * 16: METER})
        assert service.history.read("SELECT count(*) FROM meters", ()) == [(0,)]


def test_a_read_only_file_of_an_older_version_has_no_metres(
    models: Models, tmp_path: Path, waltz: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(models, tmp_path) as service:
        key = service.add_upload(ReadPiece(waltz, METER, ()), "waltz").id
    with sqlite3.connect(tmp_path / "history.sqlite") as base:
        base.executescript("DROP TRIGGER forget_meter; DROP TABLE meters; PRAGMA user_version = 2")
    base.close()
    monkeypatch.setattr("os.access", lambda *_: False)
    with opened(models, tmp_path) as service:
        assert service.history.is_read_only
        assert service.music(key).meter is None and service.music(key).notes == waltz
    with sqlite3.connect(tmp_path / "history.sqlite") as base:
        assert base.execute("PRAGMA user_version").fetchone() == (2,)
    base.close()

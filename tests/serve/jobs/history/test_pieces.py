"""The history: what it stores, and what it drops by which rule, the same in either database."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from arietta.errors import HistoryError
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notes import Note, Pedal
from arietta.serve.jobs.history.database import StorageError
from arietta.serve.jobs.history.pieces import History, open_history
from arietta.serve.jobs.history.records import JobOutcome, Record
from arietta.serve.jobs.job import State

TOLD = [Note(0.5, 0.25, 60, 64), Pedal(0.0, 0.75), Note(1 / 3, 0.1, 61, 1)]


def record(key: str) -> Record:
    return Record(key, f"piece {key}", State.WAITING, 1.5e9, {"notes": 3, "seed": 7}, f"title {key}", [f"text {key}"])


@pytest.fixture
def history(place: Path | str) -> Iterator[History]:
    history = open_history(place)
    yield history
    history.close()


def test_a_piece_comes_back_as_it_was_kept_also_after_reopening(place: Path | str) -> None:
    history = open_history(place)
    history.add([record("a"), record("b")], [TOLD[:1], []])
    outcome = JobOutcome({"waited": 0.5, "first_note": None}, {"notes": 3.0}, None)
    history.end("a", State.DONE, outcome, TOLD)
    for _ in range(2):
        assert history.find("a") == replace(record("a"), number=1, state=State.DONE, outcome=outcome)
        assert history.find("b") == replace(record("b"), number=2)
        assert history.find("c") is None
        assert (history.events("a"), history.events("b"), history.events("c")) == (TOLD, [], [])
        assert (history.prompt("a"), history.prompt("b")) == (TOLD[:1], [])
        assert [stored.id for stored in history.waiting()] == ["b"]
        history.close()
        history = open_history(place)
    history.close()


def test_pieces_of_one_order_are_found_and_what_is_found_out_of_them_is_kept(history: History) -> None:
    mates = [replace(record(key), asked={"seed": 7, "order": "b", "best": 1}) for key in "bc"]
    history.add([record("a"), *mates, record("d")], [[]] * 4)
    assert [stored.id for stored in history.order("b")] == ["b", "c"]
    assert history.order("a") == []
    history.end("c", State.DONE, JobOutcome(figures={"notes": 3}), TOLD)
    history.set_outcomes({"c": JobOutcome(figures={"notes": 3, "choice": {"score": 0.5}})})
    (_, stored) = history.order("b")
    assert (stored.state, stored.outcome.figures) == (State.DONE, {"notes": 3, "choice": {"score": 0.5}})
    assert history.events("c") == TOLD


def test_pieces_are_added_all_or_none(history: History) -> None:
    history.add([record("a")], [[]])
    with pytest.raises(StorageError, match="cannot keep pieces just now") as refused:
        history.add([record("b"), record("a")], [[], []])
    assert not refused.value.is_passing
    assert [stored.id for stored in history.page(10)] == ["a"]


def test_pages_are_cut_by_number_and_by_favourites(history: History) -> None:
    history.add([record(key) for key in "abcd"], [[]] * 4)
    history.change("b", name=None, is_favourite=True)
    assert [stored.id for stored in history.page(2)] == ["d", "c"]
    assert [stored.id for stored in history.page(9, before=3)] == ["b", "a"]
    assert [stored.id for stored in history.page(9, only_favourites=True)] == ["b"]
    history.delete("d")
    history.add([record("e")], [[]])
    assert [stored.number for stored in history.page(1)] == [5]  # a number is never given twice


def test_names_and_favourites_change_by_themselves(history: History) -> None:
    history.add([record("a")], [[]])
    history.change("a", name="x", is_favourite=None)
    history.change("a", name=None, is_favourite=True)
    stored = history.find("a")
    assert stored is not None and (stored.name, stored.is_favourite) == ("x", True)
    history.change("a", name=None, is_favourite=False)
    assert history.find("a") == replace(stored, is_favourite=False)


def kept_ids(history: History) -> str:
    return "".join(stored.id for stored in history.page(100))


def test_trimming_keeps_the_newest_and_all_favourites_and_what_is_under_way(history: History) -> None:
    history.add([record(key) for key in "abcdef"], [[]] * 6)
    history.change("a", name=None, is_favourite=True)
    for key in "abdef":
        history.end(key, State.DONE, JobOutcome(), TOLD)
    history.trim(2, 10**9)
    assert kept_ids(history) == "feca"
    history.trim(1, 10**9)
    assert kept_ids(history) == "fca"


def test_trimming_by_size_keeps_what_fits_and_at_least_the_newest(history: History) -> None:
    for key in "abcd":
        history.add([record(key)], [[]])
        history.end(
            key, State.DONE, JobOutcome(), [Note(0.37 * number, 0.1, 60, 1 + number % 127) for number in range(500)]
        )
    ((size,),) = history.read("SELECT max(size) FROM pieces")
    history.trim(100, 2 * size)
    assert kept_ids(history) == "dc"
    history.trim(100, 1)
    assert kept_ids(history) == "d"


def test_a_piece_without_notes_is_trimmed_too(history: History) -> None:
    history.add([record("a"), record("b")], [[], []])
    history.end("a", State.CANCELLED, JobOutcome())
    history.end("b", State.CANCELLED, JobOutcome())
    history.trim(1, 10**9)
    assert kept_ids(history) == "b"


def test_what_has_ended_does_not_end_again(history: History) -> None:
    history.add([record("a")], [[]])
    meters = [Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, seconds),)) for seconds in (0.5, 0.25)]
    history.end("a", State.DONE, JobOutcome(done=3.0), TOLD, None, meters[:1])
    history.end("a", State.FAILED, JobOutcome(), (), replace(record("a"), title="other"), meters[1:])
    history.end("a", State.FAILED, JobOutcome(), (), None, [None])
    stored = history.find("a")
    assert stored is not None and (stored.state, stored.outcome.done, stored.title) == (State.DONE, 3.0, "title a")
    assert history.events("a") == TOLD
    assert history.read("SELECT meter FROM meters") == [(json.dumps(meters[0].describe()),)]


def test_a_text_may_hold_any_sign(history: History) -> None:
    history.add([replace(record("a"), name="100 % ? \N{MUSICAL SYMBOL G CLEF} %s", asked={"style": "a\0b"})], [[]])
    stored = history.find("a")
    assert stored is not None and stored.name == "100 % ? \N{MUSICAL SYMBOL G CLEF} %s"
    assert stored.asked == {"style": "a\0b"}
    history.change("a", name="a\0b", is_favourite=None)
    changed = history.find("a")
    assert changed is not None and changed.name in ("a\0b", "a\ufffdb")


def test_what_frees_room_is_done_all_or_none(history: History) -> None:
    history.add([record("a")], [[]])
    history.delete("a")
    history.delete("a")
    assert history.page(9) == []


DAMAGES = {
    "asked": ["", "[", "[1]", "5", "[" * 100_000, "null"],
    "outcome": ["x", "[]", '{"of a later version": 1}', '{"figures": 5}'],
    "texts": ["{", "5"],
    "state": ["sleeping", ""],
}


@pytest.mark.parametrize(("column", "damaged"), [(column, text) for column, texts in DAMAGES.items() for text in texts])
def test_a_damaged_row_costs_that_row(history: History, column: str, damaged: str) -> None:
    history.add([record("a"), record("b")], [TOLD, []])
    with history.changing() as changes:
        changes.execute(f"UPDATE pieces SET {column} = ? WHERE id = 'b'", (damaged,))
    assert [piece.id for piece in history.page(9)][-1] == "a"
    assert "a" in [piece.id for piece in history.waiting()]
    history.find("b")
    history.order("b")
    history.delete("b")


def test_damaged_notes_are_a_sentence(history: History) -> None:
    history.add([record("a")], [TOLD])
    for blob in (b"x", zlib.compress(b"abc")):
        with history.changing() as changes:
            changes.execute("UPDATE pieces SET prompt = ?", (blob,))
        with pytest.raises(HistoryError, match="the notes of the piece a are damaged"):
            history.prompt("a")

"""Revisions without HTTP: a tree that forgets nothing, and that two windows cannot overwrite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.errors import RequestError
from arietta.generation.request import Request
from arietta.music.notes import Notes, first, shift
from arietta.music.reading import ReadPiece
from arietta.serve.jobs.editing.revisions import ConflictError, Draft, Revisions, StorageFullError
from arietta.serve.jobs.history.pieces import open_history
from arietta.serve.jobs.history.sqlite import FORMAT
from arietta.serve.jobs.job import UnknownPieceError
from arietta.serve.jobs.limits import Limits
from arietta.serve.jobs.models import Models
from arietta.serve.jobs.service import Service
from tests.support.servers import finish, opened


@pytest.fixture
def revisions(place: Path | str) -> Iterator[Revisions]:
    history = open_history(place)
    yield Revisions(history, Limits())
    history.close()


def test_a_revision_comes_back_bit_for_bit_with_its_marks(revisions: Revisions, waltz: Notes) -> None:
    notes = shift(waltz, 1 / 3)
    tree = revisions.add("a", Draft(notes, 0, "move", "later", "b", locks=(0, 2), composed=(1,)), 0)
    version = revisions.music("a", 1)
    assert (version.notes, version.locks, version.composed) == (notes, [0, 2], [1])
    assert (tree.head, tree.version) == (1, 1)
    (revision,) = tree.revisions
    assert tree.current == revisions.current("a") == revision
    assert (revision.parent, revision.cause, revision.name, revision.source) == (0, "move", "later", "b")
    assert (revision.note_count, revision.seconds) == (len(notes), round(notes.seconds, 3))
    assert revisions.tree("other").revisions == () and revisions.current("other") is None


@settings(max_examples=20, deadline=None)
@given(steps=st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_undo_after_any_sequence_of_changes_gives_the_earlier_notes(
    steps: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Zero goes to the parent of the head; any other number adds a revision of so many notes."""
    history = open_history(tmp_path_factory.mktemp("undo"))
    revisions, expected = Revisions(history, Limits()), {0: 0}
    for step in steps:
        tree = revisions.tree("a")
        if step:
            onset = np.arange(step, dtype=float)
            notes = Notes.of(onset, onset + 1, np.full(step, 60), np.full(step, 64))
            tree = revisions.add("a", Draft(notes, tree.head, "edit"), tree.version)
            expected[tree.head] = step
        elif tree.current is not None:
            assert revisions.move_head("a", tree.current.parent, tree.version).head == tree.current.parent
        head = revisions.tree("a").head
        assert head == 0 or len(revisions.music("a", head).notes) == expected[head]
    for revision in revisions.tree("a").revisions:
        assert len(revisions.music("a", revision.number).notes) == expected[revision.number]
    history.close()


def test_of_two_who_change_the_same_version_the_second_is_refused_and_nothing_is_changed(
    revisions: Revisions, waltz: Notes
) -> None:
    tree = revisions.add("a", Draft(waltz, 0, "edit"), 0)
    for change in (
        lambda: revisions.add("a", Draft(first(waltz, 2), 0, "edit"), 0),
        lambda: revisions.move_head("a", 0, 0),
    ):
        with pytest.raises(ConflictError, match="changed elsewhere: its revisions are at version 1, not 0"):
            change()
    assert revisions.tree("a") == tree


def test_the_child_that_was_at_the_head_last_was_visited_last(revisions: Revisions, waltz: Notes) -> None:
    for version in range(2):
        revisions.add("a", Draft(waltz, 0, "edit"), version)
    tree = revisions.move_head("a", 1, 2)
    assert max(tree.revisions, key=lambda revision: revision.visited).number == 1


def test_names_are_given_and_taken_and_what_is_not_there_is_refused(revisions: Revisions, waltz: Notes) -> None:
    revisions.add("a", Draft(waltz, 0, "edit"), 0)
    assert revisions.rename("a", 1, "bright").revisions[0].name == "bright"
    for impossible in (
        lambda: revisions.rename("a", 0, "x"),
        lambda: revisions.add("a", Draft(waltz, 7, "edit"), 1),
        lambda: revisions.move_head("a", 7, 1),
        lambda: Draft(waltz, 0, "edit", locks=(len(waltz),)),
        lambda: Draft(waltz, 0, "e" * 201),
    ):
        with pytest.raises(RequestError):
            impossible()
    for unknown in (lambda: revisions.music("a", 7), lambda: revisions.rename("a", 7, "x")):
        with pytest.raises(UnknownPieceError, match="the piece a has no revision 7"):
            unknown()


def test_files_are_of_the_head_pieces_are_never_trimmed_and_deleting_takes_all(
    models: Models, tmp_path: Path, waltz: Notes
) -> None:
    with opened(models, tmp_path, Limits(keep_pieces=2)) as service:
        (revised,) = finish(service, Request(notes=5, seed=1))
        composed = service.notes(revised.id)
        service.revisions.add(revised.id, Draft(waltz, 0, "edit"), 0)
        for seed in range(4):
            finish(service, Request(notes=2, seed=seed))
        assert revised.id in [record.id for record in service.page(10)] and len(service.page(10)) == 3
    with opened(models, tmp_path) as service:
        assert service.notes(revised.id) == waltz and service.music(revised.id, 0).notes == composed
        service.delete(revised.id)
        assert service.revisions.tree(revised.id).revisions == ()


def test_where_revised_pieces_fill_what_may_be_kept_new_work_is_refused(
    models: Models, tmp_path: Path, waltz: Notes
) -> None:
    def refused(service: Service, change: str) -> None:
        with pytest.raises(StorageFullError, match="fill what this server may keep"):
            {
                "add": lambda: service.revisions.add(record.id, Draft(waltz, 1, "edit"), 1),
                "upload": lambda: service.add_upload(ReadPiece(waltz, None, ()), "waltz"),
                "compose": lambda: finish(service, Request(notes=2)),
            }[change]()

    with opened(models, tmp_path, Limits(keep_pieces=1)) as service:
        (record,) = finish(service, Request(notes=5, seed=1))
        service.revisions.add(record.id, Draft(waltz, 0, "edit"), 0)
        for change in ("add", "upload", "compose"):
            refused(service, change)
        assert service.revisions.tree(record.id).head == 1


def test_a_history_of_the_first_format_opens_with_its_pieces(models: Models, tmp_path: Path) -> None:
    with opened(models, tmp_path) as service:
        (record,) = finish(service, Request(notes=5, seed=1))
    with sqlite3.connect(tmp_path / "history.sqlite") as base:
        base.executescript("DROP TABLE revisions; DROP TABLE heads; PRAGMA user_version = 1")
    base.close()
    with opened(models, tmp_path) as service:
        assert len(service.notes(record.id)) == 5
        assert service.history.read("PRAGMA user_version", ()) == [(FORMAT,)]


def test_an_upload_is_a_finished_piece_of_its_notes(models: Models, tmp_path: Path, waltz: Notes) -> None:
    with opened(models, tmp_path) as service:
        record = service.add_upload(ReadPiece(waltz, None, ()), "waltz")
        assert service.finished(record.id) == record
        assert service.notes(record.id) == waltz
        assert service.music(record.id).prompt_notes == len(waltz)

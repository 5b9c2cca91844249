"""What is said where nothing can be stored."""

from __future__ import annotations

from arietta.serve.jobs.history.database import StorageError


def test_the_reason_stands_in_the_sentence_and_by_itself() -> None:
    error = StorageError("the disk is full")
    assert str(error) == "the server cannot keep pieces just now (the disk is full); try again later"
    assert (error.reason, error.is_passing) == ("the disk is full", True)

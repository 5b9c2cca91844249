"""A job of another server: its events only grow, whoever says them."""

from __future__ import annotations

from arietta.music.notes import Note
from arietta.serve.jobs.peers.followed import FollowedJob

NOTES = [Note(float(number), 0.5, 60 + number, 64) for number in range(4)]


def test_a_server_that_begins_anew_takes_nothing_back() -> None:
    job = FollowedJob("a", "notes")
    job.update(NOTES[:3], (3, 4), {"waited": 0.5})
    job.update(NOTES[:1], (1, 4), {"waited": 0.0})
    assert (job.events, job.progress, job.is_over) == (NOTES[:3], (3, 4), False)
    job.update(NOTES, (4, 4), {"waited": 0.1})
    assert (job.events, job.progress, job.timing()) == (NOTES, (4, 4), {"waited": 0.1})


def test_what_is_missing_at_the_end_is_there_when_it_is_over() -> None:
    done, cancelled = FollowedJob("a", "notes"), FollowedJob("b", "notes")
    for job in (done, cancelled):
        job.update(NOTES[:2], (2, 4), {})
    done.end(NOTES)
    cancelled.end([])
    assert (done.events, cancelled.events, done.is_over, cancelled.is_over) == (NOTES, NOTES[:2], True, True)

"""A server that shares its history with none counts by itself, and resumes what an earlier one left."""

from __future__ import annotations

from pathlib import Path

from arietta.serve.jobs.history.pieces import open_history
from arietta.serve.jobs.history.records import Record
from arietta.serve.jobs.peers.peers import Alone, Host, Wish
from tests.serve.jobs.history.test_pieces import record


def test_alone_all_that_waits_is_resumed_and_nobody_is_asked(tmp_path: Path) -> None:
    history, resumed = open_history(tmp_path), list[Record]()
    history.add([record("a"), record("b")], [[], []])
    peers = Alone(history)
    peers.open(
        Host(
            {},
            (),
            running=list,
            resume=lambda record, _: resumed.append(record),
            cancel=print,
            grant=print,
            notify=lambda: None,
        )
    )
    assert [piece.id for piece in resumed] == ["a", "b"]
    assert (peers.server_count, dict(peers.running), peers.is_composing("a")) == (1, {}, False)
    assert peers.follow(resumed[0]) is None and peers.ask(resumed[0], Wish.STOP) is None and peers.followed("a") is None
    peers.admit([])
    peers.release([])
    peers.close()
    history.close()

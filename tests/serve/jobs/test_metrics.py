"""The counters: each server has its own, and the gauges are read when somebody looks."""

from __future__ import annotations

from arietta.serve.jobs.metrics import Metrics


def lines(metrics: Metrics) -> list[str]:
    return metrics.text().decode().splitlines()


def test_counters_of_two_servers_do_not_mix() -> None:
    ours, theirs = Metrics(), Metrics()
    ours.notes.inc(3)
    ours.pieces.labels("done").inc()
    assert "arietta_notes_total 3.0" in lines(ours) and "arietta_notes_total 0.0" in lines(theirs)
    assert 'arietta_pieces_total{state="done"} 1.0' in lines(ours)


def test_gauges_show_what_waits_and_what_is_composed_at_the_time_of_reading() -> None:
    metrics, counts = Metrics(), [(4, 2), (0, 1)]
    metrics.watch(lambda: counts[0])
    assert {"arietta_pieces_waiting 4.0", "arietta_pieces_composing 2.0"} <= set(lines(metrics))
    counts.pop(0)
    assert {"arietta_pieces_waiting 0.0", "arietta_pieces_composing 1.0"} <= set(lines(metrics))

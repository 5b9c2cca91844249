"""Sentences for people: each says one thing, whatever is known and whatever is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arietta.evaluation.comparison import SetDistance
from arietta.evaluation.report import report_on
from arietta.evaluation.words import (
    MEANINGS,
    ORIGINS,
    distance_sentence,
    guard_sentence,
    index_sentence,
    name_of,
    percentile_sentences,
    plain_words,
    report_json,
    retry_sentences,
    unread_sentence,
)
from arietta.generation.original import Originality, Rejected
from arietta.music.notes import Notes
from arietta.originality.baseline import Percentiles
from arietta.originality.index import PassageIndex, extend_description
from tests.support.indexes import indexed
from tests.support.tunes import tune

OWN = Originality(0, 0.0, 0.0, 0.0, True, None)
BORROWED = Originality(61, 0.4, 99.0, 98.0, False, "Nobody: Tune 1")


def test_every_try_that_shared_too_much_has_a_sentence() -> None:
    rejected = (Rejected(7, 61, "Chopin: Étude"), Rejected(107, 20, "Liszt: Waltz"))
    assert retry_sentences(207, replace(OWN, rejected=rejected)) == [
        "Seed 7 shared 61 notes with Chopin: Étude: composed again with seed 107.",
        "Seed 107 shared 20 notes with Liszt: Waltz: composed again with seed 207.",
    ]
    assert retry_sentences(7, OWN) == []


def test_that_no_try_was_original_is_said_plainly() -> None:
    rejected = (Rejected(7, 20, "Chopin: Étude"), Rejected(107, 61, "Liszt: Waltz"))
    assert retry_sentences(7, replace(BORROWED, rejected=rejected)) == [
        "Seed 7 shared 20 notes with Chopin: Étude: composed again with seed 107.",
        "Seed 107 shared 61 notes with Liszt: Waltz.",
        "All 2 tries share more than people's works do with each other: seed 7, the most original, is kept.",
    ]


@pytest.mark.parametrize(("longest", "verdict"), [(97.5, "lies within"), (97.6, "shares more")])
def test_the_verdict_changes_at_the_end_of_the_human_interval(longest: float, verdict: str) -> None:
    lines = percentile_sentences(Percentiles(300, longest, 20.0))
    assert len(lines) == 3 and "windows of 300 notes" in lines[0] and verdict in lines[2]
    assert percentile_sentences(None) == []


def test_an_index_says_how_much_it_finds_only_where_it_is_thinned_and_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = indexed(tmp_path / "index")
    measured = extend_description(index, {"recall": {"exact": {"100": {"found": 0.9}, "50": {"found": 0.5}}}})
    assert index_sentence(measured) == "Looked up among 8 pieces."  # it finds nearly all
    monkeypatch.setattr(PassageIndex, "is_thinned", True)
    assert index_sentence(index) == "Looked up among 8 pieces."
    assert "of exact copies of 50 / 100 notes it finds 50 / 90 %" in index_sentence(measured)


def test_a_distance_is_said_beside_real_musics_or_that_none_is_known() -> None:
    near, far = SetDistance(1.0, (0.5, 1.5)), SetDistance(3.25, (3.0, 3.5))
    assert distance_sentence(far, near) == "Frechet distance 3.25 (3.00 to 3.50), real 1.00 (0.50 to 1.50)"
    assert distance_sentence(far, None).startswith("Frechet distance 3.25 (3.00 to 3.50), real unknown: it needs 40")
    assert distance_sentence(None, near).startswith("no Frechet distance: it needs 40")


def test_of_many_unread_files_the_first_is_named() -> None:
    assert unread_sentence("set", [Path("a/b.mid")]) == "set: left out what cannot be read: b.mid"
    assert unread_sentence("set", [Path("b.mid")] * 3).endswith("b.mid and 2 more")


def test_names_of_figures_are_words() -> None:
    assert name_of("inter_onset_beats") == "inter onset beats"
    assert name_of("coming_back_30") == "coming back at 30 s"
    assert set(ORIGINS) <= set(MEANINGS)


def test_a_piece_without_notes_has_no_sentences_and_one_note_is_not_plural() -> None:
    assert plain_words(report_on(Notes.of())) == {}
    assert plain_words(report_on(tune(1, 1)))["length"].startswith("1 note,")
    assert plain_words(report_on(tune(1, 20)))["loops"].startswith("none")


def test_what_the_guards_did_is_one_sentence() -> None:
    sentence = guard_sentence({"speed": 12, "loop": 3})
    assert sentence == "Held back while composing, for real music hardly has it: loop 3 times, speed 12 times."


def test_a_long_gap_and_staccato_are_said() -> None:
    onset = [*(0.25 * step for step in range(20)), *(30 + 0.25 * step for step in range(20))]
    dry = Notes.of(onset, [0.04] * 40, [60, 64] * 20, [64] * 40)
    assert plain_words(report_on(dry))["touch"] == (
        "100% of the notes sound for less than 0.1 s: nearly all is staccato; "
        "the longest wait is 25.2 s, from 0:04 on, longer than real music ever waits but once in a thousand stretches"
    )
    held = Notes.of(dry.onset, dry.duration, dry.pitch, dry.velocity, [(0.0, 60.0)])
    assert plain_words(report_on(held[:20]))["touch"] == (
        "0% of the notes sound for less than 0.1 s; the longest wait is 0.2 s, from 0:00 on"
    )
    assert "touch" not in plain_words(report_on(Notes.of([0], [1], [60], [60])))


def test_json_has_the_touch_in_figures_and_in_the_same_words() -> None:
    onset = [*(0.25 * step for step in range(20)), *(30 + 0.25 * step for step in range(20))]
    report = report_on(Notes.of(onset, [0.04] * 36 + [2.0] * 4, [60, 64] * 20, [64] * 40))
    touch = report_json(report)["touch"]
    assert touch.pop("sentence") == plain_words(report)["touch"]
    assert touch == {"short": 0.9, "wait": pytest.approx(25.25), "wait_onset": pytest.approx(4.75)}
    assert report_json(report_on(Notes.of([0], [1], [60], [60])))["touch"] is None


def test_each_wish_is_told_beside_what_came_of_it() -> None:
    notes = Notes.of(np.arange(30) * 0.5, [0.5] * 30, [60, 64, 67] * 10, [40] * 15 + [90] * 15)
    request = {"density": 3, "loudness": [[0, 34], [7.5, 100], [60, 20]], "key": "A minor"}
    assert plain_words(report_on(notes, request=request))["wishes"] == (
        "density from 0:00 on: 2.0 notes a second (3 was wished for); "
        "loudness from 0:00 on: velocity 40 (34 was wished for); "
        "loudness from 0:07 on: velocity 90 (100 was wished for); "
        "loudness from 1:00 on: no notes (20 was wished for); "
        "key from 0:00 on: C major (A minor was wished for)"
    )
    assert "wishes" not in plain_words(report_on(notes))

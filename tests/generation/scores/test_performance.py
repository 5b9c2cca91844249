"""Scores played: each written note once, near its time, by the seed, over parts as in one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arietta.codecs.grid import AFTER, FILL, KEPT, KEY_COUNT, START
from arietta.codecs.performance import PerformanceCodec
from arietta.codecs.score import WrittenNotes
from arietta.errors import RequestError
from arietta.generation.loop import generate
from arietta.generation.request import Request, Take
from arietta.generation.scores.performance import Performance, has_touch
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Note, Notes, Pedal


def score(count: int = 130, begin: float = 3.2) -> Notes:
    """A tune in eighths over chords of two notes, with a silence of some seconds in it."""
    onset = begin + np.repeat(np.arange(count) * 0.2, 3) + np.repeat(np.arange(count) > 70, 3) * 4.0
    pitch = np.stack([70 + np.arange(count) % 7, 45 + np.arange(count) % 5, np.full(count, 57)], axis=1).ravel()
    return Notes.of(onset, np.full(3 * count, 0.2), pitch, np.full(3 * count, 64), pedal=[(0.5, 2.9)])


def played(notes: Notes, engine: OnnxEngine, seed: int = 2) -> Take:
    return generate(Request(edit=Performance.of(notes), seed=seed), engine)


def test_each_written_note_is_played_once_near_its_time_over_many_parts(filling_engine: OnnxEngine) -> None:
    music = score()
    take = played(music, filling_engine)
    assert take.request.edit is not None and len(take.request.edit.parts or ()) > 5
    assert take.is_new.all() and take.note_count == len(music)
    # By pitch and then by time: which written note each one is.
    mine, theirs = np.lexsort((take.notes.onset, take.notes.pitch)), np.lexsort((music.onset, music.pitch))
    assert np.array_equal(take.notes.pitch[mine], music.pitch[theirs])
    assert np.abs(take.notes.onset[mine] - music.onset[theirs]).max() < 0.04 + 0.006
    assert len(set(take.notes.velocity.tolist())) > 8
    # One press ends before the next begins, also where it goes on from part to part.
    assert len(take.notes.pedal) and (take.notes.pedal[1:, 0] >= take.notes.pedal[:-1, 1]).all()
    assert np.array_equal(filling_engine.bundle.codec.decode(take.tokens).pitch, take.notes.pitch)


def test_without_touch_notes_come_when_they_are_written_and_the_rest_is_drawn(
    tiny_engine: OnnxEngine, filling_engine: OnnxEngine
) -> None:
    assert has_touch(filling_engine.bundle) and not has_touch(tiny_engine.bundle)
    told = replace(filling_engine.bundle, card={"training": {"settings": {"data": {"touch": 0.0}}}})
    assert not has_touch(told)
    music = score()
    take = played(music, tiny_engine)
    assert take.note_count == len(music) and len(take.request.edit.parts or ()) > 5  # type: ignore[union-attr]
    mine, theirs = np.lexsort((take.notes.onset, take.notes.pitch)), np.lexsort((music.onset, music.pitch))
    assert np.array_equal(take.notes.pitch[mine], music.pitch[theirs])
    assert np.abs(take.notes.onset[mine] - music.onset[theirs]).max() < 0.006
    assert len(set(take.notes.velocity.tolist())) > 8 and len(set(take.notes.duration.tolist())) > 8
    assert len(take.notes.pedal) and set(take.notes.pedal[:, 0].round(2)) <= set(take.notes.onset.round(2))
    with pytest.raises(RequestError, match="tiny-chords cannot play scores"):
        Performance.of(music).split(9).open(
            0, [], replace(tiny_engine.bundle, path=Path("tiny-chords"), codec=PerformanceCodec())
        )


def test_parts_are_as_many_as_there_are_keys_to_strike(filling_engine: OnnxEngine) -> None:
    unisons = Notes.of(np.repeat([0.0, 1.0], 300), np.full(600, 0.5), np.full(600, 60), np.full(600, 64))
    take = played(unisons, filling_engine)
    assert len(take.request.edit.parts or ()) == 1  # type: ignore[union-attr]
    assert take.notes.pitch.tolist() == [60, 60]


def test_the_seed_fixes_what_is_played(filling_engine: OnnxEngine) -> None:
    music = score(12)
    first, again, other = (played(music, filling_engine, seed) for seed in (4, 4, 5))
    assert first.notes == again.notes != other.notes
    assert first.describe()["score"] == {"from": 3.2, "to": music.seconds, "score_notes": 36}
    assert "performance-0036-notes" in first.title


def test_a_part_is_laid_out_as_models_learn_touch(filling_engine: OnnxEngine) -> None:
    music = score(40)
    performance = Performance.of(music).split(filling_engine.bundle.model.context // 5)
    assert performance.parts is not None and performance.split(99) is performance
    first = performance.open(0, [], filling_engine.bundle).layout.tokens
    assert first[:2, 1].tolist() == [START, KEPT] and first[-1, 1] == FILL and AFTER not in first[:, 1]
    assert not first[:, 3].any()  # nothing is said of loudness
    written = first[2:-1, 1].tolist()
    assert written == (music.pitch[: len(written)] - 21).tolist()
    notes = [music[index]._replace(velocity=100) for index in range(len(music) // len(performance.parts))]
    held = Pedal(notes[-3].onset, notes[-1].onset + 0.01)  # it goes on
    opened = performance.open(1, [*notes, held], filling_engine.bundle)
    assert opened.decoder.pedal_down_since == pytest.approx(held.down - music.onset[0])
    tokens = opened.layout.tokens
    kept, fill = (int(np.flatnonzero(tokens[:, 1] == marker)[0]) for marker in (KEPT, FILL))
    # What leads into the part is written before what is played of it, and as it was played after.
    led = tokens[fill + 1 :, 1][tokens[fill + 1 :, 1] < KEY_COUNT].tolist()
    assert led and led == tokens[kept + 1 :, 1][: len(led)].tolist()
    assert len(WrittenNotes.of(music, 3.2)) == len(music)


def test_presses_that_go_on_are_one_and_those_that_meet_are_two() -> None:
    events: list[Note | Pedal] = [Pedal(1.0, 2.01), Note(1.5, 1.0, 60, 60), Pedal(1.0, 3.0), Pedal(3.0, 4.0)]
    notes, is_new = Performance.of(score(2)).join(events)
    assert notes.pedal.tolist() == [[1.0, 3.0], [3.0, 4.0]] and is_new.all()


def test_what_no_piano_can_play_is_refused() -> None:
    for notes, sentence in (
        (Notes.of(), "1 to 20000 notes, not 0"),
        (Notes.of([0, 1], [1, 1], [60, 12], [9, 9]), "1 notes of the score lie outside the 88 keys"),
        (Notes.of(*(np.full(20001, value) for value in (0.0, 1.0, 60, 60))), "not 20001"),
    ):
        with pytest.raises(RequestError, match=sentence):
            Performance.of(notes)

"""Parts of passages: they cover what they shall and nothing else, and joined as one they are the passage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.errors import RequestError
from arietta.generation.loop import generate
from arietta.generation.parts import OVERLAP, draw_phrases, split_passage
from arietta.generation.passage import Edit, Part
from arietta.generation.request import Request
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Note, Notes, Pedal, clip_pedal, merge_pedal

SHARES = st.floats(0, 1)


def tune(count: int = 200, step: float = 0.25) -> Notes:
    onset = np.arange(count) * step
    presses = [(start, start + 1.7) for start in np.arange(0.3, count * step - 2, 2.5).tolist()]
    return Notes.of(onset, np.full(count, 0.3), 48 + np.arange(count) % 30, np.full(count, 64), presses)


def drawn_events(part: Part, rng: np.random.Generator) -> list[Note | Pedal]:
    """What a model might have written from a part's beginning to its end."""
    onset = np.sort(rng.uniform(part.start, part.end, 20)).tolist()
    edges = np.sort(rng.uniform(part.start - 1, part.end + 1, 6)).reshape(-1, 2).tolist()
    notes = [Note(second, float(rng.uniform(0.05, 3)), int(rng.integers(21, 109)), 70) for second in onset]
    return [*notes, *(Pedal(down, up) for down, up in edges)]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), first=st.floats(0, 20), length=st.floats(5, 30), context=st.integers(60, 400))
def test_a_long_passage_in_parts_is_joined_as_one_is(seed: int, first: float, length: float, context: int) -> None:
    rng, music = np.random.default_rng(seed), tune()
    whole = Edit(music, first, min(first + length, music.seconds), rng.random(len(music)) < 0.3)
    edit = split_passage(whole, context)
    longest = min(400, context // 5)
    if whole.is_inside.sum() <= longest:
        assert edit is whole
        return
    assert edit.parts is not None and split_passage(edit, context) is edit
    assert [part.start for part in edit.parts[1:]] == [part.stop for part in edit.parts[:-1]]
    assert (edit.parts[0].start, edit.parts[-1].stop) == (whole.start, whole.stop)
    assert np.array_equal(edit.is_replaced, whole.is_replaced)
    for part in edit.parts:
        assert ((music.onset >= part.start) & (music.onset < part.end)).sum() <= longest * (1.5 + OVERLAP)
    events = [event for part in edit.parts for drawn in drawn_events(part, rng) for event in part.clip(drawn)]
    notes, is_new = edit.join(events)
    joined, is_new_at_once = whole.join(events)
    assert np.array_equal(is_new, is_new_at_once)
    # Presses that meet between two parts are one.
    assert np.array_equal(notes.pedal, merge_pedal(joined.pedal)) and replace(joined, pedal=notes.pedal) == notes


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), share=SHARES, first=st.floats(0, 30), length=st.floats(5, 60))
def test_a_variation_changes_its_phrases_alone(seed: int, share: float, first: float, length: float) -> None:
    rng, music = np.random.default_rng(seed), tune()
    stop = min(first + length, music.seconds)
    parts = draw_phrases(music, first, stop, share, rng)
    assert bool(parts) == (share > 0)
    edit = Edit(music, first, stop, rng.random(len(music)) < 0.2, parts=parts)
    events: list[Note | Pedal] = []
    for number, part in enumerate(parts):
        begun = edit.part(number, events)
        assert (begun.start, begun.stop, begun.parts) == (part.start, part.end, None)
        # What was written stays, and so does what was to be kept.
        assert (
            begun.is_replaced.sum()
            == ((music.onset >= part.start) & (music.onset < part.stop) & edit.is_replaced).sum()
        )
        events += [event for drawn in drawn_events(part, rng) for event in part.clip(drawn)]
    notes, is_new = edit.join(events)
    given_notes = [tuple(notes[index]) for index in np.flatnonzero(~is_new).tolist()]
    assert given_notes == [tuple(music[index]) for index in np.flatnonzero(~edit.is_replaced).tolist()]
    edges = [0.0, *(edge for part in parts for edge in part[:2]), music.seconds]
    for low, high in zip(edges[::2], edges[1::2], strict=True):  # between the phrases
        assert np.array_equal(clip_pedal(notes.pedal, low, high), clip_pedal(music.pedal, low, high))


def test_phrases_are_drawn_in_proportion_to_their_share() -> None:
    music = tune(4800)
    counts = [len(draw_phrases(music, 0.0, music.seconds, share, np.random.default_rng(1))) for share in (0.2, 0.6, 1)]
    assert 10 < counts[0] < 32 < counts[1] < 75 < counts[2] == 100
    with pytest.raises(RequestError, match=r"no note begins in 3\.1-3\.2 s"):
        draw_phrases(music, 3.1, 3.2, 0.5, np.random.default_rng(1))


def test_parts_lie_in_their_passage_one_after_another() -> None:
    music = tune()
    for parts in ([(5, 7, 7), (6, 9, 9)], [(1, 5, 5)], [(5, 40, 40)]):
        with pytest.raises(RequestError, match="one after another"):
            Edit(music, 4.0, 20.0, parts=tuple(Part(*part) for part in parts))
    with pytest.raises(RequestError, match=r"at least 0\.04 s"):
        Edit(music, 4.0, 20.0, parts=(Part(5, 5, 5),))


def test_an_accompaniment_in_parts_ends_with_what_it_accompanies(filling_engine: OnnxEngine) -> None:
    music = tune(120)
    edit = Edit(music, 0.0, music.seconds, np.ones(len(music), dtype=np.bool_), leads_back=False)
    take = generate(Request(edit=edit, seed=2), filling_engine)
    assert take.request.edit is not None and len(take.request.edit.parts or ()) > 1
    assert take.notes.seconds <= music.seconds + 1e-9 and take.note_count > 20

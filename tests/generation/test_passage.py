"""Passages: whatever is drawn, nothing given changes, new notes stay inside, and the pedal outside is what it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arietta.codecs.grid import AFTER, BACK, END, FILL, KEPT, KEY_COUNT, START, TIME_STEPS
from arietta.codecs.note import NoteCodec
from arietta.errors import CodecError, RequestError
from arietta.generation.batch import generate_all
from arietta.generation.given import PASSAGE_ROLE, lay_out
from arietta.generation.loop import Generation, generate
from arietta.generation.passage import LEAD, SHORTEST_PASSAGE, Edit, OpenPassage, open_passage
from arietta.generation.request import Request
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Note, Notes, Pedal
from tests.support.strategies import permits, pieces, random_numbers, sample_row, uneven

CODEC = NoteCodec()


@st.composite
def passages(draw: st.DrawFn, leads_back: bool | None = None) -> Edit:
    music = draw(pieces(most=30).filter(len))
    edges = st.one_of(st.floats(0.0, music.seconds), st.sampled_from(music.onset.tolist()))
    start, stop = sorted((draw(edges), draw(edges)))
    is_kept = draw(random_numbers()).random(len(music)) < draw(st.sampled_from([0.0, 0.4, 1.0]))
    back = draw(st.booleans()) if leads_back is None else leads_back
    if not back:
        start, stop = 0.0, music.seconds
    stop = max(stop, start + 0.04)
    return Edit(music, start, stop, is_kept, keep_pedal=draw(st.booleans()), leads_back=back)


def fill(
    opened: OpenPassage, rng: np.random.Generator, patience: int = 40_000
) -> tuple[list[list[int]], list[Note | Pedal]]:
    """Draw tokens among what the masks allow, until the passage closes."""
    decoder, weights = opened.decoder, uneven(CODEC, rng)
    tokens, events = [], list[Note | Pedal]()
    for _ in range(patience):
        if decoder.is_ended:
            break
        token = list(decoder.fit(sample_row(decoder, CODEC, rng, weights)))
        tokens.append(token)
        events += decoder.push(token)
    assert decoder.is_ended
    shifted = [
        event._replace(onset=event.onset + opened.shift)
        if isinstance(event, Note)
        else Pedal(event.down + opened.shift, event.up + opened.shift)
        for event in [*events, *decoder.finish()]
    ]
    return tokens, shifted


def is_down(pedal: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    return ((pedal[:, :1] <= seconds) & (seconds < pedal[:, 1:])).any(axis=0)


@settings(max_examples=200)
@given(passages(), random_numbers())
def test_whatever_is_drawn_nothing_given_changes(passage, rng):
    opened = open_passage(passage, CODEC, most_tokens=2048)
    tokens, events = fill(opened, rng)
    result, is_new = passage.join(events)
    music, stays = passage.music, ~passage.is_replaced
    for name in ("onset", "duration", "pitch", "velocity"):
        assert np.array_equal(getattr(result, name)[~is_new], getattr(music, name)[stays])
    assert is_new.sum() == sum(isinstance(event, Note) for event in events) == opened.decoder.note_count
    assert (result.onset[is_new] >= passage.start).all() and (result.onset[is_new] < passage.stop).all()
    # The pedal, a little beside each edge of a press: the edges themselves may be split by rounding.
    moments = np.concatenate([music.pedal.ravel(), result.pedal.ravel(), [passage.start, passage.stop]])
    moments = np.concatenate([moments - 1e-7, moments + 1e-7])
    outside = (moments < passage.start - 2e-8) | (moments > passage.stop + 2e-8) | passage.keep_pedal
    assert np.array_equal(is_down(music.pedal, moments[outside]), is_down(result.pedal, moments[outside]))
    if passage.leads_back:
        assert tokens[-1][1] == BACK
    else:
        assert tokens[-1][1] == END


@settings(max_examples=60)
@given(passages(), random_numbers())
def test_no_new_note_sounds_into_what_is_struck_again_or_begins_on_a_held_key(passage, rng):
    opened = open_passage(passage, CODEC, most_tokens=2048)
    result, is_new = passage.join(fill(opened, rng)[1])
    for index in np.flatnonzero(is_new):
        same = np.flatnonzero(result.pitch == result.pitch[index])
        later = result.onset[same[same > index]]
        assert (result.onset[index] + result.duration[index] <= later + 1e-9).all()
        if not passage.leads_back:
            assert result.release[index] <= passage.stop + 0.011


@settings(max_examples=60)
@given(passages(leads_back=True), random_numbers())
def test_the_seam_is_exact(passage, rng):
    opened = open_passage(passage, CODEC, most_tokens=2048)
    left = opened.decoder.steps_left
    tokens, _ = fill(opened, rng)
    written = np.array(tokens)
    assert TIME_STEPS[written[:, 0]].sum() == left


@settings(max_examples=60)
@given(passages(), random_numbers())
def test_push_refuses_what_fit_would_put_off(passage, rng):
    decoder, weights = open_passage(passage, CODEC, most_tokens=2048).decoder, uneven(CODEC, rng)
    while not decoder.is_ended:
        drawn = sample_row(decoder, CODEC, rng, weights)
        assert permits(decoder.masks(), CODEC, drawn)
        fitted = list(decoder.fit(drawn))
        # A note that would stutter before a given one of its key is put off too, though it passes nothing.
        if fitted[:2] != drawn[:2] and not decoder._is_before(decoder._due(), drawn[0], drawn[1]):
            with pytest.raises(CodecError, match="passes nothing that is given"):
                decoder.push(drawn)
        decoder.push(fitted)
    with pytest.raises(CodecError):
        decoder.masks()


@settings(max_examples=100)
@given(passages())
def test_the_layout_names_what_is_given(passage):
    opened = open_passage(passage, CODEC, most_tokens=4096)
    layout = opened.layout
    lead = layout.tokens[int(np.flatnonzero(layout.tokens[:, 1] == FILL)[0]) + 1 :]
    assert len(lead) >= min(LEAD, len(opened.before) - 1)
    assert lead.tolist() == opened.before[len(opened.before) - len(lead) :].tolist()
    assert START not in lead[:, 1] and (layout.role[len(layout.role) - len(lead) :] == PASSAGE_ROLE).all()
    assert (AFTER in layout.tokens[:, 1]) == passage.leads_back
    kept = layout.tokens[(layout.role == 2) & (layout.tokens[:, 1] < KEY_COUNT)]
    assert (KEPT in layout.tokens[:, 1]) == bool(len(kept))


def scale() -> Notes:
    count = 120
    onset = np.arange(count) * 0.203
    return Notes.of(onset, np.full(count, 0.3), 40 + np.arange(count) % 40, np.full(count, 64), pedal=[(1.0, 9.0)])


@pytest.mark.parametrize("start", [0.0, 0.5, 12.0, 24.2])
def test_a_short_passage_takes_in_what_is_around_it_and_keeps_it(start: float) -> None:
    passage = Edit(scale(), start, start + 0.15)
    opened = open_passage(passage, CODEC, most_tokens=2048)
    inside = len(CODEC.encode(scale())) - len(opened.before) - len(opened.after)
    assert inside == SHORTEST_PASSAGE
    kept = opened.layout.tokens[(opened.layout.role == 2) & (opened.layout.tokens[:, 1] < KEY_COUNT), 1]
    lead = int((opened.before[1:][-LEAD:, 1] < KEY_COUNT).sum())  # whose notes are named with those that stay
    assert SHORTEST_PASSAGE - 2 <= len(kept) - lead <= SHORTEST_PASSAGE
    _, is_new = passage.join(fill(opened, np.random.default_rng(3))[1])
    assert (~is_new).sum() == (~passage.is_replaced).sum()


@pytest.mark.parametrize(("first", "last"), [(20, 60), (21, 61), (22, 62), (23, 63)])
def test_a_passage_between_two_onsets_keeps_nothing_however_these_are_rounded(first: int, last: int) -> None:
    music = scale()
    passage = Edit(music, float(music.onset[first]), float(music.onset[last]))
    opened = open_passage(passage, CODEC, most_tokens=2048)
    assert KEPT not in opened.layout.tokens[:, 1]
    rows, events = fill(opened, np.random.default_rng(first))
    assert rows[-1][1] == BACK
    _, is_new = passage.join(events)
    assert (~is_new).sum() == len(music) - 40


@pytest.mark.parametrize(
    ("start", "stop", "options", "reason"),
    [
        (3.0, 3.0, {}, "before it ends"),
        (-1.0, 3.0, {}, "begins at 0 s or later"),
        (3.0, 3.01, {}, "at least 0.04 s"),
        (3.0, 9.0, {"leads_back": False}, "ends with the piece"),
    ],
)
def test_a_passage_that_is_none_is_refused(start, stop, options, reason):
    with pytest.raises(RequestError, match=reason):
        Edit(scale(), start, stop, **options)


@pytest.mark.parametrize("style", ["any", "Edvard Grieg"])
def test_a_passage_is_the_same_alone_and_in_company(filling_engine: OnnxEngine, style: str) -> None:
    music = scale()
    kept = music.pitch < 50
    requests = [
        Request(style=style, seed=seed, edit=Edit(music, 4.0 + seed, 8.0, kept, context=64)) for seed in range(3)
    ]
    alone = [generate(request, filling_engine) for request in requests]
    together = {take.request.seed: take for take in generate_all(requests, filling_engine)}
    for take in alone:
        same = together[take.request.seed]
        assert take.notes == same.notes and np.array_equal(take.tokens, same.tokens)
        assert take.note_count == take.is_new.sum() > 0
        given = Notes.of(
            *(getattr(take.notes, name)[~take.is_new] for name in ("onset", "duration", "pitch", "velocity"))
        )
        stays = ~take.request.edit.is_replaced  # type: ignore[union-attr]
        assert np.array_equal(given.onset, music.onset[stays]) and np.array_equal(given.pitch, music.pitch[stays])


def test_what_is_told_of_the_next_token_is_what_the_whole_layout_would_tell(filling_engine: OnnxEngine) -> None:
    passage = Edit(scale(), 4.0, 8.0, context=64)
    generation = Generation(Request(seed=1, edit=passage), filling_engine.bundle)
    opened, model = generation.opened, filling_engine.bundle.model
    assert opened is not None
    rng, told, tokens = np.random.default_rng(5), [], []
    while not opened.decoder.is_ended:
        told.append(opened.condition(model, generation.condition))
        tokens.append(opened.decoder.fit(sample_row(opened.decoder, CODEC, rng, np.ones(sum(CODEC.field_sizes)))))
        opened.decoder.push(tokens[-1])
    plain = opened.in_plain_order(np.array(tokens, dtype=np.uint16))
    begin, end = len(opened.before), len(opened.before) + len(tokens) - 1
    whole = lay_out(plain[begin - 64 : begin - LEAD], plain[begin - LEAD : end], plain[end : end + 64])
    assert whole.tokens[-len(tokens) :].tolist() == [list(token) for token in tokens]
    assert whole.conditions(model, generation.condition)[-len(tokens) :].tolist() == [list(ids) for ids in told]


def test_a_model_that_knows_no_passages_is_refused_before_any_work(tiny_engine: OnnxEngine) -> None:
    with pytest.raises(RequestError, match="cannot write passages"):
        generate(Request(edit=Edit(scale(), 1.0, 5.0)), tiny_engine)


def test_the_title_of_a_passage_has_no_more_of_a_second_than_a_reader_wants() -> None:
    edit = Edit(Notes.from_events([Note(0, 9.99999, 60, 70)]), 0.0, 9.99999)
    assert edit.title == "passage-0-to-10-seconds"

"""The one loop: exactly what was asked, from any engine, after any prompt, and the same again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from arietta.bundle import Bundle, load_bundle
from arietta.codec import Masks, permits
from arietta.composing import (
    LONGEST_PROMPT,
    LOOP_REPEATS,
    MOST_NOTES,
    LoopGuard,
    Piece,
    Request,
    Take,
    compose,
    condition_of,
    draw_seed,
    stream,
)
from arietta.engine import OnnxEngine
from arietta.errors import RequestError
from arietta.midi import midi_bytes, read_midi, read_texts
from arietta.note_codec import NoteCodec
from arietta.note_grid import CODA, END, KEY_COUNT, PEDAL_DOWN, START, TIME_COUNT
from arietta.notes import Note, Notes, Pedal, first, shift
from arietta.performance_codec import PerformanceCodec
from arietta.sampling import Sampling
from strategies import SEEDS, choices, pieces
from tiny_bundle import TINY, engine_of, graphs_of, random_model

CODEC = NoteCodec()
COLUMNS = ("onset", "duration", "pitch", "velocity")
LAWS = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Wilful:
    """An engine without a network: of what the masks allow it takes, field by field, what `wish` wants most.

    `wish(field, row)` gives a number; the allowed value nearest to it is taken.
    """

    def __init__(self, bundle: Bundle, wish: Callable[[int, list[int]], float]) -> None:
        self.bundle, self.wish = bundle, wish

    def start(self, conditions: list[tuple[int, int]]) -> Any:
        state = type("State", (), {})()
        state.nll = np.zeros((len(conditions), 4), dtype=np.float32)
        return state

    def feed(self, events: np.ndarray, state: Any) -> np.ndarray:
        return np.zeros(events.shape, dtype=np.float32)

    def next(self, state: Any, noise: np.ndarray, masks: list[Masks], sampling: list[Sampling]) -> np.ndarray:
        row: list[int] = []
        for field in range(4):
            values = choices(masks[0], CODEC, row)
            row.append(int(values[np.abs(values - self.wish(field, row)).argmin()]))
        assert permits(masks[0], CODEC, row)
        return np.array([row])

    def amend(self, state: Any, piece: int, row: list[int]) -> None:
        pass


def hammering(interval: int, key: int) -> Callable[[int, list[int]], float]:
    """Strike one key for ever."""
    return lambda field, row: (interval, key, 5, 16)[field]


def assert_closed(take: Take) -> None:
    """Keys and pedal are up, the rows end the piece, and decode to what is in it."""
    assert take.events.dtype == np.uint16
    if take.events.shape[1] == 4:
        assert take.events[-1].tolist() == [0, END, 0, 0]
    decoder = CODEC.decoder() if take.events.shape[1] == 4 else PerformanceCodec().decoder()
    for row in take.events.tolist():
        decoder.push(row)
    assert not decoder.finish()


def assert_untouched(take: Take, prompt: Notes) -> None:
    """The prompt's notes stand first, exactly, and nothing composed begins before their end or on a key they hold."""
    count, last = len(prompt), prompt.onset.max()
    for name in COLUMNS:
        assert np.array_equal(getattr(take.notes, name)[:count], getattr(prompt, name))
    assert (take.notes.onset[count:] >= last).all()
    for index in range(count, len(take.notes)):
        same = prompt.pitch == take.notes.pitch[index]
        assert (take.notes.onset[index] >= prompt.release[same] - 1e-9).all()


# Exactly what was asked


@given(notes=st.integers(1, 300), seed=SEEDS)
@example(notes=1, seed=0)
@example(notes=300, seed=1)
@LAWS
def test_n_notes_are_n_notes(tiny_engine: OnnxEngine, notes: int, seed: int) -> None:
    take = compose(Request(notes=notes, seed=seed), tiny_engine)
    assert len(take.notes) == take.note_count == notes
    assert CODEC.decode(take.events) == take.notes
    assert_closed(take)


@given(seconds=st.floats(1, 120), seed=SEEDS)
@example(seconds=1.0, seed=7)
@example(seconds=1.37, seed=15)
@example(seconds=2.0, seed=32)
@example(seconds=120.0, seed=0)
@LAWS
def test_seconds_are_kept_within_two_hundredths_pedal_included(
    tiny_engine: OnnxEngine, seconds: float, seed: int
) -> None:
    take = compose(Request(seconds=seconds, seed=seed), tiny_engine)
    assert abs(take.notes.seconds - seconds) <= 0.02 * seconds + 1e-9
    assert CODEC.decode(take.events) == take.notes
    assert_closed(take)


@given(seed=SEEDS, asked=st.sampled_from([{"notes": 40}, {"seconds": 20.0}]))
@LAWS
def test_any_sampling_gives_what_was_asked(tiny_engine: OnnxEngine, seed: int, asked: dict[str, Any]) -> None:
    rng = np.random.default_rng(seed)
    way = Sampling(float(rng.uniform(0.05, 3)), float(rng.uniform(0.05, 1)), float(rng.uniform(0, 0.9)))
    take = compose(Request(**asked, seed=seed, sampling=way), tiny_engine)
    assert len(take.notes) == 40 if "notes" in asked else abs(take.notes.seconds - 20) <= 0.4


@pytest.mark.parametrize("wish", [PEDAL_DOWN, PEDAL_DOWN + 1, PEDAL_DOWN + 2, END, 0, 87])
@pytest.mark.parametrize("time", [0, 30, TIME_COUNT])
@pytest.mark.parametrize("asked", [{"notes": 25}, {"seconds": 9.0}])
def test_the_most_stubborn_engine_gives_what_was_asked(
    tiny_bundle: Path, wish: int, time: int, asked: dict[str, Any]
) -> None:
    engine = Wilful(load_bundle(tiny_bundle), lambda field, row: (time, wish, 128, 0)[field])
    take = compose(Request(**asked), engine)
    assert_closed(take)
    if "notes" in asked:
        assert len(take.notes) == 25
    else:
        assert abs(take.notes.seconds - 9) <= 0.18


@pytest.mark.parametrize("notes", [1, 7, 120])
def test_a_codec_of_one_field_keeps_the_count_too(notes: int, tmp_path: Path) -> None:
    codec = PerformanceCodec()
    config = replace(TINY, field_sizes=codec.field_sizes)
    from arietta.engine import load_engine

    engine = load_engine(graphs_of(tmp_path, config, random_model(config), codec))
    take = compose(Request(notes=notes), engine)
    assert len(take.notes) == notes
    assert codec.decode(take.events) == take.notes
    assert_closed(take)


@pytest.mark.parametrize("asked", [{"seconds": 10.0}, {"notes": 5, "prompt": Notes.of([0], [1], [60], [64])}])
def test_what_a_codec_cannot_do_is_refused(asked: dict[str, Any], tiny_bundle: Path) -> None:
    bundle = replace(load_bundle(tiny_bundle), codec=PerformanceCodec())
    with pytest.raises(RequestError, match="composes a number of notes from the beginning"):
        Piece(Request(**asked), bundle)


def test_an_lstm_composes_as_well(tiny_lstm: Path) -> None:
    take = compose(Request(notes=80, style="grieg"), engine_of(tiny_lstm))
    assert len(take.notes) == 80
    assert_closed(take)


# Endings are announced


@given(notes=st.integers(16, 200), seed=SEEDS)
@LAWS
def test_a_coda_says_how_many_notes_remain(tiny_engine: OnnxEngine, notes: int, seed: int) -> None:
    events = compose(Request(notes=notes, seed=seed), tiny_engine).events
    (place,) = np.flatnonzero(events[:, 1] == CODA)
    remaining = int((events[place:, 1] < KEY_COUNT).sum())
    assert events[place].tolist() == [0, CODA, remaining, 0]
    assert 16 <= remaining <= min(64, notes)


@pytest.mark.parametrize("notes", [1, 15])
def test_a_piece_shorter_than_a_coda_has_none(tiny_engine: OnnxEngine, notes: int) -> None:
    events = compose(Request(notes=notes), tiny_engine).events
    assert not (events[:, 1] == CODA).any()


def test_codas_of_many_pieces_differ_in_length(tiny_bundle: Path) -> None:
    lengths = {Piece(Request(notes=300, seed=seed), load_bundle(tiny_bundle))._coda_at for seed in range(200)}
    assert min(lengths) < 20 and max(lengths) > 60


def test_a_piece_in_seconds_announces_its_end_at_its_pace(tiny_engine: OnnxEngine) -> None:
    found = []
    for seed in range(6):
        events = compose(Request(seconds=120, seed=seed), tiny_engine).events
        for place in np.flatnonzero(events[:, 1] == CODA):
            found.append((int((events[place:, 1] < KEY_COUNT).sum()), int(events[place, 2])))
    assert len(found) >= 4
    assert all(0.3 < (after + 5) / (said + 5) < 3 for after, said in found)


# Prompts


def playable(notes: Notes) -> bool:
    return len(notes) > 0 and notes.pitch.min() >= 21 and notes.pitch.max() <= 108


@given(prompt=pieces(), notes=st.integers(1, 30), seed=SEEDS, later=st.sampled_from([0.0, 0.0033, 12.5]))
@settings(LAWS, max_examples=40)
def test_a_prompt_is_kept_untouched_and_n_notes_follow(
    tiny_engine: OnnxEngine, prompt: Notes, notes: int, seed: int, later: float
) -> None:
    assume(playable(prompt))
    prompt = shift(prompt, later)
    take = compose(Request(notes=notes, prompt=prompt, seed=seed), tiny_engine)
    assert len(take.notes) == len(prompt) + notes
    assert (take.prompt_notes, take.note_count) == (len(prompt), notes)
    assert_untouched(take, prompt)
    assert_closed(take)


@given(prompt=pieces(), seed=SEEDS)
@settings(LAWS, max_examples=40)
def test_presses_that_end_before_the_seam_are_kept_untouched_too(
    tiny_engine: OnnxEngine, prompt: Notes, seed: int
) -> None:
    assume(playable(prompt))
    take = compose(Request(notes=3, prompt=prompt, seed=seed), tiny_engine)
    done = prompt.pedal[prompt.pedal[:, 1] <= prompt.onset.max() - 0.01]
    assert np.array_equal(take.notes.pedal[: len(done)], done)


def test_what_follows_begins_at_the_prompts_own_last_onset_not_on_the_grid(tiny_bundle: Path) -> None:
    prompt = Notes.of([0.0, 1.0049], [0.2, 0.2], [60, 62], [64, 64])
    engine = Wilful(load_bundle(tiny_bundle), lambda field, row: (0, 70, 10, 16)[field])
    take = compose(Request(notes=1, prompt=prompt), engine)
    assert_untouched(take, prompt)
    assert take.notes[2].onset == 1.0049


def test_a_pedal_held_over_the_seam_keeps_its_beginning(tiny_bundle: Path) -> None:
    prompt = Notes.of([0.0, 1.0], [0.2, 0.2], [60, 62], [64, 64], [(0.1, 0.4), (0.5037, 3.0)])
    engine = Wilful(load_bundle(tiny_bundle), lambda field, row: (50, PEDAL_DOWN + 1, 10, 16)[field])
    take = compose(Request(notes=2, prompt=prompt), engine)
    assert take.notes.pedal[0].tolist() == [0.1, 0.4]
    assert take.notes.pedal[1].tolist() == [0.5037, 1.5]


def test_a_pedal_pressed_after_the_prompts_last_onset_is_left_to_the_composer(tiny_bundle: Path) -> None:
    prompt = Notes.of([0.0, 1.0], [0.2, 0.2], [60, 62], [64, 64], [(0.1, 0.4), (1.1, 3.0)])
    engine = Wilful(load_bundle(tiny_bundle), hammering(20, 50))
    take = compose(Request(notes=2, prompt=prompt), engine)
    assert take.notes.pedal.tolist() == [[0.1, 0.4]]


def test_a_pedal_lifted_within_a_step_of_the_seam_is_not_pressed_again(tiny_bundle: Path) -> None:
    prompt = Notes.of([0.0, 1.0001], [0.2, 0.2], [60, 62], [64, 64], [(0.1, 1.004)])
    engine = Wilful(load_bundle(tiny_bundle), lambda field, row: (40, PEDAL_DOWN, 10, 16)[field])
    take = compose(Request(notes=2, prompt=prompt), engine)
    assert take.notes.pedal[0].tolist() == [0.1, 1.004]
    assert take.notes.pedal[1, 0] == pytest.approx(1.4001)


def test_a_key_the_prompt_holds_is_not_struck_before_its_release(tiny_bundle: Path) -> None:
    prompt = Notes.of([0.0, 0.1], [2.345, 0.2], [60, 62], [64, 64])
    take = compose(Request(notes=4, prompt=prompt), Wilful(load_bundle(tiny_bundle), hammering(1, 60 - 21)))
    assert_untouched(take, prompt)
    struck = take.notes.onset[2:][take.notes.pitch[2:] == 60]
    assert len(struck) and 2.345 <= struck[0] < 2.36


def test_a_prompt_of_three_notes_works(tiny_engine: OnnxEngine, waltz: Notes) -> None:
    prompt = first(waltz, 3)
    take = compose(Request(notes=50, prompt=prompt), tiny_engine)
    assert len(take.notes) == 53
    assert_untouched(take, prompt)


def test_a_prompt_longer_than_the_window_works(tiny_engine: OnnxEngine) -> None:
    prompt = compose(Request(notes=200, seed=5), tiny_engine).notes
    take = compose(Request(notes=30, prompt=prompt), tiny_engine)
    assert len(take.notes) == 230 and take.prompt_length > 3 * TINY.context
    assert_untouched(take, prompt)


def test_notes_outside_the_88_keys_are_kept_though_the_model_cannot_hear_them(tiny_engine: OnnxEngine) -> None:
    prompt = Notes.of([0, 0.5, 1.0, 3.0], [0.3] * 4, [5, 60, 62, 120], [64] * 4)
    take = compose(Request(notes=10, prompt=prompt), tiny_engine)
    assert len(take.notes) == 14 and (take.notes.onset[4:] >= 3.0).all()
    silent = Notes.of([0.5], [0.3], [5], [64])
    assert len(compose(Request(notes=10, prompt=silent), tiny_engine).notes) == 11


@pytest.mark.parametrize("seconds", [1.0, 3.3, 30.0])
def test_seconds_count_from_the_prompts_last_onset(tiny_engine: OnnxEngine, waltz: Notes, seconds: float) -> None:
    prompt = shift(waltz, 2.0)
    for seed in range(5):
        take = compose(Request(seconds=seconds, prompt=prompt, seed=seed), tiny_engine)
        assert_untouched(take, prompt)
        assert take.prompt_seconds == prompt.onset.max()
        composed = max(take.notes.release[len(prompt) :].max(initial=0.0), take.notes.pedal.max(initial=0.0))
        assert abs(composed - take.prompt_seconds - seconds) <= 0.02 * seconds + 1e-9


def test_the_prompt_is_what_the_model_hears(tiny_engine: OnnxEngine, waltz: Notes) -> None:
    take = compose(Request(notes=20, prompt=waltz), tiny_engine)
    assert np.array_equal(take.events[: take.prompt_length], CODEC.encode(waltz, whole=False))
    other = compose(Request(notes=20, prompt=shift(waltz, 5.0)), tiny_engine)
    assert np.array_equal(take.events, other.events)


# The same again


@pytest.mark.parametrize("asked", [{"notes": 90}, {"seconds": 25.0}, {"notes": 30, "style": "Grieg", "seed": 9}])
def test_the_same_request_gives_the_same_bytes(tiny_bundle: Path, waltz: Notes, asked: dict[str, Any]) -> None:
    files = []
    for threads in (1, 2):
        for prompt in (None, waltz):
            take = compose(Request(**asked, prompt=prompt), engine_of(tiny_bundle, threads=threads))
            files.append(midi_bytes(take.notes, title=take.title, texts=take.texts()))
    assert files[:2] == files[2:] and files[0] != files[1]


def test_another_seed_style_or_sampling_gives_another_piece(tiny_engine: OnnxEngine) -> None:
    asked = [{}, {"seed": 1}, {"style": "grieg"}, {"style": "chopin"}, {"sampling": Sampling(0.9)}]
    pieces = [compose(Request(notes=60, **extra), tiny_engine).notes for extra in asked]
    assert all(one != other for place, one in enumerate(pieces) for other in pieces[:place])


def test_any_case_of_a_style_gives_the_same_notes(tiny_engine: OnnxEngine) -> None:
    takes = [compose(Request(notes=30, style=style), tiny_engine) for style in ("grieg", "EDVARD GRIEG")]
    assert takes[0].notes == takes[1].notes


def test_the_likelihood_of_a_take_is_that_of_its_rows(tiny_bundle_32: Path) -> None:
    engine = engine_of(tiny_bundle_32)
    take = compose(Request(notes=70, style="chopin", seed=2), engine)
    scored = engine.score(take.events, condition_of("chopin", engine.bundle)) * CODEC.counted(take.events)
    assert take.nll == pytest.approx(scored.sum() / 70, rel=1e-4)


def test_a_saved_take_carries_its_request(tiny_engine: OnnxEngine, tmp_path: Path) -> None:
    take = compose(Request(notes=12, style="grieg", seed=3, sampling=Sampling(0.9, 0.95)), tiny_engine)
    take.save(tmp_path / "piece.mid")
    (text,) = [text for text in read_texts(tmp_path / "piece.mid") if text.startswith("arietta ")]
    described = json.loads(text.removeprefix("arietta "))
    assert described == take.describe()
    assert described["bundle"] == tiny_engine.bundle.fingerprint and described["model"] == "tiny"
    sampling = Sampling(**{name: described[name] for name in ("temperature", "top_p", "min_p")})
    again = compose(Request(described["notes"], style=described["style"], seed=described["seed"], sampling=sampling), tiny_engine)
    assert again.notes == take.notes
    assert len(read_midi(tmp_path / "piece.mid")) == 12


def test_titles_sort_by_length_and_are_file_names(tiny_engine: OnnxEngine) -> None:
    titles = [
        compose(Request(notes=7, seed=3, style="Frédéric Chopin"), tiny_engine).title,
        replace(compose(Request(seconds=1.5), tiny_engine), model="mine").title,
    ]
    assert titles == ["tiny-frederic-chopin-0007-notes-seed-3", "mine-any-1.5-seconds-seed-0"]
    slashed = replace(compose(Request(notes=1), tiny_engine), request=Request(notes=1, style="Bach / Busoni"))
    assert slashed.title == "tiny-bach-busoni-0001-notes-seed-0"


# As it is made


@pytest.mark.parametrize("asked", [{"notes": 60}, {"seconds": 30.0}])
@pytest.mark.parametrize("is_prompted", [False, True])
def test_the_stream_gives_every_note_once_and_in_order(
    tiny_engine: OnnxEngine, waltz: Notes, asked: dict[str, Any], is_prompted: bool
) -> None:
    request = Request(**asked, prompt=waltz if is_prompted else None)
    made, steps, fractions = stream(request, tiny_engine), [], []
    while True:
        try:
            step, (done, whole) = next(made)
        except StopIteration as finished:
            take = finished.value
            break
        steps += step
        fractions.append(done / whole)
    notes = [event for event in steps if isinstance(event, Note)]
    assert notes == [take.notes[index] for index in range(take.prompt_notes, len(take.notes))]
    presses = [list(event) for event in steps if isinstance(event, Pedal)]
    assert presses == take.notes.pedal[len(take.notes.pedal) - len(presses) :].tolist()
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert take.notes == compose(request, tiny_engine).notes


def test_progress_is_told_at_every_step(tiny_engine: OnnxEngine) -> None:
    told: list[tuple[float, float]] = []
    take = compose(Request(notes=40), tiny_engine, progress=lambda done, whole: told.append((done, whole)))
    assert len(told) == len(take.events)
    assert told[0] == (0, 40) and told[-1] == (40, 40)


def test_a_cancelled_piece_stops_at_once(tiny_engine: OnnxEngine) -> None:
    told: list[float] = []
    with pytest.raises(RequestError, match="cancelled"):
        compose(
            Request(notes=1000),
            tiny_engine,
            progress=lambda done, whole: told.append(done),
            cancelled=lambda: len(told) >= 5,
        )
    assert len(told) == 5


# Loops


def longest_repeat(notes: Notes, period: int) -> float:
    """How often a pattern of `period` pitches comes in a row, at most."""
    same = notes.pitch[period:] == notes.pitch[:-period]
    runs, run = [0], 0
    for is_same in same.tolist():
        run = run + 1 if is_same else 0
        runs.append(run)
    return max(runs) / period + 1


def cycling(keys: list[int]) -> Callable[[int, list[int]], float]:
    """Strike these keys in turn for ever."""
    struck = [0]

    def wish(field: int, row: list[int]) -> float:
        if field == 2 and row[1] < KEY_COUNT:
            struck[0] += 1
        return (20, keys[struck[0] % len(keys)], 5, 16)[field]

    return wish


@pytest.mark.parametrize("keys", [[40], [40, 47], [40, 44, 47], [40, 44, 47, 52, 47, 44, 42, 45]])
def test_a_pattern_comes_at_most_eight_times(keys: list[int], tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load_bundle(tiny_bundle)
    guarded = compose(Request(notes=400), Wilful(bundle, cycling(keys))).notes
    assert longest_repeat(guarded, len(keys)) <= LOOP_REPEATS
    monkeypatch.setattr(LoopGuard, "hear", lambda self, note: None)
    left_alone = compose(Request(notes=400), Wilful(bundle, cycling(keys))).notes
    assert longest_repeat(left_alone, len(keys)) == pytest.approx(400 / len(keys), abs=1)


def test_a_model_at_its_coldest_does_not_hammer_one_key(tiny_engine: OnnxEngine) -> None:
    for seed in range(3):
        take = compose(Request(notes=300, seed=seed, sampling=Sampling(0.05)), tiny_engine)
        assert longest_repeat(take.notes, 1) <= LOOP_REPEATS


def heard(pitches: list[int], intervals: list[float]) -> LoopGuard:
    guard = LoopGuard()
    for onset, pitch in zip(np.cumsum(intervals), pitches, strict=True):
        guard.hear(Note(float(onset), 0.1, pitch, 64))
    return guard


def test_repeated_notes_are_no_loop_until_the_eighth() -> None:
    assert heard([60] * 7, [0.2] * 7).repeated is None
    assert heard([60] * 9, [0.2] * 9).repeated == 60


def test_repeated_notes_in_changing_rhythm_are_no_loop() -> None:
    assert heard([60] * 20, [0.1, 0.4] * 10).repeated == 60  # a pattern of two
    assert heard([60] * 20, [0.1 * 1.5**place for place in range(20)]).repeated is None


def test_an_alternation_of_two_keys_is_a_loop_and_names_the_next() -> None:
    assert heard([60, 64] * 10, [0.2] * 20).repeated == 60


def test_a_change_ends_the_loop() -> None:
    assert heard([60] * 20 + [61], [0.2] * 21).repeated is None


# Styles


@pytest.mark.parametrize(
    ("style", "composer"),
    [
        ("any", 0),
        ("ANY", 0),
        ("grieg", 2),
        ("EDVARD GRIEG", 2),
        ("frederic chopin", 3),
        ("Chopin", 3),
        ("carl philipp emanuel bach", 1),
        ("Johann Sebastian Bach", 4),
    ],
)
def test_a_style_is_a_name_however_typed(style: str, composer: int, tiny_bundle: Path) -> None:
    assert condition_of(style, load_bundle(tiny_bundle)) == (composer, 1)


@pytest.mark.parametrize(
    ("style", "sentence"),
    [
        ("bach", "style 'bach' may be Carl Philipp Emanuel Bach or Johann Sebastian Bach: give the full name"),
        ("greig", "tiny does not know the style 'greig'; nearest: Edvard Grieg"),
        ("", "tiny does not know the style ''; nearest: Carl Philipp"),
    ],
)
def test_a_style_that_is_none_is_answered_with_names(style: str, sentence: str, tiny_bundle: Path) -> None:
    with pytest.raises(RequestError) as refused:
        Piece(Request(notes=5, style=style), load_bundle(tiny_bundle))
    assert str(refused.value).startswith(sentence)


def test_a_surname_means_the_composer_not_an_arrangement(tiny_bundle: Path) -> None:
    composers = ("Edvard Grieg", "Edvard Grieg / Alexander Siloti", "Franz Liszt")
    bundle = replace(load_bundle(tiny_bundle), model=replace(TINY, composers=composers))
    assert condition_of("grieg", bundle) == (1, 1)
    assert condition_of("edvard grieg / alexander siloti", bundle) == (2, 1)


def test_models_without_conditions_know_no_style(tiny_bundle: Path) -> None:
    bundle = replace(load_bundle(tiny_bundle), model=replace(TINY, composers=(), sources=()))
    assert condition_of("any", bundle) == (0, 0)
    with pytest.raises(RequestError, match="tiny was trained without composers: leave the style at 'any'"):
        condition_of("grieg", bundle)


# What cannot be asked


ONE_NOTE = Notes.of([0.0], [0.5], [60], [64])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, "say how long the piece shall be"),
        ({"notes": 5, "seconds": 5.0}, "either a number of notes or of seconds"),
        ({"notes": 0}, "notes must lie in 1-100000, not 0"),
        ({"notes": -1}, "notes must lie in 1-100000, not -1"),
        ({"notes": 1_000_000}, "notes must lie in 1-100000, not 1000000"),
        ({"notes": "abc"}, "notes must lie in 1-100000, not abc"),
        ({"notes": 2.5}, "notes must lie in 1-100000, not 2.5"),
        ({"seconds": 0.0}, "seconds must lie in 1-21600, not 0"),
        ({"seconds": float("nan")}, "seconds must lie in 1-21600, not nan"),
        ({"seconds": float("inf")}, "seconds must lie in 1-21600, not inf"),
        ({"seconds": "1 minute"}, "seconds must lie in 1-21600, not 1 minute"),
        ({"notes": 5, "seed": -1}, "seed must lie in 0-4294967295, not -1"),
        ({"notes": 5, "seed": 2**32}, "seed must lie in 0-4294967295, not 4294967296"),
        ({"notes": 5, "seed": 0.5}, "seed must lie in 0-4294967295, not 0.5"),
        ({"notes": 5, "prompt": Notes.of()}, "the prompt has 0 notes; give 1 to 10000"),
    ],
)
def test_an_impossible_request_is_refused_in_a_sentence(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        Request(**asked)
    assert sentence in str(refused.value)


def test_a_prompt_of_a_hundred_thousand_notes_is_refused() -> None:
    count = np.arange(100_000)
    prompt = Notes.of(count * 0.1, np.full(100_000, 0.05), 60 + count % 12, np.full(100_000, 64))
    with pytest.raises(RequestError, match=f"the prompt has 100000 notes; give 1 to {LONGEST_PROMPT}"):
        Request(notes=5, prompt=prompt)


@pytest.mark.parametrize("asked", [{"notes": 1}, {"notes": MOST_NOTES}, {"seconds": 1}, {"seconds": 21600.0}])
def test_the_limits_themselves_may_be_asked(asked: dict[str, Any]) -> None:
    assert asked.items() <= Request(**asked).describe().items()


def test_a_request_describes_itself_without_the_prompts_notes() -> None:
    described = Request(notes=5, style="grieg", seed=4, prompt=ONE_NOTE, sampling=Sampling(0.9)).describe()
    assert described == {
        "notes": 5,
        "style": "grieg",
        "seed": 4,
        "temperature": 0.9,
        "top_p": 1.0,
        "min_p": 0.0,
        "prompt_notes": 1,
    }
    assert json.loads(json.dumps(described)) == described


def test_drawn_seeds_are_short_and_differ() -> None:
    seeds = {draw_seed() for _ in range(50)}
    assert len(seeds) > 40 and all(0 <= seed < 1_000_000 for seed in seeds)


def test_the_first_row_of_every_piece_is_its_start(tiny_engine: OnnxEngine, waltz: Notes) -> None:
    for prompt in (None, waltz):
        assert compose(Request(notes=3, prompt=prompt), tiny_engine).events[0].tolist() == [0, START, 0, 0]

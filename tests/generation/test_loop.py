"""Requests and takes: the same again, styles by name, notes as they are made, and what cannot be asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arietta.codecs.grid import START
from arietta.errors import RequestError
from arietta.generation.loop import Generation, generate, stream
from arietta.generation.request import MAX_NOTES, MAX_PROMPT_NOTES, Request, draw_seed
from arietta.model.bundle import condition_of, load_bundle
from arietta.model.config import style_conditions
from arietta.model.engine import OnnxEngine
from arietta.model.sampling import Sampling
from arietta.music.midi import midi_bytes, read_midi, read_texts
from arietta.music.notes import Note, Notes, Pedal
from tests.support.bundles import SOURCES, TINY, engine_of
from tests.support.engines import CODEC

# The same again


@pytest.mark.parametrize("asked", [{"notes": 90}, {"seconds": 25.0}, {"notes": 30, "style": "Grieg", "seed": 9}])
def test_the_same_request_gives_the_same_bytes(tiny_bundle: Path, waltz: Notes, asked: dict[str, Any]) -> None:
    files = []
    for threads in (1, 2):
        for prompt in (None, waltz):
            take = generate(Request(**asked, prompt=prompt), engine_of(tiny_bundle, threads=threads))
            files.append(midi_bytes(take.notes, title=take.title, texts=take.texts()))
    assert files[:2] == files[2:] and files[0] != files[1]


def test_another_seed_style_or_sampling_gives_another_piece(tiny_engine: OnnxEngine) -> None:
    asked = [{}, {"seed": 1}, {"style": "grieg"}, {"style": "chopin"}, {"sampling": Sampling(0.9)}]
    pieces = [generate(Request(notes=60, **extra), tiny_engine).notes for extra in asked]
    assert all(one != other for place, one in enumerate(pieces) for other in pieces[:place])


def test_any_case_of_a_style_gives_the_same_notes(tiny_engine: OnnxEngine) -> None:
    takes = [generate(Request(notes=30, style=style), tiny_engine) for style in ("grieg", "EDVARD GRIEG")]
    assert takes[0].notes == takes[1].notes


def test_the_likelihood_of_a_take_is_that_of_its_rows(tiny_bundle_32: Path) -> None:
    engine = engine_of(tiny_bundle_32)
    take = generate(Request(notes=70, style="chopin", seed=3), engine)
    assert not take.interventions  # an amended token costs what the drawn one did
    scored = engine.score(take.tokens, condition_of("chopin", engine.bundle)) * CODEC.loss_mask(take.tokens)
    assert take.nll == pytest.approx(scored.sum() / 70, rel=1e-4)


def test_a_saved_take_carries_its_request(tiny_engine: OnnxEngine, tmp_path: Path) -> None:
    take = generate(Request(notes=12, style="grieg", seed=3, sampling=Sampling(0.9, 0.95)), tiny_engine)
    take.save(tmp_path / "piece.mid")
    (text,) = [text for text in read_texts(tmp_path / "piece.mid") if text.startswith("arietta ")]
    described = json.loads(text.removeprefix("arietta "))
    assert described == take.describe()
    assert described["bundle"] == tiny_engine.bundle.fingerprint and described["model"] == "tiny"
    sampling = Sampling(**{name: described[name] for name in ("temperature", "top_p", "min_p")})
    again = generate(
        Request(described["notes"], style=described["style"], seed=described["seed"], sampling=sampling), tiny_engine
    )
    assert again.notes == take.notes
    assert len(read_midi(tmp_path / "piece.mid")) == 12


def test_titles_sort_by_length_and_are_file_names(tiny_engine: OnnxEngine) -> None:
    titles = [
        generate(Request(notes=7, seed=3, style="Frédéric Chopin"), tiny_engine).title,
        replace(generate(Request(seconds=1.5), tiny_engine), model="mine").title,
    ]
    assert titles == ["tiny-frederic-chopin-0007-notes-seed-3", "mine-any-1.5-seconds-seed-0"]
    slashed = replace(generate(Request(notes=1), tiny_engine), request=Request(notes=1, style="Bach / Busoni"))
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
    assert take.notes == generate(request, tiny_engine).notes


def test_progress_is_told_at_every_step(tiny_engine: OnnxEngine) -> None:
    told: list[tuple[float, float]] = []
    take = generate(Request(notes=40), tiny_engine, progress=lambda done, whole: told.append((done, whole)))
    assert len(told) == len(take.tokens)
    assert told[0] == (0, 40) and told[-1] == (40, 40)


def test_a_cancelled_piece_stops_at_once(tiny_engine: OnnxEngine) -> None:
    told: list[float] = []
    with pytest.raises(RequestError, match="cancelled"):
        generate(
            Request(notes=1000),
            tiny_engine,
            progress=lambda done, whole: told.append(done),
            cancelled=lambda: len(told) >= 5,
        )
    assert len(told) == 5


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
        ("joplin", "tiny does not know the style 'joplin'; models that do: "),
        ("greig", "tiny does not know the style 'greig'; nearest: Edvard Grieg"),
        ("", "tiny does not know the style ''; nearest: Carl Philipp"),
        ("jopline k", "tiny does not know the style 'jopline k'; nearest: "),
    ],
)
def test_a_style_that_is_none_is_answered_with_names(style: str, sentence: str, tiny_bundle: Path) -> None:
    with pytest.raises(RequestError) as refused:
        Generation(Request(notes=5, style=style), load_bundle(tiny_bundle))
    assert str(refused.value).startswith(sentence)


def test_a_surname_means_the_composer_not_an_arrangement(tiny_bundle: Path) -> None:
    composers = ("Edvard Grieg", "Edvard Grieg / Alexander Siloti", "Franz Liszt")
    bundle = replace(load_bundle(tiny_bundle), model=replace(TINY, conditions=style_conditions(composers, SOURCES)))
    assert condition_of("grieg", bundle) == (1, 1)
    assert condition_of("edvard grieg / alexander siloti", bundle) == (2, 1)


def test_a_model_of_transcriptions_alone_composes_as_from_them_and_an_older_one_as_from_any(tiny_bundle: Path) -> None:
    model = replace(TINY, conditions=style_conditions(("Edvard Grieg",), ("transcribed",)))
    bundle = replace(load_bundle(tiny_bundle), model=model)
    assert condition_of("grieg", bundle) == (1, 1) and condition_of("grieg", bundle, source="any") == (1, 0)
    assert condition_of("grieg", replace(bundle, format=3)) == (1, 0)


def test_models_without_conditions_know_no_style(tiny_bundle: Path) -> None:
    bundle = replace(load_bundle(tiny_bundle), model=replace(TINY, conditions=style_conditions((), ())))
    assert condition_of("any", bundle) == (0, 0)
    with pytest.raises(RequestError, match="tiny was trained without composers: leave the style at 'any'"):
        condition_of("grieg", bundle)


# What cannot be asked


ONE_NOTE = Notes.of([0.0], [0.5], [60], [64])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, "say once how long the piece shall be"),
        ({"notes": 5, "seconds": 5.0}, "either a number of notes or of seconds"),
        ({"notes": 0}, "notes must lie in 1-100000, not 0"),
        ({"notes": -1}, "notes must lie in 1-100000, not -1"),
        ({"notes": 1_000_000}, "notes must lie in 1-100000, not 1000000"),
        ({"notes": "abc"}, "notes must be a whole number, not 'abc'"),
        ({"notes": 2.5}, "notes must be a whole number, not 2.5"),
        ({"seconds": 0.0}, "seconds must lie in 1-21600, not 0"),
        ({"seconds": float("nan")}, "seconds must lie in 1-21600, not nan"),
        ({"seconds": float("inf")}, "seconds must lie in 1-21600, not inf"),
        ({"seconds": "1 minute"}, "seconds must be a number, not '1 minute'"),
        ({"notes": 5, "seed": -1}, "seed must lie in 0-4294967295, not -1"),
        ({"notes": 5, "seed": 2**32}, "seed must lie in 0-4294967295, not 4294967296"),
        ({"notes": 5, "seed": 0.5}, "seed must be a whole number, not 0.5"),
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
    with pytest.raises(RequestError, match=f"the prompt has 100000 notes; give 1 to {MAX_PROMPT_NOTES}"):
        Request(notes=5, prompt=prompt)


@pytest.mark.parametrize("asked", [{"notes": 1}, {"notes": MAX_NOTES}, {"seconds": 1}, {"seconds": 21600.0}])
def test_the_limits_themselves_may_be_asked(asked: dict[str, Any]) -> None:
    assert asked.items() <= Request(**asked).describe().items()


def test_a_request_describes_itself_without_the_prompts_notes() -> None:
    described = Request(notes=5, style="grieg", seed=4, prompt=ONE_NOTE, sampling=Sampling(0.9)).describe()
    assert described == {
        "notes": 5,
        "style": "grieg",
        "seed": 4,
        "temperature": 0.9,
        "prompt_notes": 1,
    }
    assert json.loads(json.dumps(described)) == described


def test_drawn_seeds_are_short_and_differ() -> None:
    seeds = {draw_seed() for _ in range(50)}
    assert len(seeds) > 40 and all(0 <= seed < 1_000_000 for seed in seeds)


def test_the_first_row_of_every_piece_is_its_start(tiny_engine: OnnxEngine, waltz: Notes) -> None:
    for prompt in (None, waltz):
        assert generate(Request(notes=3, prompt=prompt), tiny_engine).tokens[0].tolist() == [0, START, 0, 0]

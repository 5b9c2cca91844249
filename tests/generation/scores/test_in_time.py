"""The best fitting of several takes is kept, the same request gives the same one, and its file gives it again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import arietta
from arietta.cli import main
from arietta.errors import RequestError
from arietta.generation.loop import generate
from arietta.generation.request import Request, read_request_text
from arietta.generation.scores import pulse
from arietta.generation.scores.in_time import Fitting, generate_in_time
from arietta.generation.scores.pulse import Pulse
from arietta.model.engine import OnnxEngine
from arietta.music.midi import midi_bytes, read_midi, read_texts
from arietta.music.notes import stretch, trim

PULSE = Pulse.read(90, "3/4", takes=3)


@pytest.fixture(autouse=True)
def _few_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "TAKES", 3)


def test_the_surest_of_several_takes_is_kept_and_stretched(tiny_engine: OnnxEngine) -> None:
    assert PULSE is not None
    request = Request(notes=60, pulse=PULSE, seed=5, style="grieg")
    told: list[tuple[float, float]] = []
    takes = list(
        generate_in_time([request, request], tiny_engine, progress=lambda done, total: told.append((done, total)))
    )
    take = takes[0]
    assert takes[1].notes == take.notes and told[-1] == (360, 360)
    seeds = [5, 105, 205]
    plain = [generate(Request(notes=60, style="grieg", seed=seed), tiny_engine).notes for seed in seeds]
    fits = [PULSE.fit(notes)[2] for notes in plain]
    assert take.fit == max(fits, key=lambda fit: fit.sureness)
    assert take.notes == stretch(trim(plain[fits.index(take.fit)]), take.fit.factor)
    described = take.request.describe()
    assert (described["bpm"], described["metre"], described["seed"]) == (90.0, "3/4", 5)
    again = Request.from_description(json.loads(json.dumps(described)))
    assert next(generate_in_time([again], tiny_engine)).notes == take.notes


def test_it_is_composed_from_python_and_the_command(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take = arietta.compose(bars=4, bpm=90, metre="3/4", seed=1, model=tiny_bundle)
    assert take.fit is not None and "0004-bars" in take.title
    words = ["compose", "--bars", "4", "--bpm", "90", "--metre", "3/4", "--seed", "1", "--model", str(tiny_bundle)]
    assert main([*words, "-o", str(tmp_path / "a.mid")]) == 0
    assert "Fit to 90 beats a minute in 3/4: " in capsys.readouterr().out
    assert (
        '"metre": "3/4"' in read_texts(tmp_path / "a.mid")[0] and '"seconds"' not in read_texts(tmp_path / "a.mid")[0]
    )
    again = Request.from_description(read_request_text(read_texts(tmp_path / "a.mid")))
    assert again.seconds == take.request.seconds and not again.ending  # what closes it would be cut
    assert "-90bpm-3-4-" in take.title
    take.save(tmp_path / "b.mid")
    assert (tmp_path / "b.mid").read_bytes() == (tmp_path / "a.mid").read_bytes()
    for wrong, sentence in (
        (["--metre", "0/4"], "not 0/4"),
        (["--bpm", "10000"], "bpm must lie in 40-200"),
        (["--prompt", str(tmp_path / "a.mid")], "given music has its own"),
        (["--original"], "leave it out"),
    ):
        assert main([*words, *wrong]) == 2
        assert sentence in capsys.readouterr().err
    assert len(read_midi(midi_bytes(take.notes))) == len(take.notes)


def test_a_single_take_has_no_pulse(tiny_engine: OnnxEngine) -> None:
    with pytest.raises(RequestError, match="chosen among takes"):
        generate(Request(notes=5, pulse=PULSE), tiny_engine)
    for requests, sentence in (
        ([Request(notes=5)], "a request has no pulse"),
        ([Request(notes=5, pulse=PULSE), Request(notes=5, pulse=PULSE, style="nobody")], "nobody"),
    ):
        with pytest.raises(RequestError, match=sentence):  # before anything is composed
            next(generate_in_time(requests, tiny_engine))


def test_what_has_fewer_bars_than_asked_for_says_so(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "SURE", 0.0)
    monkeypatch.setattr(pulse, "MARGIN", 0.3)
    words = ["compose", "--bars", "8", "--bpm", "90", "--metre", "3/4", "--seed", "1", "--model", str(tiny_bundle)]
    assert main([*words, "-o", str(tmp_path / "a.mid")]) == 0
    assert re.search(r"its bars are written, of which there are \d, not 8", capsys.readouterr().out)


def test_a_choice_that_is_stopped_says_among_how_many_takes_it_was_made(tiny_engine: OnnxEngine) -> None:
    request = Request(notes=40, pulse=PULSE, seed=5)
    fitting = Fitting(request, tiny_engine.bundle)
    takes = [generate(plain, tiny_engine) for plain in fitting.requests]
    for take in takes[:2]:
        fitting.add(take)
    assert fitting.takes_left == 1 and [plain.seed for plain in fitting.requests] == [205]
    fitting.stop()
    assert fitting.take is not None and fitting.takes_left == 0
    described = fitting.take.request.describe()
    assert described["takes"] == 2
    again = next(generate_in_time([Request.from_description(described)], tiny_engine))
    assert again.notes == fitting.take.notes and again.request == fitting.take.request

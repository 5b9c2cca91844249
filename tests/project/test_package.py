"""`import arietta`: one call for a piece, and names that are loaded when they are used."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import arietta
from arietta.music.notes import Notes, first
from tests.support.indexes import knowing

ROOT = Path(__file__).parents[2]


def loaded(code: str) -> set[str]:
    """Modules that stand in sys.modules after `code` in a fresh Python."""
    call = [sys.executable, "-c", f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"]
    done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


def test_one_call_composes(tiny_bundle: Path, tmp_path: Path) -> None:
    take = arietta.compose(notes=40, style="Grieg", model=str(tiny_bundle), seed=7)
    assert (len(take.notes), take.model, take.request.seed, take.request.style) == (40, "tiny", 7, "Edvard Grieg")
    take.save(tmp_path / "piece.mid")
    assert len(arietta.read_midi(tmp_path / "piece.mid")) == 40
    take.save(tmp_path / "piece.svg")
    assert "<svg" in (tmp_path / "piece.svg").read_text(encoding="utf-8")
    assert repr(take).startswith("Take(tiny-edvard-grieg-0040-notes-seed-7: Notes(40 notes, ")
    assert "data:audio/ogg" in take._repr_html_()


def test_without_a_length_it_composes_300_notes(tiny_bundle: Path) -> None:
    assert len(arietta.compose(model=str(tiny_bundle)).notes) == 300


def test_seconds_may_be_asked_instead(tiny_bundle: Path) -> None:
    take = arietta.compose(seconds=10.0, model=str(tiny_bundle), seed=1)
    assert take.request.notes is None
    assert abs(take.notes.seconds - 10) <= 0.2


def test_without_a_seed_one_is_drawn_and_told(tiny_bundle: Path) -> None:
    takes = [arietta.compose(notes=20, model=str(tiny_bundle)) for _ in range(2)]
    assert takes[0].notes != takes[1].notes
    again = arietta.compose(notes=20, model=str(tiny_bundle), seed=takes[0].request.seed)
    assert again.notes == takes[0].notes


def test_it_goes_on_from_a_prompt_with_its_own_sampling(tiny_bundle: Path, waltz: Notes) -> None:
    sampling = arietta.Sampling(temperature=0.8, min_p=0.05)
    take = arietta.compose(10, prompt=first(waltz, 4), model=str(tiny_bundle), seed=1, sampling=sampling)
    assert len(take.notes) == 14 and take.request.sampling == replace(sampling, top_p=0.96, guidance=2.5)


@pytest.mark.parametrize("kind", ["path", "text", "notes", "take"])
def test_a_prompt_may_be_a_file_notes_or_a_take(kind: str, tiny_bundle: Path, waltz: Notes, tmp_path: Path) -> None:
    theme = tmp_path / "theme.mid"
    arietta.write_midi(theme, waltz)
    take = arietta.compose(5, model=tiny_bundle, seed=3)
    prompt = {"path": theme, "text": str(theme), "notes": waltz, "take": take}[kind]
    first_notes = take.notes if kind == "take" else arietta.read_midi(theme)
    assert arietta.compose(3, prompt=prompt, model=tiny_bundle, seed=1).notes[: len(first_notes)].onset.tolist() == (
        first_notes.onset.tolist()
    )


def test_one_setting_leaves_the_others_as_the_model_has_them(tiny_bundle: Path) -> None:
    usual = arietta.compose(5, model=tiny_bundle, style="Grieg", seed=1).request.sampling
    bold = arietta.compose(5, model=tiny_bundle, style="Grieg", seed=1, temperature=0.5, guidance=None).request.sampling
    assert (bold.temperature, bold.top_p, bold.min_p, bold.guidance) == (0.5, usual.top_p, usual.min_p, usual.guidance)


def test_a_setting_goes_before_that_of_sampling(tiny_bundle: Path) -> None:
    sampling = arietta.Sampling(temperature=0.8, min_p=0.05)
    take = arietta.compose(5, model=tiny_bundle, seed=1, sampling=sampling, min_p=0.1)
    assert (take.request.sampling.temperature, take.request.sampling.min_p) == (0.8, 0.1)


def test_progress_is_called_with_how_much_is_composed(tiny_bundle: Path) -> None:
    calls: list[tuple[float, float]] = []
    arietta.compose(5, model=tiny_bundle, seed=1, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (5, 5) and all(total == 5 for _, total in calls)


def test_what_borrows_is_composed_again_where_that_is_wished(tiny_bundle: Path, tmp_path: Path) -> None:
    model = str(knowing(tmp_path / "tiny", tiny_bundle, arietta.Request(notes=100, seed=7)))
    assert arietta.compose(100, seed=7, model=model).request.seed == 7
    assert arietta.compose(100, seed=7, model=model, original=True).request.seed == 107


def test_a_model_stays_loaded_between_calls(tiny_bundle: Path) -> None:
    arietta.compose(notes=1, model=str(tiny_bundle))
    before = arietta._engine.cache_info()
    arietta.compose(notes=1, model=str(tiny_bundle))
    after = arietta._engine.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"notes": 0}, "notes must lie in 1-100000, not 0"),
        ({"notes": "300"}, "notes must be a whole number, not '300'"),
        ({"notes": 5, "seconds": 5.0}, "say once how long"),
        ({"seconds": "60"}, "seconds must be a number"),
        ({"style": "greig"}, "nearest: Edvard Grieg"),
        ({"style": 5}, "a style is the name of a composer, not 5"),
        ({"seed": "7"}, "seed must be a whole number"),
        ({"prompt": 5}, "music is Notes, a take, the path, the bytes or the open file of MIDI"),
        ({"prompt": "no-such.mid"}, r"no-such\.mid"),
        ({"top_p": 2}, "top_p must lie"),
        ({"model": "no-such-model"}, "no-such-model: no model of that name"),
    ],
)
def test_what_cannot_be_composed_is_an_error_of_ours(
    asked: dict[str, object], sentence: str, tiny_bundle: Path
) -> None:
    with pytest.raises(arietta.AriettaError, match=sentence):
        arietta.compose(**({"model": tiny_bundle} | asked))


def test_every_public_name_is_there_and_no_other_is_invented() -> None:
    for name in arietta.__all__:
        assert getattr(arietta, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Sonata'"):
        _ = arietta.Sonata


def test_every_lazy_name_is_public() -> None:
    lazy = {name for names in arietta._HOMES.values() for name in names}
    assert lazy | {"compose"} == set(arietta.__all__)


def test_completion_and_help_show_every_public_name_before_anything_is_used() -> None:
    code = (
        "import arietta, io, pydoc\n"
        "shown = dir(arietta)\n"
        "assert {name for name in shown if not name.startswith('_')} == set(arietta.__all__), shown\n"
        "page = pydoc.plain(pydoc.render_doc(arietta))\n"
        "for name in arietta.__all__:\n"
        "    assert name in shown, name\n"
        "    assert name in page, name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_every_public_name_says_what_it_is() -> None:
    for name in arietta.__all__:
        assert (getattr(arietta, name).__doc__ or "").strip().split("(")[0] != name, name
        assert getattr(arietta, name).__module__.startswith("arietta")


def test_every_error_can_be_had_from_the_top() -> None:
    errors = {name for name, value in vars(arietta.errors).items() if isinstance(value, type)}
    assert errors <= set(arietta.__all__)


def test_importing_brings_nothing_of_ours_but_the_package() -> None:
    assert {name for name in loaded("import arietta") if name.startswith("arietta")} == {"arietta"}


def test_notes_come_without_the_engine() -> None:
    assert not loaded("import arietta; arietta.Notes; arietta.read_midi") & {"onnxruntime", "torch"}


def test_composing_comes_without_torch(tiny_bundle: Path) -> None:
    modules = loaded(f"import arietta; arietta.compose(notes=1, model={str(tiny_bundle)!r})")
    assert "onnxruntime" in modules
    assert not modules & {"torch", "onnx", "fastapi", "matplotlib"}


def test_the_version_is_one() -> None:
    parts = arietta.__version__.split(".")
    assert len(parts) == 3 and all(part.isdigit() for part in parts)


def test_an_argument_of_another_spelling_is_told() -> None:
    with pytest.raises(TypeError, match=r"no argument 'meter' \(did you mean metre\?\)"):
        arietta.compose(meter="3/4")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"no argument 'note' \(did you mean notes\?\)"):
        arietta.compose(note=3)  # type: ignore[arg-type]

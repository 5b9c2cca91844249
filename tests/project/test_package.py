"""`import arietta`: one call for a piece, and names that are loaded when they are used."""

from __future__ import annotations

import json
import subprocess
import sys
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
    assert (len(take.notes), take.model, take.request.seed, take.request.style) == (40, "tiny", 7, "Grieg")
    take.save(tmp_path / "piece.mid")
    assert len(arietta.read_midi(tmp_path / "piece.mid")) == 40


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
    assert len(take.notes) == 14 and take.request.sampling == sampling


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


@pytest.mark.parametrize("asked", [{"notes": 0}, {"notes": 5, "seconds": 5.0}, {"notes": 5, "style": "greig"}])
def test_what_cannot_be_composed_is_an_error_of_ours(asked: dict[str, object], tiny_bundle: Path) -> None:
    from arietta.errors import RequestError

    with pytest.raises(RequestError):
        arietta.compose(**asked, model=str(tiny_bundle))


def test_every_public_name_is_there_and_no_other_is_invented() -> None:
    for name in arietta.__all__:
        assert getattr(arietta, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Sonata'"):
        _ = arietta.Sonata


def test_every_lazy_name_is_public() -> None:
    lazy = {name for names in arietta._HOMES.values() for name in names}
    assert lazy | {"compose"} == set(arietta.__all__)


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

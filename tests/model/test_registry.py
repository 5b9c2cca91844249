"""The registry says of every model of this version what there is to say without having it."""

from __future__ import annotations

import pytest

from arietta.model.bundle import list_bundles, load_bundle
from arietta.model.registry import URL_VARIABLE, known_elsewhere, known_models, models_that_know, models_url


@pytest.mark.parametrize("name", known_models())
def test_what_it_says_of_a_model_is_so(name: str) -> None:
    if name not in list_bundles():
        pytest.skip(f"needs the model `{name}`, which is not in this checkout")
    bundle, known = load_bundle(name), known_models()[name]
    assert (known.fingerprint, known.licence) == (bundle.fingerprint, bundle.card["licence"])
    assert known.composers == bundle.model.composers
    assert known.bytes == sum(path.stat().st_size for path in bundle.path.rglob("*") if path.is_file())


def test_the_address_is_that_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, "https://example.org/models/")
    assert models_url() == "https://example.org/models"
    monkeypatch.delenv(URL_VARIABLE)
    assert models_url() == "", "nobody has published the models"


def test_a_composer_is_looked_for_in_all_models_by_any_spelling() -> None:
    assert "piano" in models_that_know("chopin, frederic")
    assert models_that_know("Nobody Whom Anybody Knows") == []


def test_a_misspelt_composer_of_other_models_is_named_with_them() -> None:
    (clause,) = known_elsewhere("chopinsky", ["Edvard Grieg"])
    assert clause.startswith("Frédéric Chopin is known to ") and "piano" in clause
    assert known_elsewhere("chopinsky", ["Frédéric Chopin"]) == []
    assert known_elsewhere("xyzzy", []) == []

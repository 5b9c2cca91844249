"""Which finder of beats is used: the network where a model brings one, accents elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arietta.errors import RequestError
from arietta.music.beats import choose_grid, find_meter, find_sure_meter
from arietta.music.beats.accents import find_accented_meter
from arietta.music.beats.bars import track_meter
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notes import Notes, stretch
from tests.support.beats import march, random_weights, write_network


def test_where_no_network_is_installed_accents_tell_and_nothing_is_sure() -> None:
    assert find_meter(march()) == find_accented_meter(march())
    assert find_sure_meter(march()) is None


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    monkeypatch.delenv("ARIETTA_BEATS")
    monkeypatch.setattr("arietta.files.CHECKOUT", tmp_path / "nowhere")
    monkeypatch.setenv("ARIETTA_MODELS", str(tmp_path))
    return random_weights()


@pytest.mark.parametrize("needed", [0.0, 1.1])
def test_the_network_tells_where_it_is_installed_and_is_sure_or_not(
    needed: float, weights: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arietta.music.beats.SURE", needed)
    write_network(tmp_path / "some" / "beats", weights)
    meter = track_meter(march(), weights).meter
    assert find_meter(march()) == meter != find_accented_meter(march())
    assert find_sure_meter(march()) == (meter if needed < 1 else None)


def test_of_too_few_onsets_nothing_is_heard(weights: dict[str, np.ndarray], tmp_path: Path) -> None:
    write_network(tmp_path / "some" / "beats", weights)
    few = Notes.of(0.5 * np.arange(5), [0.3] * 5, [60] * 5, [64] * 5)
    assert find_meter(few) == find_accented_meter(few) and find_sure_meter(few) is None


def test_of_more_than_an_hour_accents_tell(weights: dict[str, np.ndarray], tmp_path: Path) -> None:
    write_network(tmp_path / "some" / "beats", weights)
    long = stretch(march(beats=80), 100)
    assert find_meter(long) == find_accented_meter(long)


def test_a_grid_is_what_was_asked_for_or_the_metre_that_a_piece_has() -> None:
    own = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),))
    assert choose_grid(march(), None, own) is own and choose_grid(march(), None) is None
    assert choose_grid(march(), 90.0, own) == 90.0
    assert choose_grid(march(), "found", own) is own and choose_grid(march(), "found") is None
    with pytest.raises(RequestError, match="a grid is a metre, a number of beats a minute or 'found', not 'guess'"):
        choose_grid(march(), "guess")

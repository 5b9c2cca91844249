"""What real music is like: the file in the package, and how a value is placed by it."""

from __future__ import annotations

import json

import pytest

from arietta.evaluation.reference import (
    FILE,
    NATS,
    PERCENTILES,
    TITLES,
    WINDOWS,
    is_inside,
    nearest_window,
    rank_words,
    rank_words_by_title,
    references,
    set_name,
)
from arietta.evaluation.statistics import DEFINITIONS
from arietta.evaluation.words import MEANINGS

BAND = (1.0, 2.0, 3.0, 4.0, 5.0)


@pytest.mark.parametrize("size", WINDOWS)
def test_both_corpora_are_there_with_every_figure_in_rising_percentiles(size: int) -> None:
    found = references(size)
    assert [one.corpus for one in found] == list(TITLES)
    for one in found:
        assert one.windows > 100 and 0 <= one.loops < 0.2
        late = {"coming_back_30"} if size == 300 else set()  # few windows last so long
        assert set(one.figures) | late == set(MEANINGS) - {NATS, "note_count", *_distributions()} | late
        for name, band in one.figures.items():
            assert len(band) == len(PERCENTILES) and list(band) == sorted(band), name


def _distributions() -> set[str]:
    several = {name for name in DEFINITIONS if name.startswith(("pitch_class", "note_length"))}
    return several | {"note_lengths_beats", "note_length_steps_beats"}


def test_likelihoods_are_known_by_the_bundles_fingerprint_alone() -> None:
    models = json.loads(FILE.read_text(encoding="utf-8"))["models"]
    assert models
    for fingerprint, about in models.items():
        for size in WINDOWS:
            for one in references(size, fingerprint):
                assert one.figures[NATS] == tuple(about["bands"][set_name(one.corpus, size)])
    assert all(NATS not in one.figures for one in references(300, "0" * 16))
    assert references(12) == []


def test_the_file_is_small() -> None:
    assert FILE.stat().st_size < 60_000


@pytest.mark.parametrize(("notes", "size"), [(0, 300), (100, 300), (500, 300), (600, 1000), (90_000, 1000)])
def test_the_nearest_length_of_windows_is_chosen(notes: int, size: int) -> None:
    assert nearest_window(notes) == size


@pytest.mark.parametrize(
    ("value", "words", "inside"),
    [
        (0.9, "lower than 95 %", False),
        (1.0, "low", True),
        (2.0, "middle half", True),
        (4.0, "middle half", True),
        (4.1, "high", True),
        (5.1, "higher than 95 %", False),
    ],
)
def test_a_value_is_placed_by_the_percentiles_around_it(value: float, words: str, inside: bool) -> None:
    assert words in rank_words(value, BAND)
    assert is_inside(value, BAND) is inside


def test_corpora_are_named_where_a_value_lies_elsewhere_in_each() -> None:
    assert rank_words_by_title(3.0, {"one": BAND, "other": BAND}) == "in the middle half"
    assert (
        rank_words_by_title(3.0, {"one": BAND, "other": (4.0,) * 5})
        == "one: in the middle half; other: lower than 95 %"
    )

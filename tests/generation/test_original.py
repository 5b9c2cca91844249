"""Composing again what borrows: which seeds are tried, which take is kept, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.cli.output import MAX_TAKES
from arietta.errors import RequestError
from arietta.generation.loop import generate
from arietta.generation.original import (
    MAX_ATTEMPTS,
    SEED_STRIDE,
    Attempts,
    Originality,
    Rejected,
    generate_original,
    measure_originality,
    require_index,
)
from arietta.generation.request import Request, Take
from arietta.model.engine import OnnxEngine
from arietta.music.notes import Notes, excerpt, first, transpose
from arietta.originality.index import PassageIndex
from arietta.serve.jobs.limits import Limits
from tests.support.indexes import borrowing, indexed
from tests.support.tunes import play_all, tune

ASKED = Request(notes=100, seed=7)
OWN = Originality(0, 0.0, 0.0, 0.0, True, None)
BORROWED = Originality(61, 0.4, 99.0, 98.0, False, "Nobody: Tune 1")


@pytest.fixture(scope="module")
def takes(tiny_engine: OnnxEngine) -> list[Take]:
    """What the first tries at ASKED give."""
    return [generate(replace(ASKED, seed=7 + SEED_STRIDE * turn), tiny_engine) for turn in range(MAX_ATTEMPTS)]


@pytest.fixture(scope="module")
def two_known(takes: list[Take], tmp_path_factory: pytest.TempPathFactory) -> PassageIndex:
    """An index that knows the first two tries."""
    return borrowing(tmp_path_factory.mktemp("known") / "index", [take.notes for take in takes[:2]])


@pytest.fixture(scope="module")
def all_known(takes: list[Take], tmp_path_factory: pytest.TempPathFactory) -> PassageIndex:
    """An index that knows every try, of the fourth the first third alone."""
    known = [take.notes if turn != 3 else first(take.notes, 33) for turn, take in enumerate(takes)]
    return borrowing(tmp_path_factory.mktemp("known") / "index", known)


def test_what_borrows_is_composed_again_with_later_seeds(
    takes: list[Take], two_known: PassageIndex, tiny_engine: OnnxEngine
) -> None:
    ((take, found),) = generate_original([ASKED], tiny_engine, two_known)
    assert (take.request.seed, take.notes, take.texts()) == (207, takes[2].notes, takes[2].texts())
    assert found.is_inside
    assert [(one.seed, one.work) for one in found.rejected] == [(7, "Nobody: Tune 0"), (107, "Nobody: Tune 1")]
    assert all(one.longest > 80 for one in found.rejected)


def test_what_borrows_nothing_is_the_plain_take(
    takes: list[Take], two_known: PassageIndex, tiny_engine: OnnxEngine
) -> None:
    ((take, found),) = generate_original([replace(ASKED, seed=207)], tiny_engine, two_known)
    assert (take.notes, found.rejected) == (takes[2].notes, ())


def test_a_take_does_not_depend_on_its_company(two_known: PassageIndex, tiny_engine: OnnxEngine) -> None:
    requests = [replace(ASKED, seed=seed) for seed in (6, 7, 8)]
    together = {take.request.seed: take.notes for take, _ in generate_original(requests, tiny_engine, two_known)}
    assert set(together) == {6, 207, 8}
    for request in requests:
        ((alone, _),) = generate_original([request], tiny_engine, two_known)
        assert together[alone.request.seed] == alone.notes


def test_where_every_try_borrows_the_most_original_is_kept_and_told(
    takes: list[Take], all_known: PassageIndex, tiny_engine: OnnxEngine
) -> None:
    ((take, found),) = generate_original([ASKED], tiny_engine, all_known)
    assert (take.request.seed, take.notes, found.is_inside) == (307, takes[3].notes, False)
    assert [one.seed for one in found.rejected] == [7 + SEED_STRIDE * turn for turn in range(MAX_ATTEMPTS)]
    assert found.longest == found.rejected[3].longest < min(one.longest for one in found.rejected if one.seed != 307)


def test_how_much_is_composed_counts_the_tries(two_known: PassageIndex, tiny_engine: OnnxEngine) -> None:
    told: list[tuple[float, float]] = []
    list(generate_original([ASKED], tiny_engine, two_known, progress=lambda *of: told.append(of)))
    assert told == sorted(told)
    assert {whole for _, whole in told} == {100, 200, 300}
    assert told[-1] == (300, 300)


def test_with_an_index_that_knows_no_people_nothing_is_rejected(
    takes: list[Take], tiny_engine: OnnxEngine, tmp_path: Path
) -> None:
    index = indexed(tmp_path / "index", [takes[0].notes])
    ((take, found),) = generate_original([ASKED], tiny_engine, index)
    assert take.request.seed == 7
    assert found.longest > 80 and found.longest_percentile is None


# What is looked up


def taken(notes: Notes, prompt: Notes, like: Take) -> Take:
    return replace(like, notes=play_all(prompt, notes), prompt_notes=len(prompt))


def test_a_prompt_may_be_anybodys(takes: list[Take], tmp_path: Path) -> None:
    index = borrowing(tmp_path / "index", [tune(0, 300)])
    found = measure_originality(taken(tune(9, 100), tune(0, 300), takes[0]), index)
    assert (found.longest, found.share, found.work, found.is_inside) == (0, 0.0, None, True)


def test_of_a_copy_that_begins_in_the_prompt_the_composed_part_counts(takes: list[Take], tmp_path: Path) -> None:
    theme = tune(0, 300)
    index = borrowing(tmp_path / "index", [theme])
    copied = play_all(transpose(excerpt(theme, 100, 140), 2), tune(9, 60))
    found = measure_originality(taken(copied, excerpt(theme, 0, 100), takes[0]), index)
    assert 35 <= found.longest <= 42 and found.share == pytest.approx(0.4, abs=0.03)
    assert (found.work, found.is_inside, found.longest_percentile) == ("Nobody: Tune 0", False, 100.0)


def test_figures_survive_as_json_values() -> None:
    found = replace(BORROWED, rejected=(Rejected(7, 61, "Nobody: Tune 1"), Rejected(107, 20, "X")))
    assert Originality.from_description(found.describe()) == found


# Seeds


@given(st.integers(0, 2**32 - 1), st.integers(1, SEED_STRIDE - 1))
def test_takes_of_one_request_never_try_each_others_seeds(seed: int, apart: int) -> None:
    tried = []
    for begin in (seed, (seed + apart) % 2**32):
        attempts = Attempts(Request(notes=100, seed=begin))
        for _ in range(MAX_ATTEMPTS):
            tried.append(attempts.next_request.seed)
            attempts.add(a_take(attempts.next_request), BORROWED)
        assert attempts.is_settled
    assert len(set(tried)) == 2 * MAX_ATTEMPTS


def test_no_request_asks_for_more_takes_than_lie_between_two_tries() -> None:
    assert max(MAX_TAKES, Limits().most_count) <= SEED_STRIDE


def a_take(request: Request) -> Take:
    return Take(Notes.of(), np.zeros((0, 4), np.uint16), 0, 0, request, "tiny", "0" * 16, 0.0, 0.0, np.zeros(0, bool))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (replace(BORROWED, longest=60), BORROWED),
        (replace(BORROWED, share=0.3), BORROWED),
        (replace(BORROWED, longest_percentile=98.5, longest=70), BORROWED),
        (replace(BORROWED, longest_percentile=97.6, share_percentile=98.9), BORROWED),
        (replace(OWN, longest=90), BORROWED),
    ],
)
def test_the_more_original_of_two_is_kept_in_either_order(better: Originality, worse: Originality) -> None:
    for order in ((better, worse), (worse, better)):
        attempts = Attempts(ASKED)
        for found in order:
            attempts.add(a_take(attempts.next_request), found)
        assert replace(attempts.originality, rejected=()) == better


def test_of_equals_the_first_is_kept() -> None:
    attempts = Attempts(ASKED)
    for _ in range(2):
        attempts.add(a_take(attempts.next_request), BORROWED)
    assert attempts.take is not None and attempts.take.request.seed == 7


def test_a_model_without_an_index_is_refused(tiny_engine: OnnxEngine) -> None:
    with pytest.raises(RequestError, match="tiny came without an index of its training music"):
        require_index(tiny_engine.bundle)

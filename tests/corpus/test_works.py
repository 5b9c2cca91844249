"""Works and sides, hand-checked: what is one composition, what is not, and that none stands on two sides."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.corpus.duplicates import Shares
from arietta.corpus.labels import Label
from arietta.corpus.works import Assignment, assign_splits, composer_names

CHOPIN, BACH, GRIEG = "Frédéric Chopin", "Johann Sebastian Bach", "Edvard Grieg"


def own(composer: str, title: str, split: str = "", corpus: str = "own") -> Label:
    return Label(composer, title, corpus, "sequenced", "", split)


def maestro(composer: str, title: str, split: str) -> Label:
    return own(composer, title, split, "maestro")


def shares(file_count: int, shared: dict[tuple[int, int], int] | None = None, size: int = 1000) -> Shares:
    """Say how many of their 1,000 passages files share."""
    pairs = np.array(list(shared or {}), dtype=np.int64).reshape(-1, 2)
    return Shares(pairs, np.array(list((shared or {}).values()), dtype=np.int64), np.full(file_count, size))


def places(
    labels: list[Label], shared: dict[tuple[int, int], int] | None = None, note_counts: list[int] | None = None
) -> list[Assignment]:
    return assign_splits(labels, note_counts or [1000] * len(labels), shares(len(labels), shared))


def are_one_work(*labels: Label) -> bool:
    return len({found.work for found in places(list(labels))}) == 1


def test_a_chopin_etude_under_four_titles_is_one_work() -> None:
    titles = (
        "Etude Op. 10 No. 3 in E Major",
        "Étude, Op.10 No.3",
        "Etude in E, Op. 10/3",
        "Étude No. 3, Op. 10 “Tristesse”",
    )
    assert are_one_work(*(own(CHOPIN, title) for title in titles))


def test_two_etudes_of_one_opus_are_two_works() -> None:
    assert not are_one_work(own(CHOPIN, "Etude Op. 10 No. 3"), own(CHOPIN, "Etude Op. 10 No. 4"))


def test_an_opus_contains_its_numbers() -> None:
    assert are_one_work(own(GRIEG, "Lyric Pieces, Op.12"), own(GRIEG, "Elves' Dance, Op. 12 No. 4"))
    assert not are_one_work(own(GRIEG, "Lyric Pieces, Op.38"), own(GRIEG, "Elves' Dance, Op. 12 No. 4"))


def test_a_recording_of_a_whole_opus_joins_its_numbers_into_one_work() -> None:
    assert are_one_work(
        own(GRIEG, "Waltz, Op. 12 No. 2"), own(GRIEG, "Lyric Pieces, Op.12"), own(GRIEG, "Elves' Dance, Op. 12 No. 4")
    )


def test_a_transcription_belongs_to_both_composers() -> None:
    both = own("Johann Sebastian Bach / Ferruccio Busoni", "Chaconne in D Minor, BWV 1004")
    assert composer_names(both.composer) == ["johann sebastian bach", "ferruccio busoni"]
    assert are_one_work(both, own(BACH, "Partita in D minor, BWV 1004"))
    assert are_one_work(both, own("Ferruccio Busoni", "Chaconne, BWV 1004"))


def test_seven_bachs_are_seven_composers() -> None:
    bachs = (
        BACH, "Carl Philipp Emanuel Bach", "Wilhelm Friedemann Bach", "Johann Christian Bach",
        "Johann Christoph Friedrich Bach", "Leonhard Emil Bach", "Christoph Bach",
    )  # fmt: skip
    found = places([own(bach, "Sonata No. 2 in D major, Op. 5") for bach in bachs])
    assert len({one.work for one in found}) == 7


def test_unicode_variants_of_a_name_are_one_composer() -> None:
    names = [unicodedata.normalize(form, "Antonín Dvořák") for form in ("NFC", "NFD")]
    titles = ["Humoresque “in the old style”", 'Humoresque "in the Old Style"']
    assert are_one_work(own(names[0], titles[0]), own(names[1], titles[1]), own("Antonin Dvorak", titles[0]))


def test_the_same_telling_title_is_the_same_work() -> None:
    assert are_one_work(own("Mily Balakirev", "Islamey"), own("Mily Balakirev", 'Oriental Fantasy "Islamey"'))


def test_the_same_form_is_not_the_same_work() -> None:
    for title in ("Prelude", "3 Preludes", "Sonata", "Valse", "4 Morceaux"):
        assert not are_one_work(own("Jean Roger", title), own("Jean Roger", title))


def test_a_title_that_a_composer_used_again_and_again_links_nothing() -> None:
    scarlatti = [own("Domenico Scarlatti", f"Keyboard Sonata in D major, K.{number}") for number in (29, 96, 118)]
    assert len({found.work for found in places(scarlatti)}) == 3


def test_titles_in_contradicting_keys_are_different_works_under_one_number() -> None:
    assert not are_one_work(
        own("Franz Schubert", "Sonata in G Major, D. 960"), own("Franz Schubert", "Sonata, in B-flat Major D. 960")
    )
    assert are_one_work(own("Franz Schubert", "Sonata D. 960"), own("Franz Schubert", "Sonata, in B-flat Major D. 960"))


def test_files_that_sound_alike_are_one_work_whatever_they_are_called() -> None:
    labels = [own(CHOPIN, "Ballade No.1, Op.23"), own("Alexander Efimoff", "Ballade No.1, Op.10"), own("X", "Y")]
    found = places(labels, {(0, 1): 120, (0, 2): 45})
    assert found[0].work == found[1].work != found[2].work


def test_few_shared_passages_must_be_a_larger_share() -> None:
    labels = [own("A", "First"), own("B", "Second")]
    for size, count, is_one in ((300, 20, True), (300, 14, False), (1000, 49, False), (5000, 100, True)):
        found = assign_splits(labels, [1, 1], shares(2, {(0, 1): count}, size))
        assert (found[0].work == found[1].work) is is_one


def test_works_of_one_name_have_ids_of_their_own() -> None:
    found = places([own("Roy Agnew", "Prelude"), own("Roy Agnew", "Prelude")])
    assert [one.work for one in found] == ["Roy Agnew: Prelude", "Roy Agnew: Prelude (2)"]


def test_a_corpus_keeps_its_own_split() -> None:
    labels = [maestro(CHOPIN, f"Etude Op. 10 No. {k}", side) for k, side in enumerate(("train", "validation", "test"))]
    assert [found.split for found in places(labels)] == ["train", "validation", "test"]


def test_a_corpus_is_believed_that_one_title_on_two_sides_is_two_works() -> None:
    sides = ("train", "test", "validation")
    found = places([maestro("Joseph Haydn", "Sonata in D Major, Hob. XVI:24", side) for side in sides])
    assert tuple(one.split for one in found) == sides
    assert len({one.work for one in found}) == 3


@pytest.mark.parametrize("side", ["test", "validation"])
def test_files_that_play_what_another_corpus_holds_out_are_dropped(side: str) -> None:
    labels = [
        maestro(CHOPIN, "Etude Op. 10 No. 12 in C Minor", side),
        own(CHOPIN, "Études, Op.10"),
        own(CHOPIN, "Étude, Op.10 No.12"),
        own("Pyotr Ryazanov", "7 Lyrical Etudes, Op.10"),
        own(CHOPIN, "Étude, Op.10 No.1"),
    ]
    found = places(labels, {(0, 3): 20}, [2000, 20000, 2000, 9000, 2000])
    assert [bool(one.reason) for one in found] == [False, True, True, True, False]
    assert found[1].reason == (
        f"held out: plays Frédéric Chopin, Etude Op. 10 No. 12 in C Minor, which maestro keeps for {side}"
    )


def test_what_sounds_like_a_dropped_recording_of_the_held_out_piece_is_dropped_too() -> None:
    labels = [maestro(CHOPIN, "Etude Op. 10 No. 12", "test"), own(CHOPIN, "Étude, Op.10 No.12"), own("A", "Revolution")]
    assert places(labels, {(1, 2): 500})[2].reason.startswith("held out: plays Frédéric Chopin")


def test_what_sounds_like_another_part_of_a_dropped_collection_stays() -> None:
    labels = [maestro(CHOPIN, "Etude Op. 10 No. 12", "test"), own(CHOPIN, "Études, Op.10"), own("A", "Waterfall")]
    assert not places(labels, {(1, 2): 500}, [2000, 20000, 1500])[2].reason


def test_training_files_of_one_corpus_that_touch_what_another_holds_out_are_dropped() -> None:
    labels = [own(GRIEG, "Puck, Op. 71 No. 3", "test", "piano-midi.de"), maestro(GRIEG, "Puck, Op. 71 No. 3", "train")]
    assert "piano-midi.de keeps for test" in places(labels)[1].reason


def test_a_work_that_a_corpus_trains_on_is_training_elsewhere() -> None:
    labels = [maestro("Amy Beach", f"Opus, Op. {k}", "train") for k in range(60)]
    labels += [own("Amy Beach", f"Piece, Op. {k}") for k in range(60)]
    assert {found.split for found in places(labels)} == {"train"}


def test_other_works_are_divided_nineteen_to_one_to_one() -> None:
    found = places([own("Amy Beach", f"Piece, Op. {k}") for k in range(2000)])
    counts = {side: sum(one.split == side for one in found) for side in ("test", "validation", "train")}
    assert 70 <= counts["test"] <= 130
    assert 70 <= counts["validation"] <= 130


def test_the_side_of_a_work_does_not_depend_on_the_others() -> None:
    labels = [own("Amy Beach", f"Piece, Op. {k}") for k in range(200)]
    assert [one.split for one in places(labels)[:50]] == [one.split for one in places(labels[:50])]


def test_files_of_no_named_composer_are_linked_by_what_they_sound_like_alone() -> None:
    titles = (
        "demo 1",
        "demo 2",
        "Sonata No. 1, I. Allegro",
        "Sonata No. 1, II. Adagio",
        "Waltz, Op. 3",
        "Waltz, Op. 3",
    )
    found = places([own("", title) for title in titles], {(2, 3): 120})
    assert len({one.work for one in found}) == 5
    assert found[2].work == found[3].work


def test_numbered_files_of_one_composer_are_works_of_their_own() -> None:
    found = places([own("Clara Schumann", f"clara {number:02}") for number in range(1, 21)])
    assert len({one.work for one in found}) == 20


def test_a_work_with_a_file_that_the_weights_were_trained_on_is_training() -> None:
    labels = [own("Amy Beach", f"Piece, Op. {k}") for k in range(200)]
    assert {one.split for one in places(labels)} == {"train", "validation", "test"}
    assert {one.split for one in places([replace(label, is_trained_on=True) for label in labels])} == {"train"}
    recordings = [own("Amy Beach", f"Another, Op. {k}") for k in range(200)]
    mixed = [replace(label, is_trained_on=True) for label in labels] + recordings
    linked = places(mixed, {(k, 200 + k): 500 for k in range(200)})
    assert {one.split for one in linked} == {"train"}


TITLES = ("Etudes, Op. 10", "Etude, Op. 10 No. 1", "Etude, Op. 10 No. 2", "Islamey", "Prelude", "Sonata in D, D. 850")
LABELS = st.builds(
    lambda composer, title, prescribed: own(composer, title, *prescribed),
    st.sampled_from([CHOPIN, BACH, f"{CHOPIN} / {BACH}"]),
    st.sampled_from(TITLES),
    st.sampled_from([("", "own"), ("", "own"), ("train", "maestro"), ("test", "maestro"), ("test", "other")]),
)


@given(st.lists(LABELS, min_size=2, max_size=12), st.data())
def test_no_work_stands_on_two_sides_and_every_file_has_a_place_or_a_reason(
    labels: list[Label], data: st.DataObject
) -> None:
    last = len(labels) - 1
    linked = data.draw(st.lists(st.tuples(st.integers(0, last), st.integers(0, last)), max_size=6))
    found = places(labels, {(min(pair), max(pair)): 900 for pair in linked if pair[0] != pair[1]})
    sides = defaultdict(set)
    for one in found:
        assert bool(one.reason) != bool(one.work and one.split)
        sides[one.work].add(one.split)
    assert all(len(side) == 1 for work, side in sides.items() if work)
    for label, one in zip(labels, found, strict=True):
        assert one.reason or not label.split or one.split == label.split

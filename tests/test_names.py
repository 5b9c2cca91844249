from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.names import (
    close_names,
    escape_name,
    fold_name,
    is_shown,
    match_names,
    nearest_names,
    printable,
    same_name,
    suggest,
)
from tests.support.bundles import COMPOSERS
from tests.support.file_names import NAMES


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("edvard grieg", "Edvard Grieg"),
        ("EDVARD GRIEG", "Edvard Grieg"),
        ("Frederic Chopin", "Frédéric Chopin"),
        ("Fre\u0301de\u0301ric Chopin", "Frédéric Chopin"),
        ("  Edvard   Grieg ", "Edvard Grieg"),
        ("Weiss", "Weiß"),
    ],
)
def test_case_accents_and_spaces_do_not_matter(typed: str, meant: str) -> None:
    assert same_name(typed, meant)


@pytest.mark.parametrize(("first", "second"), [("Bach", "Bax"), ("", "Bach"), ("J S Bach", "JS Bach")])
def test_letters_and_their_order_do_matter(first: str, second: str) -> None:
    assert not same_name(first, second)


@given(st.text())
def test_folding_twice_changes_nothing(name: str) -> None:
    assert fold_name(fold_name(name)) == fold_name(name)


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("greig", "Edvard Grieg"),
        ("chopan", "Frédéric Chopin"),
        ("frederik chopin", "Frédéric Chopin"),
        ("johan sebastian bach", "Johann Sebastian Bach"),
    ],
)
def test_a_misspelling_finds_its_name_first(typed: str, first: str) -> None:
    assert nearest_names(typed, COMPOSERS).split(", ")[0] == first


def test_a_surname_finds_everybody_of_that_name() -> None:
    assert nearest_names("bahc", COMPOSERS).startswith("Carl Philipp Emanuel Bach, Johann Sebastian Bach")


def test_a_name_like_none_of_them_is_answered_with_the_first() -> None:
    assert nearest_names("xyzzy", COMPOSERS) == "Carl Philipp Emanuel Bach, Edvard Grieg, Frédéric Chopin"
    assert nearest_names("", COMPOSERS, count=1) == "Carl Philipp Emanuel Bach"
    assert nearest_names("Grieg", ["", " ", "Edvard Grieg"]) == "Edvard Grieg"
    assert nearest_names("Grieg", [""]) == ""


def test_names_that_are_not_near_enough_are_left_out() -> None:
    assert close_names("greig", COMPOSERS, cutoff=0.7) == ["Edvard Grieg"]
    assert close_names("greig", COMPOSERS, cutoff=0.9) == []
    assert close_names("", ["", " "], cutoff=0.3) == []


def test_no_more_names_are_listed_than_asked_for() -> None:
    names = [f"Composer {number}" for number in range(50)]
    assert len(nearest_names("composer", names).split(", ")) == 3


def test_what_xml_cannot_hold_is_left_out_of_a_text() -> None:
    assert printable("Für Elise\x00\x1b\u2028") == "Für Elise"
    assert printable("two\nlines\t\x07", and_also="\n\t") == "two\nlines\t"
    assert printable(plain := "a ♭ and an 🎹") is plain


@pytest.mark.posix
@pytest.mark.parametrize("raw", NAMES)
def test_an_escaped_name_is_one_line_that_every_encoding_of_unicode_can_write(raw: bytes) -> None:
    shown = escape_name(os.fsdecode(raw))
    assert len(shown.encode().decode().splitlines()) == 1
    assert all(is_shown(letter) for letter in shown)


@pytest.mark.parametrize(
    "name", ["Dvořák, Humoreska", "月の光", "👩\u200d👩\u200d👧", "a\u3000b\xa0c", "plain.mid", "e\u0301"]
)
def test_names_that_can_be_shown_are_shown_as_they_are(name: str) -> None:
    assert escape_name(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("caf\udce9", r"caf\xe9"),
        ("a\nb\x1b", r"a\nb\x1b"),
        ("a\u2028b\x85", r"a\u2028b\x85"),
        ("\u202e\ufeff", r"\u202e\ufeff"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_has_no_picture_is_escaped(name: str, shown: str) -> None:
    assert escape_name(name) == shown


PIANISTS = [
    "Alexander Scriabin",
    "Camille Saint-Saëns",
    "Carl Maria von Weber",
    "Carl Philipp Emanuel Bach",
    "Clara Schumann",
    "Franz Schubert",
    "Franz Schubert / Franz Liszt",
    "Franz Liszt",
    "Frédéric Chopin",
    "George Frideric Handel",
    "Heitor Villa-Lobos",
    "Johann Sebastian Bach",
    "Johann Sebastian Bach / Ferruccio Busoni",
    "Ludwig van Beethoven",
    "Modest Mussorgsky",
    "Pyotr Ilyich Tchaikovsky",
    "Robert Schumann",
    "Sergei Rachmaninoff",
    "Sergey Prokofiev",
]


@pytest.mark.parametrize(
    ("typed", "surname"),
    [
        ("JS Bach", "Johann Sebastian Bach"),
        ("J.S. Bach", "Johann Sebastian Bach"),
        ("bach, johann sebastian", "Johann Sebastian Bach"),
        ("C.P.E. Bach", "Carl Philipp Emanuel Bach"),
        ("chopin, frederic", "Frédéric Chopin"),
        ("Chopin Frédéric", "Frédéric Chopin"),
        ("F. Liszt", "Franz Liszt"),
        ("Rachmaninov", "Sergei Rachmaninoff"),
        ("S. Rakhmaninov", "Sergei Rachmaninoff"),
        ("Tchaikovsky", "Pyotr Ilyich Tchaikovsky"),
        ("Tschaikowski", "Pyotr Ilyich Tchaikovsky"),
        ("Moussorgsky", "Modest Mussorgsky"),
        ("Prokofieff", "Sergey Prokofiev"),
        ("Skryabin", "Alexander Scriabin"),
        ("Alexandre Scriabine", "Alexander Scriabin"),
        ("Georg Friedrich Händel", "George Frideric Handel"),
        ("Haendel", "George Frideric Handel"),
        ("van Beethoven", "Ludwig van Beethoven"),
        ("L. v. Beethoven", "Ludwig van Beethoven"),
        ("C.M. von Weber", "Carl Maria von Weber"),
        ("saint saens", "Camille Saint-Saëns"),
        ("villa lobos", "Heitor Villa-Lobos"),
        ("clara schumann", "Clara Schumann"),
        ("franz schubert / franz liszt", "Franz Schubert / Franz Liszt"),
    ],
)
def test_a_composer_is_known_by_the_ways_in_which_people_type_names(typed: str, surname: str) -> None:
    assert match_names(typed, PIANISTS) == [surname]


def test_a_surname_of_several_means_all_of_them() -> None:
    assert match_names("schumann", PIANISTS) == ["Clara Schumann", "Robert Schumann"]


def test_a_given_name_means_all_who_bear_it_and_no_part_of_one_does() -> None:
    assert match_names("clara", PIANISTS) == ["Clara Schumann"]
    assert match_names("Franz", PIANISTS) == ["Franz Schubert", "Franz Liszt"]
    assert match_names("Clar", PIANISTS) == []


@pytest.mark.parametrize("typed", ["", " ", ",", "Johann Christian Bach", "Peter Bach", "greig", "Busoni", "///"])
def test_another_name_means_nobody(typed: str) -> None:
    assert match_names(typed, PIANISTS) == []


@given(st.text(max_size=30))
def test_whatever_is_typed_has_an_answer(typed: str) -> None:
    assert set(match_names(typed, PIANISTS)) <= set(PIANISTS)


@given(st.sampled_from(PIANISTS))
def test_a_full_name_means_itself(name: str) -> None:
    assert match_names(name.upper(), PIANISTS) == [name]


def test_what_is_meant_is_said_where_it_is_near() -> None:
    assert suggest("meter", ["bars", "metre"]) == " (did you mean metre?)"
    assert suggest("sweetness", ["bars", "metre"]) == ""

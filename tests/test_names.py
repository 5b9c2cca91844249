from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.names import fold_name, nearest_names, printable, same_name
from tests.support.bundles import COMPOSERS


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


def test_no_more_names_are_listed_than_asked_for() -> None:
    names = [f"Composer {number}" for number in range(50)]
    assert len(nearest_names("composer", names).split(", ")) == 3


def test_what_xml_cannot_hold_is_left_out_of_a_text() -> None:
    assert printable("Für Elise\x00\x1b\u2028") == "Für Elise"
    assert printable("two\nlines\t\x07", and_also="\n\t") == "two\nlines\t"
    assert printable(plain := "a ♭ and an 🎹") is plain

"""Composers and titles: told by MAESTRO's table, by GiantMIDI's file names, by piano-midi.de's, or by the user."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from arietta.corpus.labels import label_file, read_maestro_table, split_giantmidi_name
from arietta.errors import CorpusError
from tests.support.tunes import tune, write_maestro


@pytest.mark.parametrize(
    ("names", "composer", "title"),
    [
        ("Liszt, Franz, Nuits d'été à Pausilippe, S.399", "Franz Liszt", "Nuits d'été à Pausilippe, S.399"),
        ("Beethoven, Ludwig van, 6 Waltzes, Anh.14", "Ludwig van Beethoven", "6 Waltzes, Anh.14"),
        ("Indy, Vincent d', Poème des Montagnes, Op.15", "Vincent d'Indy", "Poème des Montagnes, Op.15"),
        ("Gunst, Yevgeny, Prelude, Op.17, No.1", "Yevgeny Gunst", "Prelude, Op.17, No.1"),
        ("Auric, Georges, Adieu, New York!", "Georges Auric", "Adieu, New York!"),
        ("Scriabin, Aleksandr, 12 Etudes, Op.8", "Alexander Scriabin", "12 Etudes, Op.8"),
        ("Strauss Jr., Johann, Waltz in G major", "Johann Strauss Jr.", "Waltz in G major"),
        ("Mozart, Wolfgang Amadeus, Adagio, K.356_617a", "Wolfgang Amadeus Mozart", "Adagio, K.356/617a"),
        ("Calvi, Carlo, Aria &amp; Corrente", "Carlo Calvi", "Aria & Corrente"),
        ("Di Gesu, Massimo, Rima petrosa", "Massimo Di Gesu", "Rima petrosa"),
        ("A., Jag, Je t'aime Juliette", "Jag A.", "Je t'aime Juliette"),
        ("Anonymous, Greensleeves", "Anonymous", "Greensleeves"),
    ],
)
def test_giantmidi_names_are_read_from_both_ends(names: str, composer: str, title: str) -> None:
    assert split_giantmidi_name(names) == (composer, title)


def test_a_giantmidi_file_is_known_by_the_video_at_its_end() -> None:
    known = label_file("Grieg, Edvard, Lyric Pieces, Op.12, yhXHnLubC-4.mid", {}, {})
    assert (known.composer, known.title) == ("Edvard Grieg", "Lyric Pieces, Op.12")
    assert (known.corpus, known.source, known.licence) == ("giantmidi", "transcribed", "CC BY 4.0")
    assert label_file("Grieg, Edvard, Lyric Pieces, Op.12.mid", {}, {}).corpus == "own"


def test_a_video_that_begins_with_a_dash_is_no_part_of_the_title() -> None:
    assert label_file("Hindemith, Paul, Piano Sonata No.1, -HV1Tw6AvCI.mid", {}, {}).title == "Piano Sonata No.1"


def test_accents_are_composed_whatever_the_file_system_made_of_them() -> None:
    name = unicodedata.normalize("NFD", "Dvořák, Antonín, Album Leaf, B.158, 1bEDbcesUrQ.mid")
    assert label_file(name, {}, {}).composer == "Antonín Dvořák"


def test_maestro_is_named_by_its_table_with_its_split(tmp_path: Path) -> None:
    rows = [
        ("Franz Liszt / Vladimir Horowitz", 'Rhapsody "Edition", No. 2', "validation", tune(1)),
        ("Frédéric Chopin", "Etude  Op. 10", "test", tune(2)),
    ]
    table = read_maestro_table(write_maestro(tmp_path, rows))
    first, second = label_file("2004/0.midi", table, {}), label_file("2004/1.midi", table, {})
    assert (first.composer, first.title) == ("Franz Liszt / Vladimir Horowitz", 'Rhapsody "Edition", No. 2')
    assert (first.split, second.split) == ("validation", "test")
    assert (first.corpus, first.source, first.licence) == ("maestro", "measured", "CC BY-NC-SA 4.0")
    assert second.title == "Etude Op. 10"


def test_a_table_that_is_not_maestros_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "maestro-v3.0.0.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match=r"maestro-v3\.0\.0\.csv: cannot be read as MAESTRO's table"):
        read_maestro_table(tmp_path)


def test_the_pieces_by_grieg_have_their_titles_and_sides() -> None:
    files = {name: label_file(f"grieg_{name}.mid", {}, {}) for name in ("elfentanz", "kobold", "wedding")}
    assert files["elfentanz"].title == "Elves' Dance, Op. 12 No. 4"
    assert files["elfentanz"].composer == "Edvard Grieg"
    assert [files[name].split for name in ("elfentanz", "kobold", "wedding")] == ["train", "test", "validation"]
    assert files["kobold"].licence == "CC BY-SA 3.0 DE"


def test_other_files_are_the_users_own_and_named_after_the_file() -> None:
    known = label_file("evenings/my_little_waltz.mid", {}, {})
    assert (known.composer, known.title, known.corpus, known.split) == ("", "my little waltz", "own", "")


def test_what_the_user_says_overrules_what_the_file_says() -> None:
    given = {"composer": "Clara Schumann", "licence": "CC0 1.0", "source": "measured"}
    for file in ("waltz.mid", "grieg_kobold.mid"):
        known = label_file(file, {}, given)
        assert (known.composer, known.licence, known.source) == ("Clara Schumann", "CC0 1.0", "measured")


def test_what_the_user_leaves_open_stays_as_the_file_says() -> None:
    assert label_file("grieg_kobold.mid", {}, {"composer": "", "licence": ""}).composer == "Edvard Grieg"

"""Catalogue numbers and names as titles really spell them (MAESTRO, GiantMIDI-Piano, piano-midi.de)."""

from __future__ import annotations

import unicodedata

import pytest

from arietta.corpus.titles import Number, keys_agree, read_title

BACH = "Johann Sebastian Bach"


def numbers(title: str, composer: str = "") -> set[str]:
    """Write the numbers of a title as "op 10/3"."""
    found = read_title(composer, title).numbers
    return {f"{n.system} {n.number}" + (f"/{n.item}" if n.item else "") for n in found}


@pytest.mark.parametrize(
    "title",
    [
        "Etude Op. 10 No. 3 in E Major",
        "Étude in E, Op.10 No.3",
        "Etude Op. 10, No. 3",
        "Etude op. 10/3",
        "Etude Opus 10 No 3",
        "Étude No. 3, Op. 10 “Tristesse”",
        "Etude No. 3, Op.10 nr. 3",
    ],
)
def test_an_opus_and_its_item_are_read_in_every_spelling(title: str) -> None:
    assert numbers(title) == {"op 10/3"}


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Etude Op. 42, Nos. 4 & 5", {"op 42/4", "op 42/5"}),
        ("Fairy Tales Op. 51 No. 1, 2 and No. 3", {"op 51/1", "op 51/2", "op 51/3"}),
        ("Preludes Op. 23, Nos. 2, 5-7", {"op 23/2", "op 23/5", "op 23/6", "op 23/7"}),
        ("Mazurkas, Op. 17 (Complete)", {"op 17"}),
        ("Sonata No. 16 in G Major, Op. 31 No. 1, I. and II.", {"op 31/1"}),
        ("Sonata in E-flat Major, Op. 81a", {"op 81a"}),
        ("Prélude, Op. Posth. 4", {"op 4"}),
        ("3 Nocturnes, Op.15 or Op.20", {"op 15", "op 20"}),
        ("2 Esquisses italiennes, Opp.33-34", {"op 33", "op 34"}),
        ("Impromptu Op. 142 No. 4, in F Minor, D935", {"op 142/4", "d 935/4"}),
        ("Sonata in A Major, D. 664, I. Allegro moderato", {"d 664"}),
        ("Sonata in C Major, D841", {"d 841"}),
        ("Sonata in E flat Major, Hob. XVI: 49, I. Allegro", {"hob xvi:49"}),
        ("Divertimento in A major, Hob.XVI:12", {"hob xvi:12"}),
        ('8 Variations on "Dieu d\'amour", K.352/374c', {"k 352", "k 374c"}),
        ("Sonata in F Major, K533/K494", {"k 533", "k 494"}),
        ("Sonata in D-Major, KV 311", {"k 311"}),
        ("Sonata in D Minor, K. 9 L. 413", {"k 9", "l 413"}),
        ('Transcendental Etude No. 8, "Wilde Jagd", S. 139/8', {"s 139/8"}),
        ("Hungarian Rhapsody No. 9 in E-flat Major, S. 244", {"s 244/9"}),
        ("Danse Macabre S555/R240", {"s 555", "r 240"}),
        ("Polonaise in D minor, BWV Anh.128", {"bwvanh 128"}),
        ("Andante favori in F Major, WoO 57", {"woo 57"}),
    ],
)
def test_numbers_are_read_as_titles_write_them(title: str, found: set[str]) -> None:
    assert numbers(title) == found


def test_a_range_of_numbers_holds_each_of_them() -> None:
    found = read_title(BACH, "Das wohltemperierte Klavier I, BWV 846-869").numbers
    assert found == {Number("bwv", str(number), "") for number in range(846, 870)}


@pytest.mark.parametrize(
    "title", ["Sonata in D, 3 movements", "24 Preludes", "Etude, WoO", "Sonata No. 3", "Duet in A 4"]
)
def test_titles_without_a_catalogue_number_have_none(title: str) -> None:
    assert numbers(title) == set()


@pytest.mark.parametrize(
    ("title", "bwv"),
    [
        ("Prelude and Fugue in C Major, WTC I", 846),
        ("Prelude and Fugue in A-flat Major, WTC I", 862),
        ("Prelude and Fugue in E-flat Minor, WTC I", 853),
        ("Prelude and Fugue in D-sharp Minor, WTC II", 877),
        ("Prelude and Fugue in D Minor, Book II", 875),
        ("Prelude and Fugue in B-Moll, No. 22 WTKII", 891),
        ("Prelude and Fugue in B minor, Well-Tempered Clavier, Book 2", 893),
    ],
)
def test_the_well_tempered_clavier_is_known_by_book_and_key(title: str, bwv: int) -> None:
    assert numbers(title, BACH) == {f"bwv {bwv}"}
    assert numbers(title, "Dmitri Shostakovich") == set()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hungarian Rhapsody No. 9 in E-flat Major", "Hungarian Rhapsody, No.9"),
        ("Piano Sonata No.21", "Sonata No. 21 in C Major 'Waldstein'"),
        ('Concert Etude "Gnomenreigen"', "Concert Etude No. 2, “Gnomenreigen”"),
        ("Après une lecture de Dante", "Apres une Lecture de Dante"),
        ("Sonata in D♭ major", "Keyboard Sonata in C-sharp major"),
        ("Feux d'artifice", "Feux d’artifice"),
    ],
)
def test_spellings_of_one_title_have_a_name_in_common(one: str, other: str) -> None:
    assert read_title("", one).names & read_title("", other).names


@pytest.mark.parametrize(
    "title", ["Prelude", "3 Preludes", "Sonata", "4 Klavierstücke, Op.2", "Two Sonatas", "Etude, Op. 3"]
)
def test_a_mere_form_names_no_work(title: str) -> None:
    assert read_title("", title).names == frozenset()


def test_a_number_in_a_plain_name_tells_works_apart() -> None:
    for first, second in (
        ("demo 1", "demo 2"),
        ("clara 01", "clara 20"),
        ("01 clara", "02 clara"),
        ("Sonetto 104 del Petrarca", "Sonetto 123 del Petrarca"),
        ("Progressions in Conversation, Set 1", "Progressions in Conversation, Set 2"),
    ):
        assert read_title("", first).names.isdisjoint(read_title("", second).names)


def test_the_year_of_a_version_is_no_part_of_a_name() -> None:
    assert read_title("", "Sonata No. 2, Op. 36 (1913)").names == read_title("", "Sonata No. 2").names


def test_unicode_variants_of_a_title_read_alike() -> None:
    for title in ("Étude in E, Op. 10 No. 3 “Tristesse”", "Humoreske in Ges-dur, Dvořák"):
        assert read_title("", unicodedata.normalize("NFD", title)) == read_title(
            "", unicodedata.normalize("NFC", title)
        )


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Sonata in B-flat Major", "A#"),
        ("Sonata in B flat minor", "a#"),
        ("Son. in Bb D.960", "A#?"),
        ("Sonata in A D960", "A?"),
        ("Barcarolle in F#", "F#?"),
        ("Sonata in B Min.", "b"),
        ("A Dance Impression", ""),
        ("In A Persian Market", ""),
        ("Prelude in C major and Fugue in A minor", ""),
    ],
)
def test_the_key_is_read_when_there_is_one(title: str, key: str) -> None:
    assert read_title("", title).key == key


def test_keys_agree_unless_they_contradict_each_other() -> None:
    assert keys_agree("A#", "A#")
    assert keys_agree("", "c")
    assert keys_agree("A?", "a")
    assert keys_agree("A?", "A?")
    assert not keys_agree("A", "a")
    assert not keys_agree("C?", "c#")


@pytest.mark.parametrize(
    "name",
    [
        "MIDI-UNPROCESSED 06-08 R1 2014 MID--AUDIO 07 R1 2014 wav--3",
        "MIDI-Unprocessed 10 R1 2009 03-05 ORIG MID--AUDIO 10 R1 2009 10 R1 2009 03 WAV",
        "ORIG-MIDI 01 7 6 13 Group  MID--AUDIO 03 R1 2013 wav--4",
    ],
)
def test_rounds_and_tracks_of_a_recording_are_no_numbers_of_a_catalogue(name: str) -> None:
    title = read_title("Clara Schumann", name)
    assert not title.numbers and not title.names and not title.key

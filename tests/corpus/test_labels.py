"""Labels: from MAESTRO's table, from the hashes of known files, or from the user; a name alone claims nothing."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest

from arietta.corpus.known import FOLDER
from arietta.corpus.labels import label_file, read_maestro_table, split_giantmidi_name
from arietta.errors import CorpusError
from tests.support.tunes import tune, write_maestro

OTHER = "5" * 64  # the hash of a file that nobody knows
GIANTMIDI = (FOLDER / "giantmidi_train.bin").read_bytes()[:8].hex().ljust(64, "0")
GIANTMIDI_HELD_OUT = (FOLDER / "giantmidi_rest.bin").read_bytes()[:8].hex().ljust(64, "0")
GRIEG = {"elfentanz": "ffb6532e22ba44bc", "kobold": "27a4c829cddb3768", "wedding": "c76aca0d297dda42"}
GRIEG = {name: start.ljust(64, "0") for name, start in GRIEG.items()}


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


def test_a_giantmidi_file_is_known_by_its_bytes_and_named_by_its_name() -> None:
    label = label_file("Grieg, Edvard, Lyric Pieces, Op.12, yhXHnLubC-4.mid", GIANTMIDI, {}, {})
    assert (label.composer, label.title) == ("Edvard Grieg", "Lyric Pieces, Op.12")
    assert (label.corpus, label.source, label.licence) == ("giantmidi", "transcribed", "CC BY 4.0")
    renamed = label_file("evening.mid", GIANTMIDI, {}, {})
    assert (renamed.corpus, renamed.licence, renamed.composer, renamed.title) == (
        "giantmidi",
        "CC BY 4.0",
        "",
        "evening",
    )


@pytest.mark.parametrize(
    "name",
    [
        "October, The Seasons, Tchaikovsky",  # eleven letters are no video
        "Grieg, Edvard, Lyric Pieces, Op.12, yhXHnLubC-4",
        "grieg_kobold",
        "2004/MIDI-Unprocessed_SMF_02_R1_2004_01-05_ORIG_MID--AUDIO_02_R1_2004_05_Track05_wav",
        "maestro-v3.0.0/x",
        "giantmidi",
    ],
)
def test_a_name_alone_claims_no_corpus_no_licence_and_no_composer(name: str) -> None:
    label = label_file(f"{name}.mid", OTHER, {}, {})
    assert (label.corpus, label.licence, label.composer, label.split) == ("own", "", "", "")


def test_what_the_weights_were_trained_on_is_marked_whatever_it_is_called() -> None:
    maestro_train = (FOLDER / "maestro_train.bin").read_bytes()[:8].hex().ljust(64, "0")
    assert label_file("a.mid", GIANTMIDI, {}, {}).is_trained_on
    assert label_file("a.mid", maestro_train, {}, {}).is_trained_on
    assert not label_file("a.mid", GIANTMIDI_HELD_OUT, {}, {}).is_trained_on
    assert not label_file("a.mid", OTHER, {}, {}).is_trained_on


def test_a_video_that_begins_with_a_dash_is_no_part_of_the_title() -> None:
    name = "Hindemith, Paul, Piano Sonata No.1, -HV1Tw6AvCI.mid"
    assert label_file(name, GIANTMIDI, {}, {}).title == "Piano Sonata No.1"


def test_accents_are_composed_whatever_the_file_system_made_of_them() -> None:
    name = unicodedata.normalize("NFD", "Dvořák, Antonín, Album Leaf, B.158, 1bEDbcesUrQ.mid")
    assert label_file(name, GIANTMIDI, {}, {}).composer == "Antonín Dvořák"


@pytest.mark.posix
@pytest.mark.parametrize("raw", [b"caf\xe9", b"\x8e\x71 \xff", b"a\x1b[31mb", "a\u202eb".encode()])
def test_a_title_can_be_shown_whatever_bytes_the_name_has(raw: bytes) -> None:
    title = label_file(os.fsdecode(raw) + ".mid", OTHER, {}, {}).title
    assert title.isprintable()
    assert title.encode() != raw


def test_maestro_is_named_by_its_table_with_its_split(tmp_path: Path) -> None:
    rows = [
        ("Franz Liszt / Vladimir Horowitz", 'Rhapsody "Edition", No. 2', "validation", tune(1)),
        ("Frédéric Chopin", "Etude  Op. 10", "test", tune(2)),
    ]
    table = read_maestro_table(write_maestro(tmp_path, rows))
    first, second = (label_file(f"2004/{k}.midi", OTHER, table, {}) for k in range(2))
    assert (first.composer, first.title) == ("Franz Liszt / Vladimir Horowitz", 'Rhapsody "Edition", No. 2')
    assert (first.split, second.split) == ("validation", "test")
    assert (first.corpus, first.source, first.licence) == ("maestro", "measured", "CC BY-NC-SA 4.0")
    assert second.title == "Etude Op. 10"


def test_what_the_weights_were_trained_on_is_held_out_by_no_table(tmp_path: Path) -> None:
    table = read_maestro_table(write_maestro(tmp_path, [("Franz Liszt", "Rhapsody", "test", tune(1))]))
    label = label_file("2004/0.midi", GIANTMIDI, table, {})
    assert (label.corpus, label.split) == ("maestro", "train")


def test_a_table_that_is_not_maestros_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "maestro-v3.0.0.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match=r"maestro-v3\.0\.0\.csv: cannot be read as MAESTRO's table"):
        read_maestro_table(tmp_path)


def test_maestros_tables_are_found_in_folders_below_and_as_json_too(tmp_path: Path) -> None:
    folder = write_maestro(tmp_path / "corpora" / "maestro", [("Franz Liszt", "Rhapsody", "validation", tune(1))])
    assert read_maestro_table(tmp_path)["corpora/maestro/2004/0.midi"].split == "validation"
    (folder / "maestro-v3.0.0.csv").unlink()
    columns = {"canonical_composer": "Franz Liszt", "canonical_title": "Rhapsody", "split": "test"}
    rows = {name: {"0": text} for name, text in (columns | {"midi_filename": "2004/0.midi"}).items()}
    (folder / "maestro-v3.0.0.json").write_text(json.dumps(rows))
    label = label_file("2004/0.midi", OTHER, read_maestro_table(folder), {})
    assert (label.composer, label.title, label.split, label.corpus) == ("Franz Liszt", "Rhapsody", "test", "maestro")


def test_a_table_with_a_split_of_its_own_is_refused(tmp_path: Path) -> None:
    write_maestro(tmp_path, [("A", "B", "holdout", tune(1))])
    with pytest.raises(
        CorpusError, match=r"2004/0\.midi is in split 'holdout', and MAESTRO has train, validation, test"
    ):
        read_maestro_table(tmp_path)


def test_the_pieces_by_grieg_have_their_titles_and_sides_by_their_bytes() -> None:
    labels = {name: label_file("anything.mid", sha256, {}, {}) for name, sha256 in GRIEG.items()}
    assert labels["elfentanz"].title == "Elves' Dance, Op. 12 No. 4"
    assert labels["elfentanz"].composer == "Edvard Grieg"
    assert [labels[name].split for name in GRIEG] == ["train", "test", "validation"]
    assert labels["kobold"].licence == "CC BY-SA 3.0 DE"


def test_other_files_are_the_users_own_and_named_after_the_file() -> None:
    label = label_file("evenings/my_little_waltz.mid", OTHER, {}, {})
    assert (label.composer, label.title, label.corpus, label.split) == ("", "my little waltz", "own", "")


def test_what_the_user_says_overrides_all_of_it(tmp_path: Path) -> None:
    given = {"composer": "Clara Schumann", "licence": "CC0 1.0", "source": "measured"}
    table = read_maestro_table(write_maestro(tmp_path, [("A", "B", "test", tune(1))]))
    for file, sha256 in (("x.mid", OTHER), ("x.mid", GRIEG["kobold"]), ("x.mid", GIANTMIDI), ("2004/0.midi", OTHER)):
        label = label_file(file, sha256, table, given)
        assert (label.composer, label.licence, label.source) == ("Clara Schumann", "CC0 1.0", "measured")


def test_what_the_user_leaves_open_stays_as_the_file_says() -> None:
    label = label_file("x.mid", GRIEG["kobold"], {}, {"composer": "", "licence": ""})
    assert label.composer == "Edvard Grieg"

"""A heading is a title and a composer, each one line of what can be shown."""

from __future__ import annotations

from arietta.music.heading import LONGEST, UNKNOWN, Heading


def test_what_a_file_says_becomes_lines_of_bounded_length() -> None:
    assert Heading.read("  Minuet\n in G ", "Christian\x07 Petzold") == ("Minuet in G", "Christian Petzold")
    assert Heading.read(None, "") == UNKNOWN == ("", "")
    assert len(Heading.read("a" * 9999, None).title) == LONGEST


def test_midi_is_told_the_composer_or_what_music_was_made_from() -> None:
    heading = Heading("Minuet", "Petzold")
    assert heading.composer_texts == ["Composer: Petzold"] and Heading("Minuet").composer_texts == []
    assert heading.source_texts == ["Made from: Minuet, Petzold"]
    assert Heading("Minuet").source_texts == ["Made from: Minuet"] and UNKNOWN.source_texts == []

from __future__ import annotations

import pytest

from arietta.cli.table import BAR_WIDTH, WIDTH, facts, histogram, outline, shorten, table


def test_columns_line_up_names_left_and_numbers_right() -> None:
    assert table(("split", "pieces"), [("train", 962), ("test", "7")]).splitlines() == [
        "  split  pieces",
        "  train     962",
        "  test        7",
    ]


def test_a_long_name_is_cut_so_that_the_table_keeps_its_width() -> None:
    lines = table(("work", "pieces", "notes"), [("x" * 300, "1", "2"), ("y", "10,000", "3")]).splitlines()
    assert {len(line) for line in lines} == {WIDTH}
    assert "x… " in lines[1]


def test_empty_cells_leave_no_spaces_at_the_end() -> None:
    assert table(("a", "b"), [("and more", "")]).splitlines()[1] == "  and more"


def test_facts_line_up_and_long_ones_go_on_below() -> None:
    lines = facts({"notes": 12, "composers": ", ".join(["Edvard Grieg"] * 20)}).splitlines()
    assert lines[0] == "  notes      12"
    assert lines[1].startswith("  composers  Edvard")
    assert all(line.startswith((" " * 13 + "E", " " * 13 + "G")) for line in lines[2:])
    assert max(len(line) for line in lines) <= WIDTH


def test_an_empty_fact_is_a_name_alone() -> None:
    assert facts({"style": ""}) == "  style"


def test_the_highest_bar_is_full_and_others_are_in_proportion() -> None:
    lines = histogram({"a": 1000, "bb": 500, "c": 1, "d": 0}).splitlines()
    assert [line.count("█") for line in lines] == [BAR_WIDTH, BAR_WIDTH // 2, 0, 0]
    assert lines[0].startswith("   a  1,000  █")
    assert lines[1].startswith("  bb    500  █")
    assert lines[2].endswith("1  ▏")
    assert lines[3].endswith("0")


def test_a_histogram_of_nothing_is_empty() -> None:
    assert histogram({}) == ""
    assert histogram({"a": 0}) == "  a  0"


def test_an_outline_sets_in_what_lies_inside() -> None:
    card = {"licence": "CC BY-NC-SA 4.0", "figures": {"validation": {"nats": 12.345678}}, "data": ["MAESTRO", "Grieg"]}
    assert outline(card).splitlines() == [
        "  licence  CC BY-NC-SA 4.0",
        "  figures",
        "    validation",
        "      nats  12.346",
        "  data     MAESTRO, Grieg",
    ]


@pytest.mark.parametrize(("text", "width", "short"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("ab", 1, "…")])
def test_shortening_shows_that_it_cut(text: str, width: int, short: str) -> None:
    assert shorten(text, width) == short

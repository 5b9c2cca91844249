"""What verbs that compose share: help that begins with an example, and takes that never overwrite what was given."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.cli.output import find_output, name_origin, read_seconds
from arietta.errors import RequestError
from arietta.music.midi import midi_bytes
from arietta.music.notes import Notes

VERBS = ("regenerate", "extend", "connect", "lead-in", "accompany", "vary", "perform")


@pytest.mark.parametrize("verb", VERBS)
def test_help_begins_with_an_example_and_names_all_wishes(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    text = capsys.readouterr().out
    assert f"\n  arietta {verb} " in text
    for flag in ("--seed", "--model", "--style", "--loudness", "--key", "--guidance", "--count", "--out"):
        assert flag in text
    assert ("--density" in text) == (verb != "perform")  # a score is as dense as it is


def test_one_file_holds_one_take(tmp_path: Path) -> None:
    assert find_output(tmp_path / "new" / "a.mid", 1) == tmp_path / "new" / "a.mid"
    assert (tmp_path / "new").is_dir()
    with pytest.raises(RequestError, match="2 takes need a folder"):
        find_output(tmp_path / "a.mid", 2)
    (tmp_path / "a.mid").touch()
    with pytest.raises(RequestError, match="would be lost"):
        find_output(tmp_path / "a.mid", 1, [tmp_path / "a.mid"])
    with pytest.raises(RequestError, match="is a file; -o takes"):
        find_output(tmp_path / "a.mid" / "takes", 1)


@pytest.mark.parametrize(
    ("sources", "origin"),
    [
        ([], ""),
        (["/dev/stdin"], ""),
        (["cues/Main Title v3.1.mid"], "Main-Title-v3.1-vary"),
        (["canción/¿Qué?.musicxml"], "Qué-vary"),
        (["a.mid", "b.mid"], "a-and-b-vary"),
        (["n" * 300 + ".mid"], "n" * 48 + "-vary"),
    ],
)
def test_a_name_begins_with_the_music_that_was_given_and_with_the_verb(sources: list[str], origin: str) -> None:
    assert name_origin("vary", list(map(Path, sources))) == origin


def test_what_is_made_of_given_music_is_called_after_it(tiny_bundle: Path, waltz: Notes, tmp_path: Path) -> None:
    theme = tmp_path / "Main Title.mid"
    theme.write_bytes(midi_bytes(waltz))
    words = ["--model", str(tiny_bundle), "--notes", "5", "--seed", "1", "-o", str(tmp_path / "takes")]
    assert main(["compose", "--prompt", str(theme), *words]) == main(["extend", str(theme), *words]) == 0
    assert main(["compose", "--prompt", str(theme), "--style", "chopin", *words]) == 0
    assert sorted(path.stem for path in (tmp_path / "takes").iterdir()) == [
        "Main-Title-compose-tiny-0005-notes-seed-1",
        "Main-Title-compose-tiny-frederic-chopin-0005-notes-seed-1",
        "Main-Title-extend-tiny-0005-notes-seed-1",
    ]


@pytest.mark.parametrize(("ending", "begins"), [("ogg", b"OggS"), ("musicxml", b"<?xml"), ("PNG", b"\x89PNG")])
def test_a_file_is_of_the_kind_that_its_ending_says(
    ending: str, begins: bytes, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"take.{ending}"
    assert main(["compose", "--model", str(tiny_bundle), "--notes", "5", "--seed", "1", "-o", str(path)]) == 0
    assert path.read_bytes().startswith(begins) and "Hear it" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["take.txt", "take.MP4", "take.mscz"])
def test_an_unknown_ending_is_refused_and_nothing_is_made(name: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"a piece is saved as \.mid, .*\.png, by the ending"):
        find_output(tmp_path / name, 1)
    assert not list(tmp_path.iterdir())
    (tmp_path / name).mkdir()
    assert find_output(tmp_path / name, 1) == tmp_path / name  # a folder may be called as it likes
    assert find_output(tmp_path / "op. 1 no.2", 1).is_dir()


def test_one_seed_at_two_temperatures_leaves_two_pieces_to_compare(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["compose", "--model", str(tiny_bundle), "--notes", "8", "--seed", "1", "--roll", "-o", str(tmp_path)]
    for temperature in ("0.5", "2", "0.5"):
        assert main([*asked, "--temperature", temperature]) == 0
    tame, bold = sorted(tmp_path.glob("*.mid"), key=lambda path: len(path.name))
    assert bold.stem == f"{tame.stem}-2" and tame.read_bytes() != bold.read_bytes()
    assert sorted(path.stem for path in tmp_path.glob("*.png")) == sorted([tame.stem, bold.stem])
    assert capsys.readouterr().out.count(f"  {tame}\n") == 2  # the same piece again has the same name


def test_what_comes_next_is_told_to_whoever_begins(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("arietta.cli.compose.DEFAULT_MODEL", str(tiny_bundle))
    assert main(["compose", "--notes", "5"]) == 0
    assert "Next: " in capsys.readouterr().out
    for chosen in (["--model", str(tiny_bundle)], ["--style", "none"]):
        assert main(["compose", "--notes", "5", *chosen]) == 0
        assert "Next: " not in capsys.readouterr().out


def test_a_length_may_be_said_in_minutes() -> None:
    assert (read_seconds("90"), read_seconds("1:30"), read_seconds("0:12.5")) == (90, 90, 12.5)
    with pytest.raises(ArgumentTypeError, match="after a colon stands less than 60"):
        read_seconds("1:90")
    with pytest.raises(ArgumentTypeError, match="'30s' is not a number"):
        read_seconds("30s")

"""`arietta judge`: a report in plain words of whatever piece it is given."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from arietta.cli import main
from arietta.model.bundle import INDEX
from arietta.music.midi import write_midi
from arietta.music.notes import Notes, excerpt
from arietta.render.formats import save_music
from arietta.render.roll import MARK_INK
from tests.support.indexes import TUNES, indexed
from tests.support.midi_bytes import midi, off, on, track
from tests.support.tunes import tune, write


def huge() -> Notes:
    rng = np.random.default_rng(0)
    return Notes.of(
        np.sort(rng.uniform(0, 86_400, 200_000)), np.full(200_000, 0.2), rng.integers(30, 90, 200_000), [64] * 200_000
    )


def judge(*words: object) -> int:
    return main(["judge", *map(str, words)])


def test_a_piece_is_told_in_plain_words_first(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge(write(tmp_path / "tune.mid", tune(1, 80)), "--model", tiny_bundle) == 0
    said = capsys.readouterr().out
    order = [
        "80 notes",
        "nats each, and less is more expected",
        "keys down",
        "loops",
        "most surprising notes",
        "measure",
    ]
    assert [said.index(words) for words in order] == sorted(said.index(words) for words in order)
    assert "none: no pattern" in said
    assert "shared" not in said


def test_a_score_is_judged_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_music(tmp_path / "tune.musicxml", tune(1, 80), title="Tune", texts=[])
    with (tmp_path / "tune.musicxml").open("a") as file:
        file.write(f"<!-- {'x' * 2**22} -->")  # larger than MIDI files may be
    assert judge(tmp_path / "tune.musicxml", "--model", "none") == 0
    assert "as its file has them written" in capsys.readouterr().out


def test_the_surprising_notes_are_framed_on_the_roll(tiny_bundle: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "tune.mid", tune(1, 80))
    assert judge(path, "--model", tiny_bundle, "--roll", tmp_path / "roll.svg") == 0
    drawing = (tmp_path / "roll.svg").read_text(encoding="utf-8")
    ET.fromstring(drawing)
    assert drawing.count(MARK_INK) == 10


def test_its_structure_is_drawn(tmp_path: Path) -> None:
    path = write(tmp_path / "tune.mid", tune(1, 80))
    assert judge(path, "--model", "none", "--structure", tmp_path / "structure.svg") == 0
    ET.fromstring((tmp_path / "structure.svg").read_text(encoding="utf-8"))


def test_loops_are_counted_with_their_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = Notes.of(np.arange(40) * 0.25, [0.1] * 40, [60, 64] * 20, [64] * 40)
    assert judge(write(tmp_path / "loop.mid", notes), "--model", "none") == 0
    assert "1, in which a pattern has come eight times in a row at 0:04" in " ".join(capsys.readouterr().out.split())


def test_without_an_index_the_models_own_is_asked(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = shutil.copytree(tiny_bundle, tmp_path / "mine")
    indexed(model / INDEX)
    assert judge(write(tmp_path / "tune.mid", excerpt(TUNES[3], 100, 200)), "--model", model) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Tune 3" in said and "Looked up among 8 pieces." in said


def test_what_is_shared_is_told_where_an_index_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    indexed(tmp_path / "index")
    words = ["--model", "none", "--index", tmp_path / "index"]
    assert judge(write(tmp_path / "copy.mid", excerpt(TUNES[3], 0, 100)), *words) == 0
    assert "100 notes or more, of Nobody: Tune 3" in capsys.readouterr().out
    assert judge(write(tmp_path / "new.mid", tune(99, 100)), *words) == 0
    assert "no passage of 16 notes" in capsys.readouterr().out


def test_all_is_there_as_json_a_line_a_file(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [write(tmp_path / f"{seed}.mid", tune(seed, 50)) for seed in (1, 2)]
    assert judge(*paths, "--model", tiny_bundle, "--json") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["file"] for one in found] == [str(path) for path in paths]
    assert found[0]["measured"]["note_count"] == 50
    assert len(found[0]["measured"]["pitch_classes"]) == 12
    assert len(found[0]["surprises"]) == 10
    assert {"onset", "pitch"} <= set(found[0]["surprises"][0]["note"])


@pytest.mark.parametrize(
    ("notes", "sentence"),
    [
        (Notes.of(), "no notes"),
        (tune(1, 1), "1 note,"),
        (tune(1, 3), "3 notes"),
        (Notes.of([0.0, 86_399.0], [1, 1], [60, 64], [64, 64]), "24:00:00"),
    ],
    ids=["silence", "one", "three", "a day with two notes"],
)
def test_odd_pieces_get_a_report(
    notes: Notes, sentence: str, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    indexed(tmp_path / "index")
    words = ["--index", tmp_path / "index", "--roll", tmp_path / "roll.svg", "--structure", tmp_path / "structure.svg"]
    path = write(tmp_path / "odd.mid", notes)
    assert judge(path, "--model", tiny_bundle, *words) == 0
    said = capsys.readouterr().out
    assert sentence in said and "nan" not in said
    assert judge(path, "--model", tiny_bundle, "--json") == 0
    json.loads(capsys.readouterr().out)


def test_a_folder_stands_for_the_files_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [write(tmp_path / "takes" / name, tune(1, 80)) for name in ("a.mid", "below/b.mid")]
    assert judge(tmp_path / "takes", "--model", "none", "--json") == 0
    said = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["file"] for line in said] == [str(path) for path in paths]


def test_several_pieces_end_with_their_likelihood_together(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seed in (("a.mid", 1), ("b.mid", 2)):
        write(tmp_path / "pieces" / name, tune(seed, 40 * seed))
    assert judge(tmp_path / "pieces", "--model", tiny_bundle, "--report", tmp_path / "page.html") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.match(r"2 pieces together, 120 notes: \d+\.\d\d nats per note under .* \(95 % \S+ to \S+ over", last)
    assert "too narrow" in last and "2 pieces together, 120 notes" in (tmp_path / "page.html").read_text("utf-8")
    assert judge(tmp_path / "pieces" / "a.mid", "--model", tiny_bundle) == 0
    assert judge(tmp_path / "pieces", "--model", "none") == 0
    (tmp_path / "pieces" / "b.mid").write_bytes(midi(track((0, on(36, channel=9)), (480, off(36, channel=9)))))
    assert judge(tmp_path / "pieces", "--model", tiny_bundle, "--report", tmp_path / "page.html") == 0
    assert "pieces together" not in (tmp_path / "page.html").read_text("utf-8")  # of one that could be judged
    assert "together" not in capsys.readouterr().out


def test_drums_alone_are_no_piano_piece(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drums = tmp_path / "drums.mid"
    drums.write_bytes(midi(track((0, on(36, channel=9)), (480, off(36, channel=9)))))
    assert judge(drums, "--model", "none") == 0
    assert "no notes for a piano" in capsys.readouterr().out


def test_a_day_of_two_hundred_thousand_notes_gets_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    indexed(tmp_path / "index")
    path = write(tmp_path / "huge.mid", huge())
    assert judge(path, "--model", "none", "--index", tmp_path / "index") == 0
    said = capsys.readouterr().out
    assert "notes, 24:00:00" in said or "notes, 23:59:" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["a.mid", "b.mid", "--roll", "x.svg"], "one piece at a time"),
        (["a.mid", "--structure", "x.png"], ".svg"),
        (["a.mid", "--index", "nowhere"], "no index of passages"),
        (["a.mid"], "a.mid"),
        (["a.mid", "--cluster", "auto", "--roll", "x.svg"], "--roll, --structure, --report, --pieces stay here"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_a_sentence(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert judge(*words, "--model", "none") == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


@pytest.mark.parametrize("text", ['arietta {"density": 3, "key": "C major"}', 'arietta {"density": "many"}'])
def test_the_wishes_of_a_take_are_held_against_it(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "take.mid"
    write_midi(path, Notes.of(np.arange(30) * 0.5, [0.4] * 30, [60, 64, 67] * 10, [64] * 30), texts=[text])
    assert judge(path, "--model", "none") == 0
    said = capsys.readouterr().out
    assert ("density from 0:00 on: 2.0 notes a second (3 was wished for)" in said) is ("C major" in text)

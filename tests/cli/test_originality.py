"""`arietta originality`: what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from arietta.cli import main
from arietta.model.bundle import INDEX
from arietta.music.midi import read_midi
from arietta.music.notes import Notes, excerpt, transpose
from arietta.originality import build
from arietta.originality.index import open_index
from arietta.render.formats import save_music
from tests.support.corpora import make_store
from tests.support.tunes import play_all, tune, write

TUNES = [tune(seed, 450) for seed in range(6)]


@pytest.fixture(scope="module", autouse=True)
def few_copies() -> Iterator[None]:
    """Measure every index with few copies and windows: seconds instead of half a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "measure_recall", partial(build.measure_recall, copies=3))
        patch.setattr(build, "measure_baseline", partial(build.measure_baseline, count=30))
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("made") / "corpus", pieces=TUNES).path


@pytest.fixture(scope="module")
def index(corpus: Path) -> Path:
    assert main(["originality", "--build", str(corpus), "--out", str(corpus.parent / "index")]) == 0
    return corpus.parent / "index"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return write(tmp_path / "copied.mid", play_all(tune(50, 100), transpose(excerpt(TUNES[2], 100, 200), 3)))


def test_building_says_what_the_index_finds_and_what_people_share(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["originality", "--build", str(corpus), "--out", str(tmp_path / "index")]) == 0
    said = capsys.readouterr().out
    assert "4 pieces" in said
    assert "20 % changed" in said and "100% (100%)" in said
    assert "300 notes share 0" in said
    description = open_index(tmp_path / "index").description
    assert set(description["recall"]) >= {"exact", "ornamented"}
    assert description["splits"] == ["train"]


def test_a_copy_is_named_with_its_places(
    copied: Path, corpus: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["originality", str(copied), "--index", str(index), "--corpus", str(corpus)]) == 0
    said = capsys.readouterr().out
    assert "100 notes or more, from Edvard Grieg: Scale 2" in said
    assert "50% of its 200 notes" in said
    assert "101-200" in said  # of the piece, and of the work
    assert " -3\n" in said
    assert "above their 95 % interval" in said


def test_all_is_there_as_json(copied: Path, index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["originality", str(copied), "--index", str(index), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["notes"], found["longest"]) == (200, 100)
    assert found["passages"][0]["piece"]["title"] == "Scale 2"
    assert found["people"]["is_inside"] is False


def test_the_two_passages_are_drawn(copied: Path, corpus: Path, index: Path, tmp_path: Path) -> None:
    words = ["originality", str(copied), "--index", str(index), "--roll", str(tmp_path / "pair.svg")]
    assert main([*words, "--corpus", str(corpus)]) == 0
    drawing = (tmp_path / "pair.svg").read_text(encoding="utf-8")
    assert "This piece, from note 101" in drawing and "Edvard Grieg: Scale 2, from note 101" in drawing


@pytest.mark.parametrize(
    ("notes", "sentence"),
    [
        (Notes.of([0, 1, 2], [1] * 3, [60, 64, 67], [64] * 3), "None of its 3 notes"),
        (tune(90, 500), "None of its 500 notes"),
    ],
)
def test_what_shares_nothing_is_told_in_a_sentence(
    notes: Notes, sentence: str, index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["originality", str(write(tmp_path / "own.mid", notes)), "--index", str(index)]) == 0
    assert sentence in capsys.readouterr().out


def test_a_file_without_notes_shares_none(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["originality", str(write(tmp_path / "silence.mid", Notes.of())), "--index", str(index)]) == 0
    assert "no notes" in capsys.readouterr().out


def test_a_thinned_index_has_one_recording_of_each_work(corpus: Path, tmp_path: Path) -> None:
    words = ["originality", "--build", str(corpus), "--out", str(tmp_path / "small"), "--at-most", "2"]
    assert main([*words, "--split", "train,test"]) == 0
    index = open_index(tmp_path / "small")
    assert len({piece.work for piece in index.pieces}) == len(index.pieces) == 5
    assert sum(file.stat().st_size for file in index.path.iterdir()) <= 2_000_000


def test_of_several_corpora_those_named_are_indexed(corpus: Path, tmp_path: Path) -> None:
    mixed = shutil.copytree(corpus, tmp_path / "mixed")
    manifest = (mixed / "manifest.jsonl").read_text()
    (mixed / "manifest.jsonl").write_text(manifest.replace('"own"', '"other"', 1))
    for words, kept in (([], 4), (["--corpora", "own"], 3), (["--corpora", "own,other"], 4)):
        assert main(["originality", "--build", str(mixed), "--out", str(tmp_path / "index"), *words]) == 0
        index = open_index(tmp_path / "index")
        assert len(index.pieces) == kept
        assert index.description["corpora"] == (words[-1].split(",") if words else [])


def test_without_an_index_the_models_own_is_asked_which_says_what_it_finds(
    copied: Path, index: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = shutil.copytree(tiny_bundle, tmp_path / "mine")
    shutil.copytree(index, model / INDEX)
    assert main(["originality", str(copied), "--model", str(model)]) == 0
    said = capsys.readouterr().out
    assert "100 notes or more, from Edvard Grieg: Scale 2" in said
    assert "Looked up among 4 pieces.\n" in said
    assert main(["originality", str(copied)]) == 0
    assert re.search(
        r"A thinned index: of exact copies of 50 / 100 / 200 notes it finds \d+ / \d+ / \d+ %",
        " ".join(capsys.readouterr().out.split()),
    )


def test_a_score_is_looked_up_too(
    copied: Path, index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_music(tmp_path / "copy.musicxml", read_midi(copied), title="Copy", texts=[])
    assert main(["originality", str(tmp_path / "copy.musicxml"), "--index", str(index)]) == 0
    assert "Looked up among" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name a MIDI file"),
        (["FILE", "--model", "BUNDLE"], "tiny came without an index of its training music"),
        (["--build", "CORPUS"], "--out"),
        (["FILE", "--build", "CORPUS", "--out", "x"], "no MIDI file"),
        (["--build", "CORPUS", "--out", "CORPUS"], "no index of passages"),
        (["--build", "CORPUS", "--out", "x", "--split", "nowhere"], "train"),
        (["--build", "CORPUS", "--out", "x", "--corpora", "elsewhere"], "no pieces of corpus 'elsewhere'"),
        (["--build", "CORPUS", "--out", "x", "--at-most", "0.1"], "--at-most must lie in 1-100000"),
        (["FILE", "--index", "CORPUS"], "no index of passages here"),
        (["FILE", "--index", "INDEX", "--roll", "x.svg"], "--corpus"),
        (["FILE", "--index", "INDEX", "--roll", "x.png", "--corpus", "CORPUS"], ".svg"),
        (["nowhere.mid", "--index", "INDEX"], "nowhere.mid"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    words: list[str], sentence: str, copied: Path, corpus: Path, index: Path, tiny_bundle: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    named = {"FILE": str(copied), "CORPUS": str(corpus), "INDEX": str(index), "BUNDLE": str(tiny_bundle)}
    assert main(["originality", *(named.get(word, word) for word in words)]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_another_corpus_than_the_indexed_one_is_refused(
    copied: Path, index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_store(tmp_path / "other", pieces=TUNES[::-1]).path
    (other / "manifest.jsonl").write_text((other / "manifest.jsonl").read_text().replace("made", "else"))
    assert main(["originality", str(copied), "--index", str(index), "--corpus", str(other)]) == 2
    assert "was built from" in capsys.readouterr().err

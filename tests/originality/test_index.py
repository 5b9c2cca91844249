"""The index finds every word where it stands, keeps within its size, and is refused when it is not whole."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from arietta.errors import CorpusError, FetchError
from arietta.fetch import MissingError
from arietta.model.bundle import DEFAULT_MODEL, INDEX, load_bundle
from arietta.music.chords import order_by_chord
from arietta.music.ngrams import ngrams
from arietta.music.notes import Notes, excerpt, join
from arietta.originality import build
from arietta.originality.index import (
    DESCRIPTION,
    POSTINGS,
    PassageIndex,
    extend_description,
    fetch_index,
    find_index,
    open_index,
)
from arietta.originality.search import find_passages
from tests.support.indexes import TUNES, indexed
from tests.support.tunes import tune


def test_every_word_is_found_where_it_stands_and_at_its_pitch(tmp_path: Path) -> None:
    index = indexed(tmp_path / "index")
    start = 0
    for notes in TUNES:
        hashes, places = ngrams(notes)
        counts, numbers, pitches = index.look_up(hashes)
        assert (counts >= 1).all()
        ends = np.cumsum(counts)
        for k, place in enumerate(places):
            mine = slice(ends[k] - counts[k], ends[k])
            at = np.flatnonzero(numbers[mine] == start + place)
            assert len(at) == 1
            assert pitches[mine][at[0]] == notes.pitch[order_by_chord(notes)][place] % 64
        start += len(notes)


def test_words_that_the_corpus_lacks_are_not_found(tmp_path: Path) -> None:
    counts, numbers, pitches = indexed(tmp_path / "index").look_up(ngrams(tune(99))[0])
    assert counts.sum() == len(numbers) == len(pitches)
    assert (counts > 0).mean() < 0.35  # slots shared by chance


def test_no_words_find_nothing(tmp_path: Path) -> None:
    assert [len(column) for column in indexed(tmp_path / "index").look_up(np.empty(0, np.uint64))] == [0, 0, 0]


def test_words_that_stand_everywhere_are_left_out(tmp_path: Path) -> None:
    tunes = [tune(0, 60)] * (build.FREQUENT + 1)
    counts, _, _ = indexed(tmp_path / "index", [*tunes, tune(1, 60)]).look_up(ngrams(tune(0, 60))[0])
    assert (counts == -1).all()
    counts, _, _ = indexed(tmp_path / "index", [*tunes[:-1], tune(1, 60)]).look_up(ngrams(tune(0, 60))[0])
    assert (counts >= build.FREQUENT).mean() > 0.9


def test_a_thinned_index_keeps_within_its_size_and_a_fair_part_of_each_piece(tmp_path: Path) -> None:
    tunes = [tune(seed, 4000) for seed in range(150)]
    folder = tmp_path / "index"
    index = indexed(folder, tunes, at_most=1_900_000)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 1_900_000
    assert 0.02 < index.ngram_share < 0.5 and index.is_thinned
    found = [np.mean(index.look_up(ngrams(notes)[0])[0] >= 0) for notes in tunes[:10]]
    assert np.allclose(found, index.ngram_share, atol=0.03)


def test_pieces_and_seconds_are_those_of_the_notes(tmp_path: Path) -> None:
    index = indexed(tmp_path / "index")
    starts = np.cumsum([0, *map(len, TUNES)])[:-1]
    assert [piece.start for piece in index.pieces] == starts.tolist()
    assert index.piece_at(starts).tolist() == list(range(len(TUNES)))
    assert index.piece_at(starts[1:] - 1).tolist() == list(range(len(TUNES) - 1))
    for piece, notes in zip(index.pieces, TUNES, strict=True):
        assert index.seconds(piece, 0) == pytest.approx(notes.onset[0], abs=0.01)
        assert index.seconds(piece, len(notes) - 1) == pytest.approx(notes.onset[-1], abs=0.01)
        assert index.seconds(piece, 150) == pytest.approx(notes.onset[150], abs=3.0)


def test_the_same_corpus_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        indexed(tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes()


def test_what_is_described_later_stays(tmp_path: Path) -> None:
    extend_description(indexed(tmp_path / "index"), {"recall": {"exact": 1.0}})
    assert open_index(tmp_path / "index").description["recall"] == {"exact": 1.0}


def in_shards(folder: Path, monkeypatch: pytest.MonkeyPatch, tunes: list[Notes] = TUNES) -> PassageIndex:
    monkeypatch.setattr(build, "MOST_NOTES", max(sum(map(len, tunes)) // 3, *map(len, tunes)))
    return indexed(folder, tunes)


def test_four_shards_answer_as_one_index_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tunes = [*TUNES, join(TUNES[0], TUNES[5], gap=1.0), Notes.of(), TUNES[3]]
    whole, cut = indexed(tmp_path / "whole", tunes), in_shards(tmp_path / "cut", monkeypatch, tunes)
    assert "shards" not in whole.description and len(cut.description["shards"]) == 4
    assert cut.pieces == whole.pieces
    for seed in range(200):
        query = excerpt(tunes[seed % 9], seed, seed + 60) if seed % 2 else tune(seed, 100)
        hashes = ngrams(query)[0]
        for column, same in zip(cut.look_up(hashes), whole.look_up(hashes), strict=True):
            assert np.array_equal(column, same)
        found, expected = find_passages(query, cut), find_passages(query, whole)
        assert found.passages == expected.passages
        assert np.array_equal(found.is_covered, expected.is_covered)
        assert expected.passages or seed % 2 == 0


def test_a_shard_that_is_not_whole_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = in_shards(tmp_path / "index", monkeypatch).path
    postings = np.load(folder / "places-2.npy")
    np.save(folder / "places-2.npy", postings[:-1])
    with pytest.raises(CorpusError, match="do not belong together"):
        open_index(folder)
    (folder / "places-2.npy").unlink()
    with pytest.raises(CorpusError, match="no index"):
        open_index(folder)


def test_pieces_without_notes_take_their_place(tmp_path: Path) -> None:
    index = indexed(tmp_path / "index", [Notes.of(), TUNES[0], Notes.of(), TUNES[1]])
    assert index.seconds(index.pieces[0], 0) == 0.0
    assert index.piece_at(np.array([0, len(TUNES[0]) - 1, len(TUNES[0])])).tolist() == [1, 1, 3]


def test_what_is_no_index_or_not_whole_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no index"):
        open_index(tmp_path)
    folder = tmp_path / "index"
    indexed(folder)
    whole = (folder / DESCRIPTION).read_text()
    for broken, sentence in (
        (json.dumps(json.loads(whole) | {"version": 0}), "another version"),
        ("[]", "another version"),
        ("{", "no index"),
        (json.dumps({k: v for k, v in json.loads(whole).items() if k != "pieces"}), "lacks 'pieces'"),
    ):
        (folder / DESCRIPTION).write_text(broken)
        with pytest.raises(CorpusError, match=sentence):
            open_index(folder)
    (folder / DESCRIPTION).write_text(whole)
    np.save(folder / POSTINGS, np.load(folder / POSTINGS)[:-1])
    with pytest.raises(CorpusError, match="do not belong together"):
        open_index(folder)


def test_a_model_has_the_index_in_its_folder_or_none(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = load_bundle(shutil.copytree(tiny_bundle, tmp_path / "mine"))
    assert find_index(bundle.index_folder) is None
    indexed(bundle.path / INDEX)
    index = find_index(bundle.index_folder)
    assert index is not None and len(index.pieces) == len(TUNES) and not index.is_thinned
    (bundle.path / INDEX / POSTINGS).unlink()
    with pytest.raises(CorpusError, match="no index of passages here"):
        find_index(bundle.index_folder)


def test_an_index_leaves_a_models_fingerprint_as_it_is(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_bundle, tmp_path / "mine")
    indexed(copy / INDEX)
    assert load_bundle(copy).fingerprint == load_bundle(tiny_bundle).fingerprint


def test_the_default_model_comes_with_an_index_of_what_it_was_trained_on() -> None:
    bundle = load_bundle(DEFAULT_MODEL)
    index = find_index(bundle.index_folder)
    assert index is not None and index.is_thinned
    # The weights were trained on the music as an older reader read it, so the corpus has another fingerprint.
    training_pieces = int(re.search(r"([\d,]+) training pieces", bundle.card["data"])[1].replace(",", ""))  # type: ignore[index]
    assert (index.description["corpora"], index.description["splits"]) == (["giantmidi"], ["train"])
    assert {piece.corpus for piece in index.pieces} == {"giantmidi"}
    assert 0.9 * training_pieces < len(index.pieces) <= training_pieces
    assert {"found", "right"} <= set(index.description["recall"]["exact"]["100"])
    assert sum(file.stat().st_size for file in index.path.iterdir()) <= 8_000_000


# A download


def copy_file(url: str, path: Path) -> None:
    try:
        shutil.copyfile(url, path)
    except FileNotFoundError as error:
        raise MissingError(f"{url}: cannot be fetched") from error


def test_a_fetched_index_is_that_of_the_server(tmp_path: Path) -> None:
    index = indexed(tmp_path / "web")
    fetched = fetch_index(str(index.path), tmp_path / "fetched", copy_file)
    assert fetched is not None and fetched.path == tmp_path / "fetched"
    assert fetched.description == index.description


def test_all_shards_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = in_shards(tmp_path / "web", monkeypatch).path
    assert fetch_index(str(folder), tmp_path / "fetched", copy_file) is not None
    assert {file.name for file in (tmp_path / "fetched").iterdir()} == {file.name for file in folder.iterdir()}


def test_where_the_server_has_no_index_no_folder_is_left(tmp_path: Path) -> None:
    assert fetch_index(str(tmp_path / "web"), tmp_path / "fetched", copy_file) is None
    assert not (tmp_path / "fetched").exists()


def test_an_index_that_lacks_a_column_on_the_server_is_refused(tmp_path: Path) -> None:
    index = indexed(tmp_path / "web")
    (index.path / POSTINGS).unlink()
    with pytest.raises(FetchError, match=POSTINGS):
        fetch_index(str(index.path), tmp_path / "fetched", copy_file)

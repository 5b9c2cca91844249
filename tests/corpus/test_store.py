"""The store: what is written is read, in parts and whole; what was altered is refused; what stood there survives."""

from __future__ import annotations

import copy
import errno
import json
import os
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arietta.corpus import store as store_module
from arietta.corpus.store import (
    Store,
    StoreWriter,
    Tally,
    notes_checksum,
    open_store,
    read_manifest,
    reason_kind,
    replace_corpus,
    tally,
)
from arietta.errors import CorpusError
from arietta.music.notes import Notes
from tests.support.corpora import make_store, scale
from tests.support.file_names import NAMES
from tests.support.strategies import pieces
from tests.support.tunes import tune


def line(index: int | None, notes: Notes, **changed: object) -> dict[str, object]:
    """Make the manifest's line of a piece, kept when it has an index."""
    about = {"file": f"{index}.mid", "folder": "here", "sha256": "0", "index": index, "notes": len(notes)}
    names = ("composer", "title", "work", "split", "source", "corpus", "licence")
    state = {"state": "rejected" if index is None else "kept", "seconds": notes.seconds, "reason": ""}
    return about | state | dict.fromkeys(names, "x") | changed


def write_store(folder: Path, *all_notes: Notes) -> Store:
    with StoreWriter(folder) as writer:
        spans = [writer.append(notes) for notes in all_notes]
        writer.finish([line(index, notes) for index, notes in enumerate(all_notes)], spans)
    return open_store(folder)


@given(st.lists(pieces(), min_size=1, max_size=4))
def test_a_store_gives_back_every_piece_as_it_was(all_notes: list[Notes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder), *all_notes)
        assert [store.notes(index) for index in range(len(store))] == all_notes
        assert store.note_count == sum(map(len, all_notes))


@given(pieces(), st.integers(0, 30), st.integers(0, 30))
def test_a_range_of_notes_is_that_range_of_the_piece(notes: Notes, start: int, stop: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        part = write_store(Path(folder), tune(1), notes).notes(1, start, stop)
    assert np.array_equal(part.onset, notes.onset[start:stop])
    assert np.array_equal(part.velocity, notes.velocity[start:stop])
    assert (part.pedal[:, 1] > part.pedal[:, 0]).all()


def test_the_pedal_is_cut_to_the_range(tmp_path: Path) -> None:
    notes = Notes.of([0, 1, 2, 3], [0.5] * 4, [60] * 4, [64] * 4, pedal=[(0.2, 1.5), (1.8, 2.5), (3.5, 4.0)])
    store = write_store(tmp_path, notes)
    assert store.notes(0, 1, 2).pedal.tolist() == [[1.0, 1.5], [1.8, 2.0]]
    assert store.notes(0, 2).pedal.tolist() == [[2.0, 2.5], [3.5, 4.0]]


def test_a_range_within_a_chord_has_no_pedal(tmp_path: Path) -> None:
    notes = Notes.of([0.0, 1.0, 1.0, 2.0], [0.5] * 4, [60, 60, 64, 60], [64] * 4, pedal=[(0.5, 1.5)])
    assert write_store(tmp_path, notes).notes(0, 1, 2).pedal.tolist() == []


def test_the_pedal_before_the_first_note_belongs_to_the_beginning(tmp_path: Path) -> None:
    notes = Notes.of([1.0, 2.0], [0.5] * 2, [60] * 2, [64] * 2, pedal=[(0.1, 0.9)])
    assert write_store(tmp_path, notes).notes(0, 0, 1).pedal.tolist() == [[0.1, 0.9]]


def test_a_range_beyond_the_end_holds_what_there_is(tmp_path: Path) -> None:
    store = write_store(tmp_path, tune(1, 20))
    assert len(store.notes(0, 15, 99)) == 5
    assert len(store.notes(0, 20)) == 0


@pytest.mark.parametrize("index", [-1, 1, 99])
def test_a_piece_that_is_not_there_is_an_error(tmp_path: Path, index: int) -> None:
    store = write_store(tmp_path, tune(1))
    with pytest.raises(IndexError, match="store with 1"):
        store.notes(index)


def test_notes_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        write_store(tmp_path, tune(1)).notes(0).onset[0] = 5.0


def test_columns_are_plain_npy_files(tmp_path: Path) -> None:
    write_store(tmp_path, tune(1, 30), tune(2, 40))
    assert np.load(tmp_path / "onset.npy").shape == (70,)
    assert np.load(tmp_path / "pedal.npy").shape == (2, 2)


def test_only_kept_lines_are_pieces_and_the_manifest_has_all(tmp_path: Path) -> None:
    with StoreWriter(tmp_path) as writer:
        span = writer.append(tune(1))
        writer.finish([line(None, tune(2)), line(0, tune(1))], [span])
    assert [piece.file for piece in open_store(tmp_path).pieces] == ["0.mid"]
    assert [entry["state"] for entry in read_manifest(tmp_path)] == ["rejected", "kept"]


def test_the_fingerprint_tells_manifests_apart_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    first, same = write_store(tmp_path / "a", tune(1)), write_store(tmp_path / "b", tune(1))
    assert first.fingerprint == same.fingerprint
    assert first.fingerprint != write_store(tmp_path / "c", tune(1), tune(2)).fingerprint


def test_the_fingerprint_holds_the_pedal_and_the_readers_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tune(1)
    lifted = Notes.of(notes.onset, notes.duration, notes.pitch, notes.velocity)
    fingerprints = []
    for name, version, written in (("a", 2, notes), ("b", 2, lifted), ("c", 3, notes)):
        monkeypatch.setattr(store_module, "READER_VERSION", version)
        (tmp_path / name).mkdir()
        fingerprints.append(write_store(tmp_path / name, written).fingerprint)
    assert len(set(fingerprints)) == 3


@pytest.mark.parametrize("column", ["onset", "duration", "pitch", "velocity", "pedal"])
def test_a_piece_whose_notes_or_pedal_were_altered_is_refused_and_others_are_read(tmp_path: Path, column: str) -> None:
    write_store(tmp_path, tune(1), tune(2))
    rows = np.load(tmp_path / f"{column}.npy", mmap_mode="r+")
    rows[-1] = rows[-1] + 1
    rows.flush()
    store = open_store(tmp_path)
    assert store.notes(0) == tune(1)
    for _ in range(2):
        with pytest.raises(CorpusError, match=r"1\.mid were altered \(checksum .*`arietta ingest`"):
            store.notes(1, 0, 5)


def test_equal_notes_have_one_checksum_and_any_other_notes_another() -> None:
    notes = tune(1)
    columns = notes.onset, notes.duration, notes.pitch, notes.velocity
    assert notes_checksum(notes) == notes_checksum(Notes.of(*columns, notes.pedal))
    others = [tune(2), Notes.of(*columns), Notes.of(*columns, [(0.5, 1.001)]), Notes.of(), tune(1, 119)]
    assert len({notes_checksum(other) for other in (notes, *others)}) == 6
    assert len(notes_checksum(notes)) == 16


def test_a_corpus_of_another_reader_is_refused_with_both_versions_and_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_store(tmp_path, tune(1))
    monkeypatch.setattr(store_module, "READER_VERSION", 99)
    with pytest.raises(CorpusError, match=r"version 2 of the reader, and this is version 99.*`arietta ingest`"):
        open_store(tmp_path)


def test_a_corpus_of_the_first_release_is_refused_with_the_command(tmp_path: Path) -> None:
    write_store(tmp_path, tune(1))
    older = {name: entry for name, entry in read_manifest(tmp_path)[0].items() if name not in ("reader", "checksum")}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(older) + "\n")
    with pytest.raises(CorpusError, match=r"version 1 of the reader.*make the corpus again with `arietta ingest`$"):
        open_store(tmp_path)


@pytest.mark.posix
@pytest.mark.parametrize("raw", NAMES)
def test_a_manifest_gives_back_the_bytes_of_every_name_and_is_plain_ascii(tmp_path: Path, raw: bytes) -> None:
    with StoreWriter(tmp_path) as writer:
        writer.finish([line(0, tune(1), file=os.fsdecode(raw))], [writer.append(tune(1))])
    assert os.fsencode(open_store(tmp_path).pieces[0].file) == raw
    assert (tmp_path / "manifest.jsonl").read_bytes().isascii()


@pytest.mark.parametrize(
    "content",
    [b"[1]\n", b"5\n", b'{"a":"\xff"}\n', b"[" * 200_000, b"\x00"],
    ids=["list", "number", "bytes", "deep", "nul"],
)
def test_whatever_stands_in_a_manifest_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    write_store(tmp_path, tune(1))
    (tmp_path / "manifest.jsonl").write_bytes(content)
    with pytest.raises(CorpusError, match="arietta ingest"):
        open_store(tmp_path)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("too short: 5 notes, fewer than 10", "too short: 9 notes, fewer than 10"),
        ("same bytes: as a/b.mid", "same bytes: as c/d 12.mid"),
        ("held out: plays A, B, which maestro keeps for test", "held out: plays C: D, which maestro keeps for test"),
        ("unreadable: track 3: byte 17: a length", "unreadable: track 12: byte 4: a length"),
        (
            "unreadable: not a MIDI file: it begins with '\\x00\\x01' where 'MThd' must stand",
            """unreadable: not a MIDI file: it begins with "a'" where 'MThd' must stand""",
        ),
        ("unreadable: a status of 0xf4, which", "unreadable: a status of 0xfd, which"),
    ],
)  # fmt: skip
def test_reasons_that_differ_in_numbers_and_names_are_of_one_kind(first: str, second: str) -> None:
    assert reason_kind(first) == reason_kind(second)


def test_reasons_that_differ_in_words_are_of_different_kinds() -> None:
    reasons = ("unreadable: the file is empty (0 bytes)", "unreadable: its format is 3", "too short: 3 notes", "x")
    assert len({reason_kind(reason) for reason in reasons}) == 4


def test_a_folder_without_a_corpus_says_how_to_make_one(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CorpusError, match=r"no corpus here.*arietta ingest"):
            open_store(folder)


def test_a_manifest_that_is_none_is_refused(tmp_path: Path) -> None:
    write_store(tmp_path, tune(1))
    (tmp_path / "manifest.jsonl").write_text("not json\n")
    with pytest.raises(CorpusError, match="not a manifest"):
        open_store(tmp_path)


def test_a_manifest_of_an_older_kind_is_refused_naming_the_field(tmp_path: Path) -> None:
    write_store(tmp_path, tune(1))
    entry = read_manifest(tmp_path)[0]
    del entry["work"]
    (tmp_path / "manifest.jsonl").write_text(json.dumps(entry) + "\n")
    with pytest.raises(CorpusError, match="'work'"):
        open_store(tmp_path)


def test_a_manifest_and_columns_that_differ_are_refused(tmp_path: Path) -> None:
    write_store(tmp_path, tune(1, 30))
    entry = read_manifest(tmp_path)[0]
    for changed, message in (({"notes": 31}, "differ in the pieces' notes"), ({"index": 1}, "keeps 1 pieces")):
        (tmp_path / "manifest.jsonl").write_text(json.dumps(entry | changed) + "\n")
        with pytest.raises(CorpusError, match=message):
            open_store(tmp_path)


def test_a_missing_or_shortened_column_is_refused_by_name(tmp_path: Path) -> None:
    write_store(tmp_path, tune(1, 30))
    np.save(tmp_path / "pitch.npy", np.zeros(29, dtype=np.uint8))
    with pytest.raises(CorpusError, match=r"pitch\.npy has 29 rows and should have 30"):
        open_store(tmp_path)
    (tmp_path / "onset.npy").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"onset\.npy: cannot be read"):
        open_store(tmp_path)
    (tmp_path / "onset.npy").unlink()
    with pytest.raises(CorpusError, match=r"onset\.npy: cannot be read"):
        open_store(tmp_path)


def test_replacing_puts_the_new_corpus_in_the_place_of_the_old(tmp_path: Path) -> None:
    for count in (1, 2):
        with replace_corpus(tmp_path / "corpus") as folder:
            write_store(folder, *map(tune, range(count)))
    assert len(open_store(tmp_path / "corpus")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, CorpusError("broken"), RuntimeError])
def test_whatever_interrupts_leaves_the_old_corpus_and_no_rest(tmp_path: Path, error: BaseException) -> None:
    with replace_corpus(tmp_path / "corpus") as folder:
        write_store(folder, tune(1))
    with pytest.raises((KeyboardInterrupt, CorpusError, RuntimeError)):
        _fail_while_replacing(tmp_path / "corpus", error)
    assert open_store(tmp_path / "corpus").notes(0) == tune(1)
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def _fail_while_replacing(corpus: Path, error: BaseException) -> None:
    with replace_corpus(corpus) as folder, StoreWriter(folder) as writer:
        writer.append(tune(2))
        raise error


def test_a_corpus_whose_replacement_was_killed_half_way_is_put_back(tmp_path: Path) -> None:
    with replace_corpus(tmp_path / ".corpus.replaced") as folder:
        write_store(folder, tune(1))
    with pytest.raises(RuntimeError), replace_corpus(tmp_path / "corpus"):
        raise RuntimeError
    assert open_store(tmp_path / "corpus").notes(0) == tune(1)


def test_a_folder_that_is_no_corpus_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").touch()
    with pytest.raises(CorpusError, match="is no corpus; choose another --out"), replace_corpus(tmp_path / "photos"):
        pass
    assert (tmp_path / "photos" / "one.jpg").exists()


def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"No space left.*free some room"), replace_corpus(tmp_path / "corpus"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="cannot be written"), replace_corpus(tmp_path / "file" / "corpus"):
        pass


def test_parts_of_a_store_keep_their_places_in_the_columns(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    part = store.select(composers=["Frédéric Chopin"])
    assert {piece.composer for piece in part.pieces} == {"Frédéric Chopin"} and len(part) == 3
    assert all(part.notes(piece.index) == store.notes(piece.index) for piece in part.pieces)
    assert part.fingerprint == store.fingerprint
    assert store.select().pieces == store.pieces


def test_a_part_that_is_not_there_is_refused_with_the_nearest(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with pytest.raises(CorpusError, match="no pieces of composer 'Chopin'; nearest: "):
        store.select(composers=["Chopin"])
    with pytest.raises(CorpusError, match="no pieces of corpus 'maestro'"):
        store.select(["maestro"])


def test_a_composer_is_asked_of_pieces_that_name_none(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store = store.with_pieces([replace(piece, composer="") for piece in store.pieces])
    with pytest.raises(CorpusError, match="no pieces of composer 'Chopin'; nearest: none, no piece names its composer"):
        store.select(composers=["Chopin"])


def tallied(composer: str, **values: object) -> dict[str, object]:
    """Make what a tally reads of a manifest's line."""
    return {"notes": 100, "seconds": 60.0, "composer": composer} | values


def test_a_tally_adds_pieces_notes_and_seconds_the_fullest_first() -> None:
    lines = [tallied("A"), tallied("B"), tallied("B", notes=50), tallied("C", notes=None)]
    tallies = tally([*lines, tallied("C", seconds=None)], "composer")
    assert list(tallies) == ["B", "C", "A"]
    assert tallies["B"] == Tally(2, 150, 120.0)
    assert tallies["C"] == Tally(2, 100, 60.0)


def test_no_lines_make_no_tally() -> None:
    assert tally([], "split") == {}


def test_a_pickled_store_maps_its_columns_again_instead_of_carrying_them(tmp_path: Path) -> None:
    store = make_store(tmp_path, pieces=[scale(0, 20_000)], splits=("train",))
    assert len(pickle.dumps(store)) < 5_000
    again = copy.copy(store)  # goes by the same state as pickle
    assert again.fingerprint == store.fingerprint and again.pieces == store.pieces
    assert np.array_equal(again.notes(0, 100, 200).onset, store.notes(0, 100, 200).onset)

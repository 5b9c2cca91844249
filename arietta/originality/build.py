"""Build an index: count the n-grams of a corpus, keep what fits into the size asked for, and measure what it finds.

Every piece is read twice, so that memory holds the postings and not the corpus. The pieces and a function that reads
their notes come from the caller; nothing here knows how a corpus is stored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..files import atomic_folder
from ..music.chords import order_by_chord
from ..music.ngrams import ngrams
from ..music.notes import Notes
from .baseline import measure_baseline
from .index import (
    BLOCK,
    BLOCKS,
    COUNTS,
    DESCRIPTION,
    LEFT_OUT,
    ONSETS,
    PITCH_BITS,
    POSTINGS,
    VERSION,
    VERSION_WITH_SHARDS,
    IndexedPiece,
    PassageIndex,
    bucket_of,
    extend_description,
    open_index,
    posting_counts,
    shard_file,
    write_index_description,
)
from .recall import measure_recall

FEWEST_BITS, MOST_BITS = 10, 24  # of a bucket: different n-grams seldom share one, except among millions of notes
NOTE_BITS = 32 - PITCH_BITS  # of a posting
MOST_NOTES = 1 << NOTE_BITS  # in a shard
DEFAULT_BYTES, THINNED_BYTES, LEAST_BYTES = 150_000_000, 50_000_000, 1_000_000  # below THINNED_BYTES it is thinned
FREQUENT, FREQUENT_IN_THINNED = 128, 16  # of the n-grams of MAESTRO and GiantMIDI 15 and 45 % occur oftener
ONSET_STEP, ONSET_STEP_IN_THINNED = 64, 256  # notes
ROOM_FOR_BASELINE = 100_000  # bytes

Progress = Callable[[float, float], None]


def longest_of_each_work(pieces: Sequence[IndexedPiece]) -> list[IndexedPiece]:
    """Choose one recording of each work, in the order of the store: what a thinned index has room for."""
    longest = {piece.work: piece for piece in sorted(pieces, key=lambda piece: piece.notes)}
    return sorted(longest.values(), key=lambda piece: piece.index)


def build_index(
    folder: Path,
    pieces: Sequence[IndexedPiece],
    read: Callable[[int], Notes],
    *,
    corpus: str,
    at_most: int = DEFAULT_BYTES,
    progress: Progress | None = None,
) -> PassageIndex:
    """Write an index of `pieces` into `folder`, in place of an older one; `read(i)` returns the notes of `pieces[i]`.

    The pieces' `start`, `notes`, `first` and `last` are filled in. Takes no more than `at_most` bytes of disk, and
    twice as much memory; more than 2^26 notes are cut into shards. Raises CorpusError where `folder` is something
    else, there is nothing to index, or no room.
    """
    _check(folder, pieces, at_most)
    is_thinned = at_most < THINNED_BYTES
    step = ONSET_STEP_IN_THINNED if is_thinned else ONSET_STEP
    report = progress or (lambda done, total: None)
    shards = _cut(pieces)
    counts, onsets, located = _count(pieces, read, (shards, step), lambda done: report(done, 2 * len(pieces)))
    bits = counts.shape[1].bit_length() - 1
    rows = [list(asdict(piece).values()) for piece in located]
    description_bytes = (
        len(json.dumps(rows, ensure_ascii=False).encode(errors="backslashreplace"))
        + 4 * len(onsets)
        + ROOM_FOR_BASELINE
    )
    counts = _fit(counts, FREQUENT_IN_THINNED if is_thinned else FREQUENT, at_most - description_bytes)
    lengths = []
    with _writing(folder) as unfinished:
        for number, shard in enumerate(shards):
            postings = _fill(
                counts[number], located, (shard, bits), read, lambda done: report(len(pieces) + done, 2 * len(pieces))
            )
            blocks = np.concatenate([[0], np.cumsum(posting_counts(counts[number]).reshape(-1, BLOCK).sum(axis=1))])
            columns = {COUNTS: counts[number], BLOCKS: blocks.astype(np.uint32), POSTINGS: postings}
            for name, column in columns.items():
                np.save(unfinished / shard_file(name, number), column)
                lengths.append(len(column))
        np.save(unfinished / ONSETS, onsets)
        starts = [located[shard.start].start for shard in shards]
        version = {"version": VERSION} if len(shards) == 1 else {"version": VERSION_WITH_SHARDS, "shards": starts}
        description = version | {"corpus": corpus, "bits": bits, "step": step, "lengths": [*lengths, len(onsets)]}
        write_index_description(unfinished, description | {"baseline": {}, "pieces": rows})
    return open_index(folder)


def measure_index(
    index: PassageIndex,
    read: Callable[[int], Notes],
    works: Sequence[str],
    read_work: Callable[[int], Notes],
    *,
    progress: Progress | None = None,
) -> PassageIndex:
    """Measure what works of people share by an index, and what it finds of planted copies; add both to the index.

    `read(i)` returns the notes of `index.pieces[i]`, `read_work(i)` those of a piece of `works[i]`.
    """
    baseline = measure_baseline(index, works, read_work, progress=progress)
    recall = {
        kind: {str(length): detection.describe() for length, detection in row.items()}
        for kind, row in measure_recall(index, read).items()
    }
    return extend_description(index, {"baseline": baseline, "recall": recall})


def _check(folder: Path, pieces: Sequence[IndexedPiece], at_most: int) -> None:
    if folder.exists() and not (folder / DESCRIPTION).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CorpusError(f"{folder}: is there already and is no index of passages; choose another --out")
    if not sum(piece.notes for piece in pieces):
        raise CorpusError("there is not a note to index: choose other splits")
    for piece in pieces:
        if piece.notes > MOST_NOTES:
            raise CorpusError(
                f"{piece.file}: a piece of an index has {MOST_NOTES:,} notes at most, not {piece.notes:,}"
            )
    if at_most < LEAST_BYTES:
        raise CorpusError(f"an index needs {LEAST_BYTES / 1e6:g} MB at least, not {at_most / 1e6:g}")


def _cut(pieces: Sequence[IndexedPiece]) -> list[range]:
    """Cut the pieces into shards whose notes a posting can number."""
    cuts, room = [0], MOST_NOTES
    for number, piece in enumerate(pieces):
        if piece.notes > room:
            cuts.append(number)
            room = MOST_NOTES
        room -= piece.notes
    return [range(*ends) for ends in pairwise([*cuts, len(pieces)])]


def _count(
    pieces: Sequence[IndexedPiece],
    read: Callable[[int], Notes],
    form: tuple[Sequence[range], int],
    report: Callable[[int], None],
) -> tuple[NDArray[np.uint8], NDArray[np.float32], list[IndexedPiece]]:
    """Read the corpus: n-grams per bucket of each shard, the onset of every `step`th note, pieces with note numbers.

    The counts, [shards, buckets], end at LEFT_OUT. `form` is the shards and `step`.
    """
    shards, step = form
    total = sum(piece.notes for piece in pieces)
    most_bits = MOST_BITS + max((total - 1).bit_length() - NOTE_BITS, 0)
    bits = min(max(total.bit_length() + 1, FEWEST_BITS), most_bits)
    counts = np.zeros((len(shards), 1 << bits), dtype=np.uint8)
    onsets, located, start = [np.empty(0, dtype=np.float32)], list[IndexedPiece](), 0
    for row, shard in zip(counts, shards, strict=True):
        shard_counts = np.zeros(1 << bits, dtype=np.int32)
        for number in shard:
            notes = read(number)
            np.add.at(shard_counts, bucket_of(ngrams(notes)[0], bits), 1)
            ends = (notes.onset if len(notes) else np.zeros(1))[[0, -1]]
            onsets.append(notes.onset[-start % step :: step].astype(np.float32))
            first, last = (round(float(end), 2) for end in ends)
            located.append(replace(pieces[number], start=start, notes=len(notes), first=first, last=last))
            start += len(notes)
            report(number + 1)
        row[:] = np.minimum(shard_counts, LEFT_OUT)
    return counts, np.concatenate(onsets), located


def _fit(counts: NDArray[np.uint8], frequent: int, room: int) -> NDArray[np.uint8]:
    """Return the posting counts of the first buckets that fit into `room` bytes, frequent n-grams left out.

    [shards, buckets] -> [shards, fewer buckets]: how frequent an n-gram is counts over all shards.
    """
    stored = np.where(counts.sum(axis=0, dtype=np.int32) <= frequent, counts, np.uint8(LEFT_OUT))
    # A posting takes 4 bytes, a bucket's count one, and every block of buckets another 4; the last two in each shard.
    postings = sum(posting_counts(row).reshape(-1, BLOCK).sum(axis=1) for row in stored)
    blocks = int(np.searchsorted(np.cumsum(postings * 4 + len(stored) * (BLOCK + 4)), room, side="right"))
    if not blocks:
        raise CorpusError("no index of so many pieces is so small: raise --at-most")
    return stored[:, : blocks * BLOCK]


def _fill(
    counts: NDArray[np.uint8],
    pieces: Sequence[IndexedPiece],
    form: tuple[range, int],
    read: Callable[[int], Notes],
    report: Callable[[int], None],
) -> NDArray[np.uint32]:
    """Read a shard again and write the postings of every bucket; within a bucket, note numbers rise.

    `form` is the shard and the bits of a bucket.
    """
    shard, bits = form
    free = np.cumsum(posting_counts(counts))
    postings = np.empty(int(free[-1]), dtype=np.uint32)
    free -= posting_counts(counts)  # now the first free row of each bucket
    for number in shard:
        notes = read(number)
        hashes, starts = ngrams(notes)
        buckets = bucket_of(hashes, bits)
        indexed = np.flatnonzero(buckets < len(counts))
        indexed = indexed[counts[buckets[indexed]] != LEFT_OUT]
        indexed = indexed[np.argsort(buckets[indexed], kind="stable")]
        buckets, starts = buckets[indexed], starts[indexed]
        used, first, new_counts = np.unique(buckets, return_index=True, return_counts=True)
        rank = np.arange(len(buckets)) - np.repeat(first, new_counts)  # among the piece's n-grams of one bucket
        pitch = notes.pitch[order_by_chord(notes)][starts].astype(np.int64) % (1 << PITCH_BITS)
        start = pieces[number].start - pieces[shard.start].start
        postings[free[buckets] + rank] = ((start + starts) << PITCH_BITS) + pitch
        free[used] += new_counts
        report(number + 1)
    return postings


@contextmanager
def _writing(folder: Path) -> Iterator[Path]:
    """Give the folder in which an index is built, as `atomic_folder` does; a full disk is a CorpusError."""
    try:
        with atomic_folder(folder) as unfinished:
            yield unfinished
    except OSError as error:
        why = error.strerror or str(error)
        raise CorpusError(f"{folder}: cannot be written ({why}); free some room or choose another --out") from error

"""An inverted index of a corpus: where each n-gram of six pitches occurs, in any key and tempo.

A folder with columns that are memory-mapped, and a description:

    index.json     the pieces, the corpus's fingerprint, what people share with each other (see `baseline`)
    counts.npy     uint8 [S]: how many postings each bucket has; 255 where its n-grams were left out
    blocks.npy     uint32 [S / 64 + 1]: where the postings of every 64th bucket begin
    places.npy     uint32 [E]: the postings: 26 bits of note number, counted through the corpus, and 6 bits of pitch
    moments.npy    float32 [M] s: the onset of every `step`th note of the corpus

A corpus of more notes than 26 bits can number is cut into shards, each with its counts, blocks and postings: those of
the second are in counts-1.npy, and so on. Note numbers in postings begin anew in each. What is left out is the same in
all, and a look-up joins them, so an index answers alike however it is cut.

An n-gram's bucket is the first bits of its hash, 24 where the corpus has millions of notes. N-grams that occur in the
corpus over 128 times are left out. A thinned index has the first buckets alone, which is a fair sample of all n-grams,
and of those the ones that occur up to 16 times, since the fewer there are the more each must tell apart. `build` writes
them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..files import write_file
from ..music.ngrams import Hashes
from ..untrusted import BROKEN_ARRAY, parse_json, read_within

if TYPE_CHECKING:
    from ..fetch import Fetch

DESCRIPTION = "index.json"
LARGEST_DESCRIPTION = 256 * 2**20  # bytes: a line for each of a million pieces
COUNTS, BLOCKS, POSTINGS, ONSETS = "counts.npy", "blocks.npy", "places.npy", "moments.npy"
VERSION, VERSION_WITH_SHARDS = 1, 2
PITCH_BITS, BLOCK = 6, 64
LEFT_OUT = 255  # the count of a bucket whose n-grams occur too often to say anything

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class IndexedPiece:
    """A piece of the corpus: its `index` in the store, its first note's number, its first and last onset in seconds."""

    index: int
    start: int
    notes: int
    first: float
    last: float
    file: str
    corpus: str
    composer: str
    title: str
    work: str

    @property
    def name(self) -> str:
        """Composer and title, or the file where neither is known."""
        return ": ".join(part for part in (self.composer, self.title) if part) or self.file


@dataclass(frozen=True)
class _Shard:
    """The postings of a part of the corpus, whose first note has the number `start`; the columns are the files'."""

    start: int
    counts: NDArray[np.uint8]
    blocks: NDArray[np.uint32]
    postings: NDArray[np.uint32]

    def look_up(self, buckets: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Look up buckets that it has: how many postings each has, int64 [W], and their numbers and pitches, [M]."""
        block = buckets // BLOCK * BLOCK
        counts = posting_counts(self.counts[block[:, None] + np.arange(BLOCK)])
        # Counts of the buckets before it in its block lead from the block's start to a bucket's postings.
        before = np.where(np.arange(BLOCK) < (buckets - block)[:, None], counts, 0).sum(axis=1)
        counts = counts[np.arange(len(buckets)), buckets - block]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        entries = self.postings[np.repeat(self.blocks[buckets // BLOCK] + before, counts) + within].astype(np.int64)
        return counts, self.start + (entries >> PITCH_BITS), entries % (1 << PITCH_BITS)


class PassageIndex:
    """An index opened for queries; its columns are mapped, so a query reads only what it needs."""

    def __init__(self, path: Path, description: Mapping[str, Any], columns: Mapping[str, NDArray[Any]]) -> None:
        self.path, self.description = path, dict(description)
        self.pieces = [IndexedPiece(*row) for row in description["pieces"]]
        self._bits = int(description["bits"])
        self._first_notes = np.array([piece.start for piece in self.pieces], dtype=np.int64)
        self._onsets = columns[ONSETS]
        self._shards = [
            _Shard(start, *(columns[shard_file(name, number)] for name in (COUNTS, BLOCKS, POSTINGS)))
            for number, start in enumerate(_shard_starts(description))
        ]

    @property
    def corpus(self) -> str:
        """Fingerprint of the store that it was built from."""
        return str(self.description["corpus"])

    @property
    def is_thinned(self) -> bool:
        """Whether it keeps so few n-grams that it finds less; `description["recall"]` says how much."""
        return self.ngram_share < 0.5

    @property
    def ngram_share(self) -> float:
        """The share of all n-grams that the index keeps, frequent ones aside: 1 unless it is thinned."""
        return len(self._shards[0].counts) / (1 << self._bits)

    def look_up(self, hashes: Hashes) -> tuple[IntArray, IntArray, IntArray]:
        """Look up n-grams: how often each occurs, int64 [W], and the note number and pitch of every occurrence, [M].

        Occurrences come n-gram by n-gram. The count is -1 where the index has left the n-gram out.
        """
        buckets = bucket_of(hashes, self._bits)
        marks = self._shards[0].counts  # what is left out is left out of all
        is_indexed = buckets < len(marks)  # a thinned index has the first buckets alone
        is_known = is_indexed & (marks[np.where(is_indexed, buckets, 0)] != LEFT_OUT)
        parts = [shard.look_up(buckets[is_known]) for shard in self._shards]
        counts = np.full(len(hashes), -1, dtype=np.int64)
        counts[is_known] = sum(part[0] for part in parts)
        # Shards come in the order of the corpus, so a stable sort by n-gram leaves numbers as one index has them.
        ngram = np.concatenate([np.repeat(np.arange(len(part[0])), part[0]) for part in parts])
        order = np.argsort(ngram, kind="stable")
        numbers, pitches = (np.concatenate([part[column] for part in parts])[order] for column in (1, 2))
        return counts, numbers, pitches

    def piece_at(self, numbers: IntArray) -> IntArray:
        """Return the piece of each note of the corpus, int64 [M]."""
        return np.searchsorted(self._first_notes, numbers, side="right") - 1

    def seconds(self, piece: IndexedPiece, note: float) -> float:
        """Estimate when a note of a piece sounds: interpolated between the onsets that the index keeps."""
        step = int(self.description["step"])
        stop = piece.start + piece.notes
        inside = np.arange(-(-piece.start // step), -(-stop // step))
        numbers = np.concatenate([[piece.start], inside * step, [stop - 1]])
        onsets = np.concatenate([[piece.first], self._onsets[inside], [piece.last]])
        return float(np.interp(piece.start + note, numbers, onsets))


def open_index(path: str | Path) -> PassageIndex:
    """Open an index; raises CorpusError where there is none, or one that was altered or is of another version."""
    folder = Path(path)
    description = _read_description(folder)
    try:
        columns = {
            name: np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in column_files(description)
        }
    except BROKEN_ARRAY as error:
        raise _no_index(folder, error) from error
    try:
        index = PassageIndex(folder, description, columns)
        is_complete = [len(column) for column in columns.values()] == description["lengths"]
    except (KeyError, TypeError) as error:
        raise CorpusError(f"{folder / DESCRIPTION}: lacks {error}; build the index again") from error
    if not is_complete or any(
        int(columns[shard_file(BLOCKS, number)][-1]) != len(columns[shard_file(POSTINGS, number)])
        for number, _ in enumerate(_shard_starts(description))
    ):
        raise CorpusError(f"{folder}: columns and {DESCRIPTION} do not belong together; build the index again")
    return index


def _read_description(folder: Path) -> dict[str, Any]:
    try:
        description = parse_json(read_within(folder / DESCRIPTION, LARGEST_DESCRIPTION))
    except BROKEN_ARRAY as error:
        raise _no_index(folder, error) from error
    if not isinstance(description, dict) or description.get("version") not in (VERSION, VERSION_WITH_SHARDS):
        raise CorpusError(f"{folder}: an index of another version; build it again with `arietta originality --build`")
    return description


def _no_index(folder: Path, error: Exception) -> CorpusError:
    why = getattr(error, "strerror", None) or error
    return CorpusError(f"{folder}: no index of passages here ({why}); make one with `arietta originality --build`")


def _shard_starts(description: Mapping[str, Any]) -> list[int]:
    """Return the number of each shard's first note."""
    return list(description.get("shards", [0]))


def shard_file(name: str, number: int) -> str:
    """Name a column's file for a shard: counts.npy for the first, counts-1.npy for the second."""
    return name.replace(".", f"-{number}.") if number else name


def column_files(description: Mapping[str, Any]) -> list[str]:
    """Name the files of an index's columns in the order of its `lengths`: those of each shard, then the onsets'."""
    shards = range(len(_shard_starts(description)))
    return [*(shard_file(name, number) for number in shards for name in (COUNTS, BLOCKS, POSTINGS)), ONSETS]


def find_index(folder: Path) -> PassageIndex | None:
    """Open an index that may be missing: None where there is no such folder. Raises as `open_index` does."""
    return open_index(folder) if folder.is_dir() else None


def fetch_index(url: str, folder: Path, fetch: Fetch) -> PassageIndex | None:
    """Fetch the index at `url` into `folder` and open it; None, and no folder, where the server has no index.

    `fetch(url, path)` fetches a file. Raises FetchError where a column is missing, else as `open_index` does.
    """
    from ..fetch import MissingError  # here: only a download needs it and what it imports, as http and ssl

    folder.mkdir(exist_ok=True)
    try:
        fetch(f"{url}/{DESCRIPTION}", folder / DESCRIPTION)
    except MissingError:
        shutil.rmtree(folder)  # an earlier download, broken off, may have left files of an index here
        return None
    for name in column_files(_read_description(folder)):
        fetch(f"{url}/{name}", folder / name)
    return open_index(folder)


def extend_description(index: PassageIndex, more: Mapping[str, Any]) -> PassageIndex:
    """Write more about an index into its description, and open it again."""
    write_index_description(index.path, index.description | dict(more))
    return open_index(index.path)


def bucket_of(hashes: Hashes, bits: int) -> IntArray:
    return (hashes >> np.uint64(64 - bits)).astype(np.int64)


def posting_counts(counts: NDArray[np.uint8]) -> IntArray:
    """Return how many postings the buckets have."""
    return np.where(counts == LEFT_OUT, 0, counts).astype(np.int64)


def write_index_description(folder: Path, description: Mapping[str, Any]) -> None:
    write_file(
        folder / DESCRIPTION,
        json.dumps(description, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace"),
    )

"""An index of a corpus by its words (`fingerprint.words`): where six pitches in a row stand, in any key and tempo.

A folder with columns that are memory-mapped, and a description:

    index.json     the pieces, the corpus's fingerprint, what people share with each other (see `originality`)
    counts.npy     uint8 [S]: how many places each slot has; 255 where its words were left out
    blocks.npy     uint32 [S / 64 + 1]: where the places of every 64th slot begin
    places.npy     uint32 [E]: 26 bits of note number, counted through the whole corpus, and 6 bits of pitch
    moments.npy    float32 [M] s: the onset of every `step`th note of the corpus

A word's slot is the first bits of its hash, 24 where the corpus has millions of notes. Words that stand in the corpus
over 128 times are left out. A thinned
index has the first slots alone, which is a fair sample of all words, and of those the ones that stand there up to 16
times, since the fewer there are the more each must tell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..files import atomic_folder, write_file
from ..music.chords import order_by_chord
from ..music.ngrams import Hashes, ngrams
from ..music.notes import Notes

DESCRIPTION = "index.json"
COLUMNS = COUNTS, BLOCKS, POSTINGS, ONSETS = "counts.npy", "blocks.npy", "places.npy", "moments.npy"
VERSION = 1
FEWEST_BITS, MOST_BITS = 10, 24  # of a slot: strangers seldom share one, but in millions of notes
PITCH_BITS, BLOCK = 6, 64
LEFT_OUT = 255
MOST_NOTES = 1 << (32 - PITCH_BITS)
DEFAULT_BYTES, THINNED_BYTES, LEAST_BYTES = 150_000_000, 50_000_000, 1_000_000  # below THINNED_BYTES it is thinned
FREQUENT, FREQUENT_IN_THINNED = 128, 16  # of the words of MAESTRO and GiantMIDI 15 and 45 % stand oftener
MOMENT_STEP, MOMENT_STEP_IN_THINNED = 64, 256  # notes
ROOM_FOR_BASELINE = 100_000  # bytes

Progress = Callable[[float, float], None]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class IndexedPiece:
    """A piece of the corpus: its place in the store, its first note's number, and its first and last onset in s."""

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
        """What to call it: composer and title, or the file where neither is known."""
        return ": ".join(part for part in (self.composer, self.title) if part) or self.file


class PassageIndex:
    """An index opened for asking; nothing is read before it is asked for."""

    def __init__(self, path: Path, description: Mapping[str, Any], columns: Mapping[str, NDArray[Any]]) -> None:
        self.path, self.description = path, dict(description)
        self.pieces = [IndexedPiece(*row) for row in description["pieces"]]
        self._bits = int(description["bits"])
        self._first_notes = np.array([piece.start for piece in self.pieces], dtype=np.int64)
        self._counts, self._blocks, self._places, self._moments = (columns[name] for name in COLUMNS)

    @property
    def corpus(self) -> str:
        """Fingerprint of the store that it was built from."""
        return str(self.description["corpus"])

    @property
    def is_thinned(self) -> bool:
        """Whether it keeps so few words that it finds less; `description["recall"]` says how much."""
        return self.kept < 0.5

    @property
    def kept(self) -> float:
        """The share of all words that the index keeps, frequent ones aside: 1 unless it is thinned."""
        return len(self._counts) / (1 << self._bits)

    def look_up(self, hashes: Hashes) -> tuple[IntArray, IntArray, IntArray]:
        """Find words: how often each stands here, int64 [W], and of all, word by word, note number and pitch, [M].

        -1 instead of how often where the index cannot tell, having left the word out.
        """
        slots = _slots(hashes, self._bits)
        is_inside = slots < len(self._counts)
        slots = np.where(is_inside, slots, 0)
        block = slots // BLOCK * BLOCK
        counts = _taken(self._counts[block[:, None] + np.arange(BLOCK)])
        before = np.where(np.arange(BLOCK) < (slots - block)[:, None], counts, 0).sum(axis=1)
        can_tell = is_inside & (self._counts[slots] != LEFT_OUT)
        counts = np.where(can_tell, counts[np.arange(len(slots)), slots - block], 0)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        entries = self._places[np.repeat(self._blocks[slots // BLOCK] + before, counts) + within].astype(np.int64)
        return np.where(can_tell, counts, -1), entries >> PITCH_BITS, entries % (1 << PITCH_BITS)

    def piece_at(self, numbers: IntArray) -> IntArray:
        """In which piece each note of the corpus stands, int64 [M]."""
        return np.searchsorted(self._first_notes, numbers, side="right") - 1

    def seconds(self, about: IndexedPiece, place: float) -> float:
        """When note `place` of a piece sounds, to within the notes around it."""
        step = int(self.description["step"])
        stop = about.start + about.notes
        inside = np.arange(-(-about.start // step), -(-stop // step))
        numbers = np.concatenate([[about.start], inside * step, [stop - 1]])
        onsets = np.concatenate([[about.first], self._moments[inside], [about.last]])
        return float(np.interp(about.start + place, numbers, onsets))


def open_index(path: str | Path) -> PassageIndex:
    """Open an index; raises CorpusError where there is none, or one that was altered or is of another version."""
    folder = Path(path)
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        columns = {name: np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in COLUMNS}
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"{folder}: no index of passages here ({error}); make one with `arietta originality --build`"
        ) from error
    if not isinstance(description, dict) or description.get("version") != VERSION:
        raise CorpusError(f"{folder}: an index of another version; build it again with `arietta originality --build`")
    try:
        index = PassageIndex(folder, description, columns)
        is_whole = [len(column) for column in columns.values()] == description["lengths"]
    except (KeyError, TypeError) as error:
        raise CorpusError(f"{folder / DESCRIPTION}: lacks {error}; build the index again") from error
    if not is_whole or int(columns[BLOCKS][-1]) != len(columns[POSTINGS]):
        raise CorpusError(f"{folder}: columns and {DESCRIPTION} do not belong together; build the index again")
    return index


def find_index(folder: Path) -> PassageIndex | None:
    """Open an index that may be missing: None where there is no such folder. Raises as `open_index` does."""
    return open_index(folder) if folder.is_dir() else None


def build_index(
    folder: Path,
    pieces: Sequence[IndexedPiece],
    read: Callable[[int], Notes],
    *,
    corpus: str,
    at_most: int = DEFAULT_BYTES,
    progress: Progress | None = None,
) -> PassageIndex:
    """Write an index of `pieces` into `folder`, in place of an older one; `read(i)` gives the notes of `pieces[i]`.

    The pieces' `start`, `notes`, `first` and `last` are filled in. Takes no more than `at_most` bytes of disk, and
    twice as much memory. Raises CorpusError where `folder` is something else, there is nothing to index, or no room.
    """
    _check(folder, pieces, at_most)
    is_thinned = at_most < THINNED_BYTES
    step = MOMENT_STEP_IN_THINNED if is_thinned else MOMENT_STEP
    tell = progress or (lambda done, whole: None)
    counts, moments, placed = _count(pieces, read, step, lambda done: tell(done, 2 * len(pieces)))
    bits = len(counts).bit_length() - 1
    rows = [list(asdict(piece).values()) for piece in placed]
    described = len(json.dumps(rows, ensure_ascii=False).encode()) + 4 * len(moments) + ROOM_FOR_BASELINE
    kept = _kept(counts, FREQUENT_IN_THINNED if is_thinned else FREQUENT, at_most - described)
    places = _fill(kept, bits, placed, read, lambda done: tell(len(pieces) + done, 2 * len(pieces)))
    blocks = np.concatenate([[0], np.cumsum(_taken(kept).reshape(-1, BLOCK).sum(axis=1))])
    columns: dict[str, NDArray[Any]]
    columns = {COUNTS: kept, BLOCKS: blocks.astype(np.uint32), POSTINGS: places, ONSETS: moments}
    lengths = [len(column) for column in columns.values()]
    about = {"version": VERSION, "corpus": corpus, "bits": bits, "step": step, "lengths": lengths}
    _write(folder, about | {"baseline": {}, "pieces": rows}, columns)
    return open_index(folder)


def extend_description(index: PassageIndex, more: Mapping[str, Any]) -> PassageIndex:
    """Write more about an index into its description, and open it again."""
    _write_description(index.path, index.description | dict(more))
    return open_index(index.path)


def _check(folder: Path, pieces: Sequence[IndexedPiece], at_most: int) -> None:
    if folder.exists() and not (folder / DESCRIPTION).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CorpusError(f"{folder}: is there already and is no index of passages; choose another --out")
    if not sum(piece.notes for piece in pieces):
        raise CorpusError("there is not a note to index: choose other splits")
    if sum(piece.notes for piece in pieces) > MOST_NOTES:
        raise CorpusError(f"an index holds {MOST_NOTES:,} notes at most: choose fewer splits or corpora")
    if at_most < LEAST_BYTES:
        raise CorpusError(f"an index needs {LEAST_BYTES / 1e6:g} MB at least, not {at_most / 1e6:g}")


def _slots(hashes: Hashes, bits: int) -> IntArray:
    return (hashes >> np.uint64(64 - bits)).astype(np.int64)


def _taken(counts: NDArray[np.uint8]) -> IntArray:
    """How many places the slots have."""
    return np.where(counts == LEFT_OUT, 0, counts).astype(np.int64)


def _count(
    pieces: Sequence[IndexedPiece], read: Callable[[int], Notes], step: int, tell: Callable[[int], None]
) -> tuple[NDArray[np.int32], NDArray[np.float32], list[IndexedPiece]]:
    """Read the corpus: the words of each slot, the onset of every `step`th note, and the pieces, placed."""
    bits = sum(piece.notes for piece in pieces).bit_length() + 1
    bits = min(max(bits, FEWEST_BITS), MOST_BITS)
    counts = np.zeros(1 << bits, dtype=np.int32)
    moments, placed, number = [np.empty(0, dtype=np.float32)], list[IndexedPiece](), 0
    for place, piece in enumerate(pieces):
        notes = read(place)
        np.add.at(counts, _slots(ngrams(notes)[0], bits), 1)
        onset = notes.onset if len(notes) else np.zeros(1)
        moments.append(notes.onset[-number % step :: step].astype(np.float32))
        first, last = (round(float(end), 2) for end in onset[[0, -1]])
        placed.append(replace(piece, start=number, notes=len(notes), first=first, last=last))
        number += len(notes)
        tell(place + 1)
    return counts, np.concatenate(moments), placed


def _kept(counts: NDArray[np.int32], frequent: int, room: int) -> NDArray[np.uint8]:
    """How many words of each slot to keep: of as many slots, from the first, as fit into `room` bytes."""
    kept = np.where(counts <= frequent, counts, LEFT_OUT).astype(np.uint8)
    sizes = _taken(kept).reshape(-1, BLOCK).sum(axis=1) * 4 + BLOCK + 4
    blocks = int(np.searchsorted(np.cumsum(sizes), room, side="right"))
    if not blocks:
        raise CorpusError("no index of so many pieces is so small: raise --at-most")
    return kept[: blocks * BLOCK]


def _fill(
    kept: NDArray[np.uint8],
    bits: int,
    pieces: Sequence[IndexedPiece],
    read: Callable[[int], Notes],
    tell: Callable[[int], None],
) -> NDArray[np.uint32]:
    """Read the corpus again and put every kept word into its slot; within a slot, places rise."""
    free = np.cumsum(_taken(kept))
    places = np.empty(int(free[-1]), dtype=np.uint32)
    free -= _taken(kept)
    for done, piece in enumerate(pieces):
        notes = read(done)
        hashes, query = ngrams(notes)
        slots = _slots(hashes, bits)
        inside = np.flatnonzero(slots < len(kept))
        inside = inside[kept[slots[inside]] != LEFT_OUT]
        inside = inside[np.argsort(slots[inside], kind="stable")]
        slots, query = slots[inside], query[inside]
        used, first, found = np.unique(slots, return_index=True, return_counts=True)
        rank = np.arange(len(slots)) - np.repeat(first, found)
        pitch = notes.pitch[order_by_chord(notes)][query].astype(np.int64) % (1 << PITCH_BITS)
        places[free[slots] + rank] = ((piece.start + query) << PITCH_BITS) + pitch
        free[used] += found
        tell(done + 1)
    return places


def _write(folder: Path, description: Mapping[str, Any], columns: Mapping[str, NDArray[Any]]) -> None:
    """Write all into a folder that takes its place when it is whole."""
    try:
        with atomic_folder(folder) as unfinished:
            for name, column in columns.items():
                np.save(unfinished / name, column)
            _write_description(unfinished, description)
    except OSError as error:
        why = error.strerror or str(error)
        raise CorpusError(f"{folder}: cannot be written ({why}); free some room or choose another --out") from error


def _write_description(folder: Path, description: Mapping[str, Any]) -> None:
    write_file(folder / DESCRIPTION, json.dumps(description, ensure_ascii=False, allow_nan=False).encode())

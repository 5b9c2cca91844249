"""Which files play the same composition, and to which split each composition belongs.

A work is a connected component of files linked by composer and catalogue number (a collection contains its numbers),
by composer and telling title, or by the share of passages. A work stands on one side only. What a corpus itself holds
out (MAESTRO's split; four of Grieg's pieces) stays apart: files that touch it are dropped. A work with a file that is
prescribed for training, or that the shipped weights were trained on, is training; the others are divided by a hash of
the work's id.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..names import fold_name
from .duplicates import Shares
from .labels import Label
from .titles import Number, Title, keys_agree, read_title

# Shares of the smaller file, each with the fewest passages. To keep out what is held out, 2 % and 20 passages are
# enough: 20 of 11,346 files more than with the second rule, half of them rightly. To join works they are not: octaves
# and runs chained 29 pieces by Liszt, Alkan and Saint-Saens into one; few passages must then be a larger share.
SHARES_OF_THE_HELD_OUT = ((0.02, 20),)
SHARES_OF_A_WORK = ((0.02, 100), (0.05, 20))
SAME_LENGTH = 1.5  # a file at most this much longer than the held-out one is a recording of it, not of a collection
HELD_OUT = ("test", "validation")  # the first wins
TEST_SHARE, VALIDATION_SHARE = 0.05, 0.05  # of the works for which nobody prescribes a side


@dataclass(frozen=True)
class Assignment:
    """The work and split of a file, or the `reason` why it is dropped."""

    work: str = ""
    split: str = ""
    reason: str = ""


def assign_splits(labels: Sequence[Label], note_counts: Sequence[int], shares: Shares) -> list[Assignment]:
    """Give each file its work and split, or the reason why it is dropped."""
    names = _NameLinks(labels)
    # The wide rule keeps out whatever might be held out; the narrow one joins the other files to works.
    dropped = _held_out_touches(labels, note_counts, _Links(names, shares, SHARES_OF_THE_HELD_OUT))
    links = _Links(names, shares, SHARES_OF_A_WORK)
    assignments = {index: Assignment(reason=reason) for index, reason in dropped.items()}
    ids: Counter[str] = Counter()
    # Held-out files are grouped apart, so that no work reaches over two sides.
    for held_out_split in (*HELD_OUT, ""):
        members = {
            index
            for index, label in enumerate(labels)
            if index not in dropped and _held_out_split(label) == held_out_split
        }
        for component in links.components(members):
            labels_of_work = [labels[index] for index in component]
            work = _work_id(labels_of_work, ids)
            split = held_out_split or _split_by_hash(work, labels_of_work)
            assignments |= {index: Assignment(work, split) for index in component}
    return [assignments[index] for index in range(len(labels))]


class _NameLinks:
    """Which files are linked by their labels: by catalogue number or telling title, within a composer.

    A file by "A / B" counts under both composers, one of no named composer under none: "Sonata No. 1" or "demo" may be
    anybody's, and shared passages still link it.
    """

    def __init__(self, labels: Sequence[Label]) -> None:
        self._keys: list[set[tuple[str, ...]]] = []
        self._bearers: dict[tuple[str, ...], set[int]] = defaultdict(set)
        self._items: dict[tuple[str, ...], set[str]] = defaultdict(set)
        titles = [read_title(label.composer, label.title) for label in labels]
        self._tonics = [title.key for title in titles]
        for label, title, names in zip(labels, titles, _telling_names(labels, titles), strict=True):
            composers = composer_names(label.composer)
            self._keys.append(names | {(composer, *number) for composer in composers for number in title.numbers})
        for index, keys in enumerate(self._keys):
            for key in keys:
                self._bearers[key].add(index)
                self._items[key[:3]].add(key[-1])

    def neighbours(self, index: int) -> set[int]:
        """Return the files that a file is linked to by name.

        Titles in different keys are no link: MAESTRO's numbers are partly those of the row above, counted on
        ("Sonata in G Major, D. 894", "D. 895", "D. 896").
        """
        named: set[int] = set()
        for key in self._keys[index]:
            items = {key[-1], ""} if key[-1] else self._items[key[:3]]
            named = named.union(*(self._bearers.get((*key[:3], item), ()) for item in items))
        return {neighbour for neighbour in named if keys_agree(self._tonics[index], self._tonics[neighbour])}


class _Links:
    """Which files are linked by name, or by sharing passages according to one of the `rules`."""

    def __init__(self, names: _NameLinks, shares: Shares, rules: Iterable[tuple[float, int]]) -> None:
        self._names = names
        self._alike: dict[int, set[int]] = defaultdict(set)
        for share, fewest in rules:
            for first, second in shares.at_least(share, fewest):
                self._alike[first].add(second)
                self._alike[second].add(first)

    def neighbours(self, index: int) -> set[int]:
        """Return the files directly linked to a file."""
        return self._alike.get(index, set()) | self._names.neighbours(index)

    def components(self, members: set[int]) -> Iterator[list[int]]:
        """Yield the connected components among `members`, each sorted, in order of their first."""
        seen: set[int] = set()
        for start in sorted(members):
            if start in seen:
                continue
            component, waiting = {start}, [start]
            while waiting:
                reached = (self.neighbours(waiting.pop()) & members) - component
                component |= reached
                waiting += reached
            seen |= component
            yield sorted(component)


def composer_names(composer: str) -> list[str]:
    """Return the folded names of all composers of a piece: "J. S. Bach / Ferruccio Busoni" has two, "" none."""
    names = (" ".join(re.findall(r"\w+", fold_name(name))) for name in re.split(r"\s+/\s+", composer))
    return [name for name in names if name]


def _telling_names(labels: Sequence[Label], titles: Sequence[Title]) -> list[set[tuple[str, ...]]]:
    """Return for each file the keys of its titles that link it to others.

    A title under which a composer has several catalogue numbers ("Lyric Pieces", "Sonata in D major") does not tell
    them apart: it links only files without a number.
    """
    numbers: dict[tuple[str, str], dict[str, set[Number]]] = defaultdict(lambda: defaultdict(set))
    keys = [
        {(composer, name) for composer in composer_names(label.composer) for name in title.names}
        for label, title in zip(labels, titles, strict=True)
    ]
    for file_keys, title in zip(keys, titles, strict=True):
        for key in file_keys:
            for number in title.numbers:
                numbers[key][number.system].add(number)
    # Numbers are compared within a catalogue: an opus and a Köchel number do not contradict each other.
    telling = {key for key, systems in numbers.items() if all(len(of_system) == 1 for of_system in systems.values())}
    return [
        {
            (composer, "title", name, "-")
            for composer, name in file_keys
            if not title.numbers or (composer, name) in telling
        }
        for file_keys, title in zip(keys, titles, strict=True)
    ]


def _held_out_split(label: Label) -> str:
    return label.split if label.split in HELD_OUT else ""


def _held_out_touches(labels: Sequence[Label], note_counts: Sequence[int], links: _Links) -> dict[int, str]:
    """Find the files that play held-out music: {file: the reason to drop it, which names that music}.

    A corpus's own split is taken at its word: its files that bear one title on two sides are different movements.
    A file about as long as the held-out one is the same work under whatever name; what is linked to it touches too.
    """
    dropped: dict[int, str] = {}
    for split in HELD_OUT:
        waiting = [(index, index) for index, label in enumerate(labels) if label.split == split]
        while waiting:
            root, index = waiting.pop()
            held_out = labels[root]
            for neighbour in sorted(links.neighbours(index)):
                is_settled = neighbour in dropped or _held_out_split(labels[neighbour])
                if is_settled or (labels[neighbour].split and labels[neighbour].corpus == held_out.corpus):
                    continue
                dropped[neighbour] = (
                    f"held out: plays {held_out.composer}, {held_out.title}, which {held_out.corpus} keeps for {split}"
                )
                if note_counts[neighbour] <= SAME_LENGTH * note_counts[root]:
                    waiting.append((root, neighbour))
    return dropped


def _work_id(labels: Sequence[Label], ids: Counter[str]) -> str:
    """Name a work by the commonest of its titles, with a number where an earlier work has that name."""
    titles = Counter(f"{label.composer}: {label.title}".removeprefix(": ") for label in labels)
    name = min(titles, key=lambda title: (-titles[title], title))
    ids[name] += 1
    return name if ids[name] == 1 else f"{name} ({ids[name]})"


def _split_by_hash(work: str, labels: Sequence[Label]) -> str:
    """Choose the split of a work that no corpus holds out: training where any of its files is bound to it."""
    if any(label.split or label.is_trained_on for label in labels):
        return "train"
    # A hash of the name, unlike a random draw, does not change when other files are added to the corpus.
    position = int.from_bytes(hashlib.sha256(work.encode()).digest()[:8], "big") / 2**64
    if position < TEST_SHARE:
        return "test"
    return "validation" if position < TEST_SHARE + VALIDATION_SHARE else "train"

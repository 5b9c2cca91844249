"""Which files play the same composition, and on which side of the split each composition stands.

A work is a connected component of files linked by composer and catalogue number (a collection contains its numbers),
by composer and telling title, or by the share of passages. A work stands on one side only. What a corpus itself holds
out (MAESTRO's split; four of Grieg's pieces) stays apart: files that touch it are dropped. A work with a file that is
prescribed for training is training; the others are divided by a hash of the work's id.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """What becomes of a file: its work's id and side, or the `reason` for which it is dropped."""

    work: str = ""
    split: str = ""
    reason: str = ""


def assign_splits(labels: Sequence[Label], note_counts: Sequence[int], shares: Shares) -> list[Assignment]:
    """Give each file its work and side, or the reason why it is dropped."""
    links = _Links(labels)
    links.alike = _partners(shares, SHARES_OF_THE_HELD_OUT)
    dropped = _touching(labels, note_counts, links)
    links.alike = _partners(shares, SHARES_OF_A_WORK)
    places = {index: Assignment(reason=reason) for index, reason in dropped.items()}
    ids: Counter[str] = Counter()
    for side in (*HELD_OUT, ""):
        chosen = {i for i, label in enumerate(labels) if i not in dropped and _held_out(label) == side}
        for group in links.components(chosen):
            work = _work_id([labels[index] for index in group], ids)
            split = side or _side(work, [labels[index] for index in group])
            places |= {index: Assignment(work, split) for index in group}
    return [places[index] for index in range(len(labels))]


def _partners(shares: Shares, rules: Iterable[tuple[float, int]]) -> dict[int, set[int]]:
    """For each file, those that sound alike by one of the rules."""
    partners: dict[int, set[int]] = defaultdict(set)
    for share, fewest in rules:
        for one, other in shares.at_least(share, fewest):
            partners[one].add(other)
            partners[other].add(one)
    return partners


class _Links:
    """Who is linked to whom, by name or, in `alike`, by sound. Names count within a composer; "A / B" is both."""

    def __init__(self, labels: Sequence[Label]) -> None:
        self.alike: Mapping[int, set[int]] = {}
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
        """Give the files directly linked to a file.

        Titles in different keys are no link: MAESTRO's numbers are partly those of the row above, counted on
        ("Sonata in G Major, D. 894", "D. 895", "D. 896").
        """
        named: set[int] = set()
        for key in self._keys[index]:
            items = {key[-1], ""} if key[-1] else self._items[key[:3]]
            named = named.union(*(self._bearers.get((*key[:3], item), ()) for item in items))
        return self.alike.get(index, set()) | {
            other for other in named if keys_agree(self._tonics[index], self._tonics[other])
        }

    def components(self, members: set[int]) -> Iterator[list[int]]:
        """Give the connected components among `members`, each sorted, in order of their first."""
        seen: set[int] = set()
        for start in sorted(members):
            if start in seen:
                continue
            group, waiting = {start}, [start]
            while waiting:
                new = (self.neighbours(waiting.pop()) & members) - group
                group |= new
                waiting += new
            seen |= group
            yield sorted(group)


def composer_names(composer: str) -> list[str]:
    """Fold the names of those who had a hand in a piece: "J. S. Bach / Ferruccio Busoni" is both."""
    return [" ".join(re.findall(r"\w+", fold_name(name))) for name in re.split(r"\s+/\s+", composer)]


def _telling_names(labels: Sequence[Label], titles: Sequence[Title]) -> list[set[tuple[str, ...]]]:
    """Keys of the titles that link files, one set for each file.

    A title under which a composer has several catalogue numbers ("Lyric Pieces", "Sonata in D major") does not tell
    them apart: it links only files without a number.
    """
    numbers: dict[tuple[str, str], dict[str, set[Number]]] = defaultdict(lambda: defaultdict(set))
    keys = [
        {(c, name) for c in composer_names(label.composer) for name in title.names}
        for label, title in zip(labels, titles, strict=True)
    ]
    for mine, title in zip(keys, titles, strict=True):
        for key in mine:
            for number in title.numbers:
                numbers[key][number.system].add(number)
    telling = {key for key, systems in numbers.items() if all(len(found) == 1 for found in systems.values())}
    return [
        {(c, "title", name, "-") for c, name in mine if not title.numbers or (c, name) in telling}
        for mine, title in zip(keys, titles, strict=True)
    ]


def _held_out(label: Label) -> str:
    return label.split if label.split in HELD_OUT else ""


def _touching(labels: Sequence[Label], note_counts: Sequence[int], links: _Links) -> dict[int, str]:
    """Find the files that play what is held out, and say of each what it plays.

    A corpus's own split is taken at its word: its files that bear one title on two sides are different movements.
    A file about as long as the held-out one is the same work under whatever name; what is linked to it touches too.
    """
    dropped: dict[int, str] = {}
    for side in HELD_OUT:
        held = [index for index, label in enumerate(labels) if label.split == side]
        waiting = [(index, index) for index in held]
        while waiting:
            root, index = waiting.pop()
            for other in sorted(links.neighbours(index)):
                is_known = other in dropped or _held_out(labels[other])
                if is_known or (labels[other].split and labels[other].corpus == labels[root].corpus):
                    continue
                dropped[other] = _why(labels[root], side)
                if note_counts[other] <= SAME_LENGTH * note_counts[root]:
                    waiting.append((root, other))
    return dropped


def _why(label: Label, side: str) -> str:
    return f"held out: plays {label.composer}, {label.title}, which {label.corpus} keeps for {side}"


def _work_id(labels: Sequence[Label], ids: Counter[str]) -> str:
    """Name a work by the commonest of its titles; a number tells apart different works of one name."""
    titles = Counter(f"{label.composer}: {label.title}".removeprefix(": ") for label in labels)
    name = min(titles, key=lambda title: (-titles[title], title))
    ids[name] += 1
    return name if ids[name] == 1 else f"{name} ({ids[name]})"


def _side(work: str, labels: Sequence[Label]) -> str:
    if any(label.split for label in labels):
        return "train"
    place = int.from_bytes(hashlib.sha256(work.encode()).digest()[:8], "big") / 2**64
    if place < TEST_SHARE:
        return "test"
    return "validation" if place < TEST_SHARE + VALIDATION_SHARE else "train"

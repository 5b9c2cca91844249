"""Label a file with composer, title, corpus, source and licence.

A name alone claims no corpus and no licence. MAESTRO is known by its table beside the files, with the official split;
GiantMIDI-Piano ("Surname, First, Title, youtube-id.mid") and the sixteen pieces by Grieg of piano-midi.de by the hash
of the file. Any other file is the user's own, and its name is its title. What the user says overrides all of it. What
makes two titles one work is decided in `works`.
"""

from __future__ import annotations

import csv
import html
import io
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ..errors import CorpusError
from ..names import escape_name
from ..untrusted import parse_json, read_within
from .known import HASH_BYTES, is_giantmidi, is_trained_on

LARGEST_TABLE = 64 * 2**20  # bytes; MAESTRO's has 0.3 MB
SPLITS = ("train", "validation", "test")
SOURCES = ("measured", "transcribed", "sequenced")
MAESTRO, GIANTMIDI, PIANO_MIDI_DE, OWN = "maestro", "giantmidi", "piano-midi.de", "own"


@dataclass(frozen=True)
class Label:
    """What is known of a file besides its notes; `split` is "" where no corpus prescribes it.

    What the shipped weights were trained on (`is_trained_on`) is never held out, whatever work it turns out to play.
    """

    composer: str
    title: str
    corpus: str
    source: str
    licence: str
    split: str = ""
    is_trained_on: bool = False


_MAESTRO = Label("", "", MAESTRO, "measured", "CC BY-NC-SA 4.0")
_GIANTMIDI = Label("", "", GIANTMIDI, "transcribed", "CC BY 4.0")
_PIANO_MIDI_DE = Label("Edvard Grieg", "", PIANO_MIDI_DE, "sequenced", "CC BY-SA 3.0 DE")
_OWN = Label("", "", OWN, "sequenced", "")

# By the first 8 bytes of the file's SHA-256.
# Opus and number as published by the composer; where a corpus has a recording of the opus, its fingerprint agrees.
# The held-out ones are held out of every model. They are those whose opus no MAESTRO training file plays a part of.
_GRIEG = {
    "30cab6aff8139225": ("Album Leaf, Op. 47 No. 2", "train"),
    "831eb60947d27ae2": ("Cradle Song, Op. 38 No. 1", "train"),
    "4bf3434aa9276560": ("Brooklet, Op. 62 No. 4", "test"),
    "5c12379d8052d971": ("Butterfly, Op. 43 No. 1", "train"),
    "ffb6532e22ba44bc": ("Elves' Dance, Op. 12 No. 4", "train"),
    "0335f229a6a277ce": ("Halling, Op. 38 No. 4", "train"),
    "27a4c829cddb3768": ("Puck, Op. 71 No. 3", "test"),
    "c665063d3017e602": ("Norwegian March, Op. 54 No. 2", "train"),
    "1bbfdb4cfc09c6d1": ("Once Upon a Time, Op. 71 No. 1", "test"),
    "4f39a830cdbc6653": ("To Spring, Op. 43 No. 6", "train"),
    "a1b17ef39d322929": ("Little Bird, Op. 43 No. 4", "train"),
    "4b4298865bc956ed": ("Watchman's Song, Op. 12 No. 3", "train"),
    "bea4eb63d0e98c14": ("Waltz, Op. 12 No. 2", "train"),
    "66465325070466e5": ("Lonely Wanderer, Op. 43 No. 2", "train"),
    "c76aca0d297dda42": ("Wedding Day at Troldhaugen, Op. 65 No. 6", "validation"),
    "125943b126d5cb35": ("March of the Dwarfs, Op. 54 No. 3", "train"),
}

# GiantMIDI's spellings of composers whom MAESTRO has too
_SPELLINGS = {
    "Aleksandr Scriabin": "Alexander Scriabin",
    "Pyotr Tchaikovsky": "Pyotr Ilyich Tchaikovsky",
    "Nikolay Medtner": "Nikolai Medtner",
    "Nikolay Rimsky-Korsakov": "Nikolai Rimsky-Korsakov",
}

_YOUTUBE_NAME = re.compile(r"^(?P<names>.+, .+), [A-Za-z0-9_-]{11}$")
_MAESTRO_COLUMNS = ("midi_filename", "canonical_composer", "canonical_title", "split")


def read_maestro_table(folder: Path) -> dict[str, Label]:
    """Read MAESTRO's tables in `folder` or below, csv or JSON: labels by file name relative to `folder`.

    Raises CorpusError when a table is there but is not MAESTRO's.
    """
    labels: dict[str, Label] = {}
    for path in sorted(path for kind in ("csv", "json") for path in folder.rglob(f"maestro-v*.{kind}")):
        if not path.is_file():
            continue
        try:
            rows = _read_rows(path)
        except (OSError, KeyError, TypeError, AttributeError, ValueError, RecursionError, csv.Error) as error:
            raise CorpusError(f"{path}: cannot be read as MAESTRO's table ({error!r}); fetch it again") from error
        parent = path.parent.relative_to(folder)
        for file, composer, title, split in rows:
            if split not in SPLITS:
                raise CorpusError(f"{path}: {file} is in split {split!r}, and MAESTRO has {', '.join(SPLITS)}")
            label = replace(_MAESTRO, composer=_tidy(composer), title=_tidy(title), split=split)
            labels[(parent / file).as_posix()] = label
    return labels


def _read_rows(path: Path) -> list[tuple[str, ...]]:
    """Read file, composer, title and split of each row; JSON holds one object of rows by number for each column."""
    if path.suffix == ".json":
        columns = parse_json(read_within(path, LARGEST_TABLE))
        return [tuple(str(columns[name][row]) for name in _MAESTRO_COLUMNS) for row in columns["midi_filename"]]
    with io.StringIO(read_within(path, LARGEST_TABLE).decode(), newline="") as file:
        return [tuple(str(row[name]) for name in _MAESTRO_COLUMNS) for row in csv.DictReader(file)]


def label_file(file: str, sha256: str, table: Mapping[str, Label], overrides: Mapping[str, str]) -> Label:
    """Label `file` (relative to its folder) by the hexadecimal SHA-256 of its bytes and by the table beside it.

    `overrides` (composer, source, licence) are what the user says of all files; empty ones say nothing.
    """
    label = table.get(file) or _label_by_content(PurePosixPath(file).stem, sha256)
    given = {name: escape_name(text) for name, text in overrides.items() if text}
    is_bound = is_trained_on(sha256)  # on whatever side a table puts it: MAESTRO's versions differ
    split = "train" if is_bound and label.split else label.split
    return replace(label, split=split, is_trained_on=is_bound, **given)


def _label_by_content(stem: str, sha256: str) -> Label:
    if piece := _GRIEG.get(sha256[: 2 * HASH_BYTES]):
        title, split = piece
        return replace(_PIANO_MIDI_DE, title=title, split=split)
    own_title = _tidy(stem.replace("_", " "))
    if not is_giantmidi(sha256):
        return replace(_OWN, title=own_title)
    match = _YOUTUBE_NAME.match(stem)
    composer, title = split_giantmidi_name(match["names"]) if match else ("", own_title)
    return replace(_GIANTMIDI, composer=composer, title=title)


def split_giantmidi_name(names: str) -> tuple[str, str]:
    """Split "Surname, First, Title, with, commas" into composer "First Surname" and title.

    A name that ends in a preposition goes before the surname as it does in speech: "Indy, Vincent d'".
    """
    surname, _, rest = _tidy(html.unescape(names)).partition(", ")
    first, _, title = rest.partition(", ")
    if not title:
        first, title = "", rest
    composer = first + surname if first.endswith("'") else f"{first} {surname}".strip()
    return _SPELLINGS.get(composer, composer), title.replace("_", "/")


def _tidy(text: str) -> str:
    """Compose accents (NFC), make every run of spaces one, and escape what cannot be shown."""
    plain = unicodedata.normalize("NFC", text).replace("\ufeff", "")  # a byte order mark stands in one GiantMIDI name
    return escape_name(" ".join(plain.split()))

"""The composer and title of a file, from a corpus's own table, from file names or from the user.

Knows MAESTRO (its csv, with the official split), GiantMIDI-Piano ("Surname, First, Title, youtube-id.mid") and the
sixteen pieces by Grieg of piano-midi.de; any other file is the user's own, and its name is its title. What makes two
titles one work is decided in `works`.
"""

from __future__ import annotations

import csv
import html
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ..errors import CorpusError

SPLITS = ("train", "validation", "test")
SOURCES = ("measured", "transcribed", "sequenced")
MAESTRO, GIANTMIDI, PIANO_MIDI_DE, OWN = "maestro", "giantmidi", "piano-midi.de", "own"


@dataclass(frozen=True)
class Label:
    """What is known of a file before it is read; `split` is "" where no corpus prescribes it."""

    composer: str
    title: str
    corpus: str
    source: str
    licence: str
    split: str = ""


_MAESTRO = Label("", "", MAESTRO, "measured", "CC BY-NC-SA 4.0")
_GIANTMIDI = Label("", "", GIANTMIDI, "transcribed", "CC BY 4.0")
_PIANO_MIDI_DE = Label("Edvard Grieg", "", PIANO_MIDI_DE, "sequenced", "CC BY-SA 3.0 DE")
_OWN = Label("", "", OWN, "sequenced", "")

# Opus and number as published by the composer; where a corpus has a recording of the opus, its fingerprint agrees.
# The held-out ones are held out of every model. They are those whose opus no MAESTRO training file plays a part of.
_GRIEG = {
    "album": ("Album Leaf, Op. 47 No. 2", "train"),
    "berceuse": ("Cradle Song, Op. 38 No. 1", "train"),
    "brooklet": ("Brooklet, Op. 62 No. 4", "test"),
    "butterfly": ("Butterfly, Op. 43 No. 1", "train"),
    "elfentanz": ("Elves' Dance, Op. 12 No. 4", "train"),
    "halling": ("Halling, Op. 38 No. 4", "train"),
    "kobold": ("Puck, Op. 71 No. 3", "test"),
    "march": ("Norwegian March, Op. 54 No. 2", "train"),
    "once_upon_a_time": ("Once Upon a Time, Op. 71 No. 1", "test"),
    "spring": ("To Spring, Op. 43 No. 6", "train"),
    "voeglein": ("Little Bird, Op. 43 No. 4", "train"),
    "waechter": ("Watchman's Song, Op. 12 No. 3", "train"),
    "walzer": ("Waltz, Op. 12 No. 2", "train"),
    "wanderer": ("Lonely Wanderer, Op. 43 No. 2", "train"),
    "wedding": ("Wedding Day at Troldhaugen, Op. 65 No. 6", "validation"),
    "zwerge": ("March of the Dwarfs, Op. 54 No. 3", "train"),
}

# GiantMIDI's spellings of composers whom MAESTRO has too
_SPELLINGS = {
    "Aleksandr Scriabin": "Alexander Scriabin",
    "Pyotr Tchaikovsky": "Pyotr Ilyich Tchaikovsky",
    "Nikolay Medtner": "Nikolai Medtner",
    "Nikolay Rimsky-Korsakov": "Nikolai Rimsky-Korsakov",
}

_YOUTUBE_NAME = re.compile(r"^(?P<names>.+, .+), (?P<video>[A-Za-z0-9_-]{11})$")


def read_maestro_table(folder: Path) -> dict[str, Label]:
    """Read MAESTRO's csv, where `folder` has one: labels by file name relative to the folder.

    Raises CorpusError when a table is there but is not MAESTRO's.
    """
    labels: dict[str, Label] = {}
    for path in sorted(folder.glob("maestro-v*.csv")):
        try:
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    composer, title = _tidy(row["canonical_composer"]), _tidy(row["canonical_title"])
                    labels[row["midi_filename"]] = replace(_MAESTRO, composer=composer, title=title, split=row["split"])
        except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
            raise CorpusError(f"{path}: cannot be read as MAESTRO's table ({error!r}); fetch it again") from error
    return labels


def label_file(file: str, table: Mapping[str, Label], overrides: Mapping[str, str]) -> Label:
    """Label `file` (relative to its folder); what the user gives (composer, source, licence) wins."""
    known = table.get(file) or _from_name(PurePosixPath(file).stem)
    return replace(known, **{name: value for name, value in overrides.items() if value})


def _from_name(stem: str) -> Label:
    match = _YOUTUBE_NAME.match(stem)
    if match:
        composer, title = split_giantmidi_name(match["names"])
        return replace(_GIANTMIDI, composer=composer, title=title)
    maker, _, piece = stem.partition("_")
    if maker == "grieg" and piece in _GRIEG:
        title, split = _GRIEG[piece]
        return replace(_PIANO_MIDI_DE, title=title, split=split)
    return replace(_OWN, title=_tidy(stem.replace("_", " ")))


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
    """Compose accents (NFC) and make every run of spaces one."""
    return " ".join(unicodedata.normalize("NFC", text).split())

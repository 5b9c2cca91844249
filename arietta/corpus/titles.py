"""Read catalogue numbers, telling names and the key from the title of a work.

    read_title("Johann Sebastian Bach", "Prelude and Fugue in C Minor, WTC I, BWV 847").numbers
    -> {Number("bwv", "847", "")}

Numbers are read in the spellings found in MAESTRO, GiantMIDI-Piano (IMSLP's) and piano-midi.de. Whether two titles
are one work is decided in `works`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..names import fold_name


class Number(NamedTuple):
    """A catalogue number, say ("op", "10", "3"); `item` is "" for the whole of what bears the number."""

    system: str
    number: str
    item: str


@dataclass(frozen=True)
class Title:
    """What a title says of the work.

    `numbers` may be several; `names` identify a work of a composer without one, and are empty for a title that does
    not ("3 Preludes", "Sonata"). `key` is as in `_KEYS`, "" where the title has none or several.
    """

    numbers: frozenset[Number]
    names: frozenset[str]
    key: str


# Abbreviations of catalogues; a single letter must be a capital, and counts only before a number.
_SYSTEMS = (
    "BWV Anh|BuxWV|BWV|HWV|GWV|LWV|WWV|MWV|TrV|WAB|WoO|FVB|CNW|IFP|RCT|Opp|Opus|Op|BV|CG|EG|EV|FP|GP|HC|JB|JW|KV|OL|RT"
    "|SC|SO|Sz|TH|WO|Hess|A|B|C|D|F|H|K|L|M|P|R|S|T|W|Z"
)
_ALIASES = {"opp": "op", "opus": "op", "kv": "k"}
# What may follow a first item: "Nos. 1-3 & 5", "Nos. 4, 6 and No. 7".
_JOINED = r"(?:\s*(?:,|&|,?\s+and\b|-|–)\s*(?:[Nn]o\.?\s*)?\d+(?![\w.]))*"
_NUMBER = re.compile(
    rf"(?<![\w.'’])(?<!\bin )(?P<system>{_SYSTEMS}|(?i:opus|op|woo|bwv))(?:\.\s?|\s)?\s?"
    r"(?:Anh\.?\s?[A-Z]?\s?)?(?:[Pp]osth\.?\s?)?(?P<number>\d+(?:[a-z]\d?|bis)?)(?![\w])(?!\s?(?:st|nd|rd|th)\b)"
    r"(?:\s?[-–]\s?(?P<last>\d+)(?!\w)|(?P<alternative>/\d+[a-z]?(?!\w)))?"
    rf"(?P<items>,?\s*(?:[Nn]os?|[Nn]rs?|#)\.?\s?\d+(?!\w){_JOINED})?"
)
_HOBOKEN = re.compile(r"\bHob\.?\s?(?P<group>[IVX]+[a-z]?)\s?[:/]\s?(?P<number>[A-Z]?\d+[a-z]?)")
_ORDINAL = re.compile(r"\b[Nn](?:os?|rs?)\.?\s?(\d+)")
_YEAR = re.compile(r"\((?:1[5-9]|20)\d\d\)")  # of a version: "Sonata No. 2, Op. 36 (1913)"
# MAESTRO titles end in the movements played ("I. Allegro"), which name the same work.
_MOVEMENT = re.compile(
    r"(?:,|\s)\s*(?:I|II|III|IV|V|VI)\.\s.*$|,?\s*\b(?:first|second|third|last|1st|2nd|3rd)\s+mov.*$", re.I
)
# MAESTRO's files, where its table is not beside them: what their names count are rounds, tracks and years.
_RECORDING = re.compile(r"(?:MIDI-Unp|ORIG-MIDI)\S*\s.*\bwav\b", re.I)
_QUOTED = re.compile(r"[\"“”„«»]\s*([^\"“”„«»]{4,}?)[,.]?\s*[\"“”„«»]|(?<!\w)['‘’]([^'‘’]{4,}?)[,.]?['‘’](?!\w)")
_WELL_TEMPERED = re.compile(
    r"\b(?:WTC|WTK|Book|wohltemperierte Klavier|Well.Tempered Clavier),?\s*(?:Book\s*)?(II|I|2|1)\b", re.I
)
_KEY = re.compile(
    r"\b(?:in\s+)?([A-H])[\s-]*(flat|sharp|b|#|♭|♯)?[\s-]*(maj(?:or)?|min(?:or)?|dur|moll)\b\.?"
    r"|\bin\s+(?-i:([A-G]))[\s-]*(flat|sharp|b|#|♭|♯)?(?=\s*(?:$|[,;:(]|(?-i:[A-Z])\w*\.?\s?\d))",
    re.I,
)
# In the order of the Well-Tempered Clavier, so that an index is an offset from BWV 846 or 870.
_KEYS = "C c C# c# D d D# d# E e F f F# f# G g G# g# A a A# a# B b".split()
_FLATS = {"D": "C#", "E": "D#", "G": "F#", "A": "G#", "B": "A#", "C": "B", "F": "E"}
_SHARPS_WITHIN = {"E#": "F", "B#": "C"}


def read_title(composer: str, title: str) -> Title:
    """Read the catalogue numbers and names of a work by `composer` ("A / B" where two had a hand in it).

    The name of a recording that stands for a title tells nothing of the work.
    """
    if _RECORDING.match(title):
        return Title(frozenset(), frozenset(), "")
    hoboken = {Number("hob", f"{match['group']}:{match['number']}".lower(), "") for match in _HOBOKEN.finditer(title)}
    numbers = hoboken | set(_numbers(title))
    if not numbers and "Bach" in composer:
        numbers |= set(_well_tempered(title))
    keys = {_key(match) for match in _KEY.finditer(title)}
    return Title(frozenset(numbers), frozenset(_names(title)), keys.pop() if len(keys) == 1 else "")


def _numbers(title: str) -> list[Number]:
    matches = list(_NUMBER.finditer(_HOBOKEN.sub("", title)))
    ordinal = _ORDINAL.search(title[: matches[0].start()]) if matches else None
    items = next((_expand(match["items"]) for match in matches if match["items"]), None)
    items = items or next((_slash(match) for match in matches if _slash(match)), None)
    items = items or ([ordinal[1]] if ordinal else [""])
    return [
        Number(system, number, item) for match in matches for system, number in _catalogued(match) for item in items
    ]


def _slash(match: re.Match[str]) -> list[str]:
    """The item in "Op. 10/3"; Köchel's "K. 352/374c" is two numbers of one work instead."""
    is_item = match["alternative"] and not match["system"].upper().startswith("K")
    return [match["alternative"][1:]] if is_item else []


def _catalogued(match: re.Match[str]) -> Iterator[tuple[str, str]]:
    system = fold_name(match["system"]).replace(" ", "")
    system = _ALIASES.get(system, system) + ("anh" if "Anh" in match[0] and "Anh" not in match["system"] else "")
    yield system, match["number"]
    if match["alternative"] and system.startswith("k"):
        yield system, match["alternative"][1:]
    if match["last"] and match["number"].isdigit():
        first, last = int(match["number"]), int(match["last"])
        # At most 200, so that a slip such as "Op. 1-99999" adds no more.
        yield from ((system, str(number)) for number in range(first + 1, min(last, first + 200) + 1))


def _expand(items: str) -> list[str]:
    """Expand "Nos. 1-3 & 5" to 1, 2, 3, 5."""
    numbers: list[int] = []
    for text, value in re.findall(r"([-–]?)\s*(?:[Nn]o\.?\s*)?(\d+)", items):
        numbers += range(numbers[-1] + 1, int(value)) if text and numbers else []
        numbers.append(int(value))
    return [str(number) for number in numbers]


def _well_tempered(title: str) -> Iterator[Number]:
    """The 48 preludes and fugues by book and key, or by book and number."""
    book, key, ordinal = _WELL_TEMPERED.search(title), _KEY.search(title), _ORDINAL.search(title)
    if not book or not re.search(r"prelude|fug|wohl|well|wt[ck]", title, re.I):
        return
    first = 846 if book[1] in ("I", "1", "i") else 870
    if ordinal and int(ordinal[1]) <= 24:
        yield Number("bwv", str(first + int(ordinal[1]) - 1), "")
    elif key and _key(key) in _KEYS:
        yield Number("bwv", str(first + _KEYS.index(_key(key))), "")
    else:
        yield from (Number("bwv", str(first + index), "") for index in range(24))


def _key(match: re.Match[str]) -> str:
    """Name a key as in `_KEYS`: sharps only, lower case for minor; with "?" when the title says only "in A"."""
    note, accidental = (match[1] or match[4]).upper(), (match[2] or match[5] or "").lower()
    if accidental in ("flat", "b", "♭"):
        note = _FLATS.get(note, note)
    elif accidental:
        note = _SHARPS_WITHIN.get(note + "#", note + "#")
    if not match[3]:
        return note + "?"
    return note if match[3].lower() in ("maj", "major", "dur") else note.lower()


def keys_agree(first: str, second: str) -> bool:
    """Tell whether two titles' keys can be one: an unknown one agrees with any, "in A" with both A major and minor."""
    if not first or not second or first == second:
        return True
    return "?" in first + second and first.rstrip("?").upper() == second.rstrip("?").upper()


# Names

# Words that editions add to or leave out of one title.
_DROPPED = frozenset(
    """
    complete for from the a an of and de du des la le les l d in on sur piano keyboard harpsichord clavier
    klavier solo no nr nos op or et und minor major flat sharp book livre set vol arr transcription edition
    movement
    """.split()
)
# Words that name a kind of piece; a title of these alone ("3 Preludes") is borne by many works of a composer.
_FORMS = frozenset(
    """
    adagio air album albumblatt albumblatter allegretto allegro andante andantino arabesque aria bagatelle
    bagatelles ballad ballade ballades barcarola barcarolle berceuse bourree canon canzonetta capriccio caprice
    caprices chaconne character charakterstucke concert concerto contredanse courante dance dances danse danses
    divertimento duet duets duo easy ecossaise ecossaises eight elegie elegy esquisses etude etuden etudes
    fantaisie fantasia fantasie fantasien fantasy five four fuga fugue fugues gavotte gigue grand grande hands
    humoreske humoresque humoresques impromptu impromptus improvisation improvisations intermezzi intermezzo
    invention inventions klavierstuck klavierstucke landler leaf legende lied lieder lyric mains march marche
    marches marsch mazurek mazurka mazurkas melodie melodies melody menuet menuett miniatures minuet minuets
    moment moments morceau morceaux musical musicaux nine nocturne nocturnes nocturno novelette novelettes ohne
    organ original overture own paroles partita pastorale pezzi pezzo pictures piece pieces polka polkas
    polonaise polonaises pour praludium prelude preludes preludio quadrille quartet quatre rag reverie
    rhapsodie rhapsody romance romances romanze rondeau rondo salon sans sarabande scherzi scherzo scherzos
    serenade seven short sinfonia six sketch sketches small sonata sonatas sonate sonaten sonatina sonatinas
    sonatine song songs stuck stucke studies study suite suites tanz tanze tarantella tarantelle ten thema
    theme three toccata toccatas trio twelve two valse valses variation variations variazioni violin waltz
    waltzes walzer without word words worte
    """.split()
)


def _names(title: str) -> Iterator[str]:
    """Give what identifies the work among its composer's: a nickname, a telling title, or a form with number or key."""
    for quoted in _QUOTED.finditer(title):
        words = _words(quoted[1] or quoted[2])
        if len("".join(words)) > 4 and not _is_generic(words):
            yield " ".join(words)
    plain = _MOVEMENT.sub("", _YEAR.sub("", _NUMBER.sub("", _HOBOKEN.sub("", title))))
    ordinal, key = _ORDINAL.search(plain), _KEY.search(plain)
    words = _words(_KEY.sub("", _QUOTED.sub(" ", _ORDINAL.sub("", plain))))
    name = " ".join(words)  # numbers too: "Sonetto 104" and "Sonetto 123", "demo 1" and "demo 2" are different works
    if not name:
        return
    if ordinal:
        yield f"{name} no {ordinal[1]}"
    elif key:
        yield f"{name} in {_key(key)}"
    elif not _is_generic(words):
        yield name


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"\w+", fold_name(text)) if word not in _DROPPED]


def _is_generic(words: list[str]) -> bool:
    return all(word in _FORMS or word.isdigit() for word in words)

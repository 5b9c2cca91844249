"""Names as people type them and see them: in any case, order and spelling, the nearest to a misspelling, escaped.

The name of a file is bytes. Python holds it as text in which a byte that is not UTF-8 is a lone surrogate, so that
`os.fsencode` gives the bytes back; no encoding can write such text. `escape_name` makes it fit to be shown.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence


def fold_name(name: str) -> str:
    """Return the name in lower case, without accents, with single spaces."""
    if not name.isascii():
        name = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return " ".join(name.casefold().split())


def same_name(first: str, second: str) -> bool:
    """Whether two names differ at most in case, accents and spaces."""
    return fold_name(first) == fold_name(second)


# Letters that spell one sound in the ways of writing Russian, Polish and German names; a digit keeps ch from c.
_SOUNDS = (
    *(("tsch", "4"), ("tch", "4"), ("sch", "s"), ("ch", "4"), ("kh", "4"), ("sh", "s"), ("ph", "f"), ("ck", "k")),
    *(("ou", "u"), ("ae", "a"), ("oe", "o"), ("ue", "u"), ("c", "k"), ("x", "ks"), ("w", "v"), ("z", "s")),
    *(("j", "i"), ("y", "i")),
)


def match_names(typed: str, names: Sequence[str]) -> list[str]:
    """Return those of `names` that a typed name may mean, by surname, with or without given names or initials.

    Given names alone, whole ones, mean all who bear them where nobody has that surname. The surname may come first,
    before a comma or not, and be spelled in other ways: "JS Bach", "chopin, frederic", "Rachmaninov". A name with a
    slash, as arrangements have it, is meant by itself alone.
    """
    if same := [name for name in names if same_name(typed, name)]:
        return same
    surname, _, given = typed.rpartition(",") if "," in typed else ("", "", typed)
    words = _words(f"{given} {surname}")
    for order in (words, words[1:] + words[:1]):
        if meant := [name for name in names if " / " not in name and _is_short_for(order, _words(name))]:
            return meant
    return [name for name in names if words and " / " not in name and set(words) <= set(_words(name)[:-1])]


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", fold_name(name))


def _is_short_for(typed: Sequence[str], name: Sequence[str]) -> bool:
    """Whether a typed name ends in the surname of a person, and all words before stand for given names, in order."""
    if not typed or not name or _sound(typed[-1]) != _sound(name[-1]):
        return False
    left = list(name[:-1])
    for word in typed[:-1]:
        # A word stands for names by their first letters (JS), or for one by its beginning (J, Joh, Johann, Johannes).
        initials = "".join(part[0] for part in left)
        if 1 < len(word) <= len(left) and word in initials:
            left = left[initials.index(word) + len(word) :]
            continue
        at = next(
            (at for at, part in enumerate(left) if part.startswith(word) or _sound(part)[:3] == _sound(word)[:3]), None
        )
        if at is None:
            return False
        left = left[at + 1 :]
    return True


def _sound(word: str) -> str:
    """Spell a folded word by its sounds, so that ways of writing it in Latin letters become one."""
    for letters, sound in _SOUNDS:
        word = word.replace(letters, sound)
    word = re.sub(r"(.)\1+", r"\1", word)
    return re.sub(r"(?<=..)f$", "v", re.sub(r"(?<=..)e$", "", word))  # Prokofieff, Scriabine


def nearest_names(name: str, names: Sequence[str], count: int = 3) -> str:
    """List the `count` of `names` most like `name`, by whole name or surname, as a phrase for an error message.

    Empty names, as pieces of no named composer have, are left out.
    """
    # Half as strict as difflib's 0.6, so that a bad misspelling is answered too.
    matches = close_names(name, names, count, cutoff=0.3)
    # A name like none of them still shows what there is.
    return ", ".join(matches or [known for known in names if known.strip()][:count])


def close_names(name: str, names: Sequence[str], count: int = 3, *, cutoff: float) -> list[str]:
    """Return at most `count` of `names` like `name`, by whole name or surname, from difflib's ratio `cutoff` on.

    Empty names are like none.
    """
    by_key: dict[str, list[str]] = {}  # a surname may belong to several people
    for known in names:
        for key in (fold_name(part) for part in (known, *known.split()[-1:]) if known.strip()):
            by_key.setdefault(key, []).append(known)
    # Twice as many keys as are asked for, because a whole name and its surname are two keys of one person.
    keys = difflib.get_close_matches(fold_name(name), by_key, n=2 * count, cutoff=cutoff)
    return list(dict.fromkeys(known for key in keys for known in by_key[key]))[:count]


def suggest(name: str, known: Iterable[str]) -> str:
    """Return in brackets which of the `known` names is meant by one that is not known; nothing where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""


def printable(text: str, *, and_also: str = "") -> str:
    """Leave out what no page and no XML can hold: control characters and their like, but for those of `and_also`."""
    if text.isprintable():  # nearly always, and a thousand times faster than a look at each letter
        return text
    return "".join(letter for letter in text if letter.isprintable() or letter in and_also)


def escape_name(name: object) -> str:
    """Return a name, of a file above all, as it can be shown on one line: what has no picture of its own is escaped.

    Escaped are bytes that are not UTF-8 ("caf\\xe9.mid"), line breaks, control characters, marks that turn the
    direction of writing.
    """
    text = str(name)
    return text if text.isprintable() else "".join(sign if is_shown(sign) else _escape(sign) for sign in text)


def is_shown(sign: str) -> bool:
    """Tell whether a character has a picture, is a space, or joins such characters."""
    # Joiners hold emoji and letters of Indian and Persian words together; spaces of all widths are only spaces.
    return sign.isprintable() or sign in "\u200c\u200d" or unicodedata.category(sign) == "Zs"


def _escape(sign: str) -> str:
    is_byte = "\udc80" <= sign <= "\udcff"  # os.fsdecode adds 0xDC00 to a byte that is not UTF-8
    return f"\\x{ord(sign) - 0xDC00:02x}" if is_byte else sign.encode("unicode_escape").decode()

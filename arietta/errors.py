"""The errors a user can meet.

Each message names the file (or the field), the offence, the value found and what would be right; the command
line prints it after `arietta:` and exits with code 2, the server answers it with a 4xx status.
"""

from __future__ import annotations

import errno
import numbers
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


class AriettaError(Exception):
    """Root of every error that Arietta raises on purpose."""


class MidiError(AriettaError):
    """A MIDI file cannot be read, or notes cannot be written as one."""


class ScoreError(AriettaError):
    """A score in MusicXML cannot be read."""


class CodecError(AriettaError):
    """Events do not follow the codec's grammar, or two codecs differ."""


class CorpusError(AriettaError):
    """A folder of music, a manifest or a store is missing, empty, altered or made with another codec."""


class FetchError(AriettaError):
    """A file cannot be fetched from the web."""


class BundleError(AriettaError):
    """A model's folder is missing a file, was altered, or does not fit what is asked of it."""


class RequestError(AriettaError):
    """What was asked cannot be composed: refused before any work is done."""


class HistoryError(AriettaError):
    """The folder in which a server keeps its pieces cannot be used."""


class ConfigError(AriettaError):
    """A setting is unknown or has an impossible value."""


NUMBER = (int, float)
# What helps where the system refuses a file or a folder.
_REMEDIES = {
    errno.ENOENT: "see how its name and its folder are spelled",
    errno.EISDIR: "name a file, as one in this folder",
    errno.ENOTDIR: "see which part of its path is a file",
    errno.EEXIST: "choose another name",
    errno.EINVAL: "name another file",
    errno.EACCES: "ask for permission, or choose another folder",
    errno.EROFS: "choose another folder",
    errno.ENOSPC: "free some room, or choose another folder",
}


def require(value: object, kind: Any, claim: str, error: type[Exception] = RequestError) -> None:
    """Raise `error` unless a value is of a type, or one of several: "`claim`, not 'hot'". True is no number."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind in (int, float, NUMBER)):
        raise error(f"{claim}, not {quote(value)}")


def whole_number(value: Any, name: str) -> int:
    """Return a whole number, of numpy's too, as Python's own; raises RequestError for anything else, True as well."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise RequestError(f"{name} must be a whole number, not {quote(value)}")
    return int(value)


def real_number(value: Any, name: str) -> float:
    """Return a number, of numpy's too, as Python's own; raises RequestError for anything else, True as well."""
    if not isinstance(value, bool):
        if isinstance(value, int | float):
            return value
        if isinstance(value, numbers.Real):
            return float(value)
    raise RequestError(f"{name} must be a number, not {quote(value)}")


def explain(error: Exception) -> str:
    """Return why the system refuses a file, and what helps: "(Is a directory); name a file, as one in this folder"."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    remedy = _REMEDIES.get(getattr(error, "errno", None) or 0, "see that it can be read and written")
    return f"({reason}); {remedy}"


def quote(value: object) -> str:
    """Return a value as it stands in a sentence: as Python writes it, or its type where that is long."""
    text = repr(value)
    return text if len(text) <= 40 else f"a {type(value).__name__}"

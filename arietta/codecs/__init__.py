"""Notes to tokens and back, and the grammar of tokens.

`codec` says what every codec is, and the rest of the program is written against it; `note` and `performance` are the
two codecs there are, and `add_codec` takes one's own beside them. A bundle and a checkpoint carry the description of
theirs, and `load_codec` builds it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import CodecError
from .codec import Codec
from .note import NoteCodec
from .performance import PerformanceCodec

CODECS: dict[str, Callable[[], Codec]] = {"note": NoteCodec, "performance": PerformanceCodec}
"""What a new model is trained with, by name: of each codec the latest version."""
READABLE: list[Codec] = [NoteCodec(), NoteCodec(1), PerformanceCodec()]
_SHIPPED = frozenset(CODECS)


def add_codec(make: Callable[[], Codec]) -> None:
    """Let models of this process be trained and read with the codec that `make` gives, under its own name.

    Added again it takes the place of what it was, as where a cell of a notebook is run again. Raises CodecError where
    the name is that of a codec of the package.
    """
    codec = make()
    if codec.name in _SHIPPED:
        raise CodecError(f"there is a codec {codec.name!r} already: give yours another name")
    READABLE[:] = [*(known for known in READABLE if known.name != codec.name), codec]
    CODECS[codec.name] = make


def load_codec(description: Mapping[str, Any]) -> Codec:
    """Build the codec that `Codec.describe` described; raises CodecError for an unknown name or another version."""
    name = description.get("name")
    if not isinstance(name, str) or name not in CODECS:
        raise CodecError(f"unknown codec {name!r}; known are {', '.join(CODECS)}")
    # Sizes and version are compared, not obeyed: tokens made by another version would be read as other notes.
    described = {codec.name: codec for codec in READABLE if codec.describe() == dict(description)}
    if name not in described:
        known = " or ".join(str(codec.describe()) for codec in READABLE if codec.name == name)
        raise CodecError(
            f"the {name} codec of this version is {known}, the one described is {dict(description)}; export it anew"
        )
    return described[name]

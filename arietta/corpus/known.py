"""Files of public corpora, known by their content: the lists of hashes that come with the package.

A name may be anybody's: "October, The Seasons, Tchaikovsky.mid" ends in eleven letters as GiantMIDI-Piano's names do.
So licence and source are claimed for the very bytes of a corpus alone. `release.known_files` writes the lists.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "hashes"
HASH_BYTES = 8  # of SHA-256: that one of a million other files is taken for one of these 11,000 has odds of 1 in 10^9
GIANTMIDI_TRAIN, GIANTMIDI_REST, MAESTRO_TRAIN = "giantmidi_train", "giantmidi_rest", "maestro_train"


def is_giantmidi(sha256: str) -> bool:
    """Tell whether a file, by the hexadecimal SHA-256 of its bytes, is one of GiantMIDI-Piano."""
    return any(_short_hash(sha256) in _hashes(name) for name in (GIANTMIDI_TRAIN, GIANTMIDI_REST))


def is_trained_on(sha256: str) -> bool:
    """Tell whether the shipped weights were trained on a file: it may then not be held out to test a model."""
    return any(_short_hash(sha256) in _hashes(name) for name in (GIANTMIDI_TRAIN, MAESTRO_TRAIN))


def _short_hash(sha256: str) -> bytes:
    return bytes.fromhex(sha256)[:HASH_BYTES]


@cache
def _hashes(name: str) -> frozenset[bytes]:
    content = (FOLDER / f"{name}.bin").read_bytes()
    return frozenset(content[start : start + HASH_BYTES] for start in range(0, len(content), HASH_BYTES))

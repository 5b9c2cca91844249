"""Known files: the lists that come with the package, and what is in them."""

from __future__ import annotations

import hashlib

import pytest

from arietta.corpus.known import FOLDER, HASH_BYTES, is_giantmidi, is_trained_on

COUNTS = {"giantmidi_train": 8894, "giantmidi_rest": 1160, "maestro_train": 962}


def listed(name: str) -> list[bytes]:
    content = (FOLDER / f"{name}.bin").read_bytes()
    return [content[start : start + HASH_BYTES] for start in range(0, len(content), HASH_BYTES)]


@pytest.mark.parametrize("name", COUNTS)
def test_a_list_has_its_files_once_each_and_sorted(name: str) -> None:
    assert len(listed(name)) == COUNTS[name]
    assert listed(name) == sorted(set(listed(name)))
    assert all(len(short) == HASH_BYTES for short in listed(name))


def test_no_file_is_in_two_lists() -> None:
    assert len({short for name in COUNTS for short in listed(name)}) == sum(COUNTS.values())


def test_every_listed_file_is_known_by_the_beginning_of_its_hash() -> None:
    for name in COUNTS:
        sha256 = listed(name)[0].hex() + "ab" * 24
        assert is_giantmidi(sha256) == name.startswith("giantmidi")
        assert is_trained_on(sha256) == name.endswith("train")


def test_other_files_and_unread_ones_are_not_known() -> None:
    for sha256 in ("", *(hashlib.sha256(bytes([byte])).hexdigest() for byte in range(256))):
        assert not is_giantmidi(sha256)
        assert not is_trained_on(sha256)

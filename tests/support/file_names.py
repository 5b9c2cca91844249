"""Names of files as real collections have them, as bytes, without a suffix."""

from __future__ import annotations

NAMES = (
    "café".encode("latin-1"),
    "Dvořák, Humoreska".encode(),
    "Études".encode("cp437"),
    "月の光".encode("shift_jis"),
    "月の光 🎹👩\u200d👩\u200d👧".encode(),
    b"x" * 251,
    "é".encode() * 125,
    "a\u2028b\u2029c\u0085d".encode(),
    b"a\nb\rc\td",
    b"\x1b]0;title\x07\x01\x7f",
    "a\u202eb\ufeff".encode(),
    b"-rf",
    b"--help",
    b"%41%00&quot;<b>'\"\\",
    b" ",
    b"\xff\xfe",
)

"""A score as a file: bare or compressed, and never trusted."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.etree.ElementTree import tostring

import pytest

from arietta.errors import ScoreError
from arietta.music.notation.document import DEEPEST, LARGEST_FILE, is_score, read_document
from tests.support.written import note, score

CONTAINER = '<container><rootfiles><rootfile full-path="{}"/></rootfiles></container>'
SCORE = score([note("C4", 4)])


def archive(files: dict[str, bytes | str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return stream.getvalue()


def test_a_compressed_score_is_the_score_in_it() -> None:
    packed = archive({"META-INF/container.xml": CONTAINER.format("a/b.xml"), "a/b.xml": SCORE})
    assert tostring(read_document(packed, "x")) == tostring(read_document(SCORE, "x"))
    assert is_score(packed) and is_score(SCORE) and not is_score(b"MThd")


def test_the_name_of_its_type_fetches_nothing() -> None:
    doctype = b'<!DOCTYPE score-partwise PUBLIC "-//x//EN" "http://127.0.0.1:9/partwise.dtd">'
    assert read_document(b"<?xml version='1.0'?>" + doctype + SCORE, "x").tag == "score-partwise"


BOMB = b'<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><score-partwise>&b;</score-partwise>'
FILE = b'<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><score-partwise>&a;</score-partwise>'


@pytest.mark.parametrize(
    ("data", "offence"),
    [
        (b"", "not MusicXML"),
        (b"MThd\0\0\0\6", "not MusicXML"),
        (b"<html></html>", "its root is <html>"),
        (b"<score-timewise></score-timewise>", "by measures"),
        (b"<score-partwise>", "not MusicXML"),
        (b"<?xml version='1.0' encoding='klingon'?><score-partwise/>", "not MusicXML"),
        (BOMB, "declares entities"),
        (FILE, "declares entities"),
        (b"<a>" * (DEEPEST + 1), "deep within each other"),
        (b" " * (LARGEST_FILE + 1), "larger than 32 MB"),
        (b"PK\3\4 no archive", "a broken archive"),
        (archive({"a.xml": SCORE}), "without 'META-INF/container.xml'"),
        (archive({"META-INF/container.xml": "<container/>"}), "names no score"),
        (archive({"META-INF/container.xml": CONTAINER.format("../../x")}), "without '../../x'"),
        (archive({"META-INF/container.xml": b" " * 70_000}), "unpacks to more than"),
        (archive({f"{number}": b"" for number in range(1001)}), "an archive of 1001 files"),
        (
            archive({"META-INF/container.xml": CONTAINER.format("a"), "a": b" " * (LARGEST_FILE + 1)}),
            "unpacks to more than",
        ),
    ],
)
def test_a_file_that_is_no_score_is_refused_in_a_sentence(data: bytes, offence: str) -> None:
    with pytest.raises(ScoreError, match=rf"^song: .*{offence}"):
        read_document(data, "song")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="cannot be read"):
        read_document(tmp_path / "no.mxl", "no.mxl")

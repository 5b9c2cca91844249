"""A MusicXML file as a tree of elements: bare (.musicxml, .xml) or compressed (.mxl), read without trusting it.

Entities and external references are refused, nothing is fetched, and sizes are bounded before and while unpacking:
a file is data from a stranger. What the elements mean stands in `measures`.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import ExpatError, ParserCreate

from ...errors import ScoreError, explain

LARGEST_FILE = 32 * 2**20  # bytes, unpacked too; the largest of 150 piano scores of concert length has 12 MB
LARGEST_CONTAINER = 2**16  # bytes of META-INF/container.xml, a few lines
MOST_FILES = 1000  # in a compressed score: pictures may stand beside the music
ANEW = "; export the score anew, as MusicXML by parts (score-partwise)"  # where it is none, or is damaged
DEEPEST = 64  # elements within each other; MusicXML needs 8


def read_document(source: str | Path | bytes, name: str) -> Element:
    """Read the root element, `score-partwise`; raises ScoreError, naming the file, where there is none."""
    if isinstance(source, bytes):
        data = source
    else:
        try:
            with Path(source).open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
        except OSError as error:
            raise ScoreError(f"{name}: cannot be read {explain(error)}") from error
    if len(data) > LARGEST_FILE:
        raise ScoreError(f"{name}: larger than {LARGEST_FILE >> 20} MB, which no piano score needs{ANEW}")
    try:
        root = _parse(_unpack(data) if data[:2] == b"PK" else data)
    except ScoreError as error:
        raise ScoreError(f"{name}: {error}{ANEW}") from error
    if root.tag == "score-timewise":
        raise ScoreError(f"{name}: a score by measures (score-timewise); export it by parts (score-partwise)")
    if root.tag != "score-partwise":
        raise ScoreError(f"{name}: not MusicXML: its root is <{root.tag}> where <score-partwise> must stand{ANEW}")
    return root


def is_score(data: bytes) -> bool:
    """Tell by its first bytes whether this may be a score: XML, or an archive."""
    return (
        data[:2] == b"PK" or data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" or data[:2] in (b"\xff\xfe", b"\xfe\xff")
    )


def _unpack(data: bytes) -> bytes:
    """Take the score out of a compressed file (MusicXML 4.0, "Compressed .mxl files")."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if len(archive.infolist()) > MOST_FILES:
                raise ScoreError(f"an archive of {len(archive.infolist())} files, where a score has a few")
            container = _parse(_member(archive, "META-INF/container.xml", LARGEST_CONTAINER))
            paths = [element.get("full-path", "") for element in container.iter() if element.tag.endswith("rootfile")]
            if not paths:
                raise ScoreError("its container names no score")
            return _member(archive, paths[0], LARGEST_FILE)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise ScoreError(f"a broken archive ({error})") from error


def _member(archive: zipfile.ZipFile, path: str, most: int) -> bytes:
    """Unpack one file of an archive, no more of it than `most` bytes, whatever size it claims."""
    try:
        with archive.open(path) as file:
            content = file.read(most + 1)
    except KeyError as error:
        raise ScoreError(f"an archive without {path!r} in it") from error
    if len(content) > most:
        raise ScoreError(f"{path!r} in it unpacks to more than {most} bytes")
    return content


def _parse(data: bytes) -> Element:
    """Build the tree; what a document declares beyond the name of its type is refused."""
    builder, depth = TreeBuilder(), 0
    parser = ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise ScoreError(f"elements {depth} deep within each other, where MusicXML needs 8")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> NoReturn:
        raise ScoreError("it declares entities, which MusicXML has none of")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    parser.EntityDeclHandler = parser.UnparsedEntityDeclHandler = parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(data, True)
    except (ExpatError, LookupError, ValueError) as error:  # also an encoding that is not known
        raise ScoreError(f"not MusicXML: {error}") from error
    return builder.close()

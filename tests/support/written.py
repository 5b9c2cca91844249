"""Small scores in MusicXML, a quarter note to a division."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence


def note(name: str, length: int, *, chord: bool = False, staff: int = 1, tie: str = "") -> str:
    """Write a note such as C4, `length` quarters long; a grace note where that is 0."""
    duration = f"<duration>{length}</duration>" if length else ""
    ties = "".join(f'<tie type="{kind}"/>' for kind in tie.split())
    pitch = f"<pitch><step>{name[0]}</step><octave>{name[1:]}</octave></pitch>"
    opening = "<grace/>" * (not length) + "<chord/>" * chord
    return f"<note>{opening}{pitch}{duration}{ties}<voice>1</voice><staff>{staff}</staff></note>"


def score(*parts: Sequence[str], beats: int = 4) -> bytes:
    """Write a score of parts, each a list of what stands in its measures."""
    attributes = f"<attributes><divisions>1</divisions><time><beats>{beats}</beats><beat-type>4</beat-type></time>"
    listed = bodies = ""
    for number, measures in enumerate(parts, 1):
        listed += f'<score-part id="P{number}"><part-name>Part {number}</part-name></score-part>'
        first, *others = measures
        written = [f"{attributes}</attributes>{first}", *others]
        bodies += f'<part id="P{number}">' + "".join(f"<measure>{body}</measure>" for body in written) + "</part>"
    return f"<score-partwise><part-list>{listed}</part-list>{bodies}</score-partwise>".encode()


def headed(text: bytes, title: str, composer: str) -> bytes:
    """Give a score a title and a composer, beside somebody who wrote its words."""
    creators = f'<creator type="lyricist">Anon</creator><creator type="composer">{composer}</creator>'
    heading = f"<work><work-title>{title}</work-title></work><identification>{creators}</identification>"
    return text.replace(b"<part-list>", heading.encode() + b"<part-list>")


def packed_score(megabytes: int) -> bytes:
    """Write a compressed score of empty elements, which unpacks to so much."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "META-INF/container.xml", '<container><rootfiles><rootfile full-path="a.xml"/></rootfiles></container>'
        )
        with archive.open("a.xml", "w", force_zip64=True) as member:
            member.write(b"<score-partwise>")
            for _ in range(megabytes):
                member.write(b"<x/>" * 2**18)
            member.write(b"</score-partwise>")
    return out.getvalue()

"""A score as pages to look at while it sounds: SVG, and which notes of them begin at which second of the piece.

    score = score_pages(notes, title="Waltz", meter=meter)
    score.pages[0], score.moments[0]        # "<svg ...", Moment(seconds=0.0, page=0, ids=("d1e40",))

Verovio (the extra `score`) engraves; what its pages say in style sheets is left out, so that a page that allows no
inline styles may show them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ...errors import RequestError
from ...music.meter import LATTICE, Meter, lay_out_bars
from ...music.notes import Notes
from . import choose_meter, score_musicxml
from .engraving import lay_out_score

FOLLOWED_PAGE = {
    "pageWidth": 2100,
    "pageHeight": 1400,
    "scale": 40,
    "xmlIdSeed": 1,
    "footer": "none",
    "header": "none",
    "adjustPageHeight": True,
    "svgViewBox": True,
    "svgRemoveXlink": True,
}
_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
_STYLE_OF_ONE = re.compile(r"\sstyle=\"[^\"]*\"")
_ID = re.compile(r"\sid=\"([^\"]+)\"")


@dataclass(frozen=True)
class Moment:
    """Notes that begin together at a second of the piece: the page that they stand on, from 0, and their ids in it."""

    seconds: float
    page: int
    ids: tuple[str, ...]


@dataclass(frozen=True)
class ScorePages:
    """A score as SVG pages, and its moments in order of time."""

    pages: tuple[str, ...]
    moments: tuple[Moment, ...]


def score_pages(notes: Notes, *, title: str = "", meter: Meter | None = None) -> ScorePages:
    """Engrave a piece in `meter`, or in the one found in its timing.

    Raises ImportError where verovio is not installed, and RequestError for a piece without notes, or one that verovio
    cannot read.
    """
    if not len(notes):
        raise RequestError("there are no notes to be engraved")
    meter = choose_meter(notes, meter)
    toolkit = lay_out_score(score_musicxml(notes, title=title, meter=meter), FOLLOWED_PAGE)
    svgs = [toolkit.renderToSVG(page + 1) for page in range(toolkit.getPageCount())]
    pages = tuple(_STYLE_OF_ONE.sub("", _STYLE.sub("", svg)) for svg in svgs)
    page_of = {name: number for number, page in enumerate(pages) for name in _ID.findall(page)}
    answer = toolkit.renderToTimemap()
    timemap: list[Any] = json.loads(answer) if isinstance(answer, str) else answer
    first = lay_out_bars(meter, 0)[0].start / LATTICE  # verovio counts quarter notes from the first bar on
    moments = []
    for entry in timemap:
        ids = tuple(name for name in entry.get("on", ()) if name in page_of)
        if ids:
            second = max(float(meter.seconds(first + entry["qstamp"])), 0.0)
            moments.append(Moment(round(second, 3), page_of[ids[0]], ids))
    return ScorePages(pages, tuple(moments))

"""Pages of a score: every note that is engraved has its moment, at the second at which it sounds."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from arietta.errors import RequestError
from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.notes import Notes
from arietta.render.score.pages import score_pages

# A pickup of one beat; the last bars are slower.
METER = Meter((TimeSignature(0.0, 1, 4), TimeSignature(0.5, 3, 4)), (Tempo(0.0, 0.5), Tempo(20.0, 1.0)), is_exact=True)


def waltz(count: int = 60) -> Notes:
    onset = METER.seconds(np.arange(count, dtype=np.float64))
    return Notes.of(onset, np.full(count, 0.45), 60 + np.arange(count) % 12, np.full(count, 64))


def test_moments_are_the_onsets_of_the_notes_in_seconds_of_the_piece() -> None:
    pytest.importorskip("verovio")
    score = score_pages(waltz(), title="Waltz <1>", meter=METER)
    assert [moment.seconds for moment in score.moments] == pytest.approx(waltz().onset.tolist(), abs=0.002)
    for moment in score.moments:
        assert all(f'id="{name}"' in score.pages[moment.page] for name in moment.ids)
    assert score == score_pages(waltz(), title="Waltz <1>", meter=METER)


@pytest.mark.parametrize("is_exact", [True, False])
def test_what_sounds_before_the_first_beat_has_bars_of_its_own(is_exact: bool) -> None:
    pytest.importorskip("verovio")
    meter = Meter((TimeSignature(6.0, 3, 4),), (Tempo(6.0, 0.5),), is_exact=is_exact)
    notes = waltz(30)
    score = score_pages(notes, meter=meter)
    assert [moment.seconds for moment in score.moments] == pytest.approx(notes.onset.tolist(), abs=0.002)


def test_pages_have_no_styles_that_a_strict_page_refuses_and_no_script() -> None:
    pytest.importorskip("verovio")
    (page, *_) = score_pages(waltz(), title="<script>alert(1)</script>").pages
    assert page.startswith("<svg") and "<style" not in page and "style=" not in page and "<script" not in page


def test_without_verovio_and_without_notes_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "verovio":
            raise ImportError(name)
        return found(name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", refuse)
        with pytest.raises(ImportError, match="needs the package verovio"):
            score_pages(waltz())
    pytest.importorskip("verovio")
    with pytest.raises(RequestError, match="no notes to be engraved"):
        score_pages(Notes.of())

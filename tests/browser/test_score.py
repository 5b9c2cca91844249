"""Bars in the studio, found and corrected, and a score that follows the music."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from arietta.music.meter import Meter, Tempo, TimeSignature
from arietta.music.midi import midi_bytes
from arietta.music.notes import Notes
from tests.support.browser import Studio, Visit, wait_until

METER = Meter((TimeSignature(0.0, 3, 4),), (Tempo(0.0, 0.5),))


def upload(studio: Studio, grid: Meter | None) -> dict[str, Any]:
    onset = 0.5 * np.arange(48)
    notes = Notes.of(onset, np.full(48, 0.4), 60 + np.arange(48) % 12, np.full(48, 64))
    piece: dict[str, Any] = studio.server.post("/v1/uploads?name=waltz", content=midi_bytes(notes, grid=grid)).json()
    return piece


def test_bars_are_shown_corrected_and_kept_and_selections_keep_to_them(studio: Studio) -> None:
    piece = upload(studio, METER)
    visit = studio.visit()
    page = visit.open(piece["links"]["page"])
    visit.wait_for_text("#bars-text", "16 bars")
    assert page.is_hidden("#bars-find")
    box = page.locator("#roll").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 12, steps=4)
    page.mouse.up()
    # Bars begin every 1.5 s, and each has three notes.
    wait_until(lambda: (page.text_content("#selection-text") or "").startswith("6 notes selected, 0:01 to 0:04"))
    page.click("#bars-half")
    visit.wait_for_text("#bars-text", "8 bars")
    page.click("#bars-later")
    wait_until(lambda: studio.server.get(f"{piece['links']['self']}/meter").json()["signatures"][-1][0] == 1.0)
    page.reload()
    visit.wait_for_text("#bars-text", "bars")
    page.click("#bars-forget")
    visit.wait_for_text("#bars-text", "bars unknown")
    assert studio.server.get(f"{piece['links']['self']}/meter").json() is None
    page.click("#bars-find")
    wait_until(lambda: studio.server.get(f"{piece['links']['self']}/meter").json() is not None)
    visit.check()


def test_a_bar_line_is_dragged_and_that_is_undone_and_done_again(studio: Studio) -> None:
    piece = upload(studio, METER)
    path = f"{piece['links']['self']}/meter"

    def line(bar: int) -> float:
        return float(studio.server.get(path).json()["bar_lines"][bar - 1])

    visit = studio.visit()
    page = visit.open(piece["links"]["page"])
    visit.wait_for_text("#bars-text", "16 bars")
    assert page.input_value("#bars-metre") == "3/4" and page.is_hidden("#bars-undo")
    box = page.locator("#roll").bounding_box()
    assert box is not None
    x, foot = box["x"] + 46 + 90 * 3.0, box["y"] + 20  # of the line of bar 3, in the ruler
    page.mouse.move(x, foot)
    assert "moving-line" in (page.get_attribute("#roll", "class") or "")
    page.mouse.down()
    page.mouse.move(x + 45, foot, steps=4)
    page.mouse.up()
    wait_until(lambda: line(3) == pytest.approx(3.5, abs=0.05))
    assert (line(2), line(4)) == pytest.approx((1.5, 4.5))
    assert page.is_hidden("#selection")  # along the ruler nothing was chosen
    wait_until(lambda: page.is_visible("#bars-undo"))
    page.keyboard.press("Control+z")
    wait_until(lambda: line(3) == 3.0)
    page.keyboard.press("Control+y")
    wait_until(lambda: line(3) > 3.4)
    page.click("#bars-undo")
    wait_until(lambda: line(3) == 3.0 and page.is_hidden("#bars-undo"))
    page.select_option("#bars-metre", "2/4")
    visit.wait_for_text("#bars-text", "24 bars")
    page.fill("#position", "4.2")
    page.click("#bars-here")
    wait_until(lambda: line(5) == pytest.approx(4.2))
    page.click("#select-all")
    page.click("#edit-louder")
    page.wait_for_selector("#undo:enabled")
    page.keyboard.press("Control+z")  # what was done last is undone first
    page.wait_for_selector("#undo:disabled")
    assert line(5) == pytest.approx(4.2)
    visit.check()


def test_beats_are_tapped_along_with_the_music(studio: Studio) -> None:
    piece = upload(studio, None)
    visit = studio.visit()
    page = visit.open(piece["links"]["page"])
    visit.wait_for_text("#bars-text", "bars unknown")
    page.keyboard.press("p")  # which plays
    wait_until(lambda: page.get_attribute("#play", "aria-label") == "Pause")
    wait_until(lambda: visit.run("() => window.peak?.() ?? 0") > 0.005)
    for count in range(1, 5):
        page.wait_for_timeout(600)
        page.keyboard.press("p") if count % 2 else page.click("#bars-tap")
        visit.wait_for_text("#bars-text", "1 beat tapped" if count == 1 else f"{count} beats tapped")
    page.click("#play")
    wait_until(lambda: studio.server.get(f"{piece['links']['self']}/meter").json() is not None)
    meter = studio.server.get(f"{piece['links']['self']}/meter").json()
    assert meter["signatures"][-1][1:] == [4, 4] and 0.3 < meter["tempos"][-1][1] < 3
    visit.wait_for_text("#bars-text", f"{len(meter['bar_lines']) - 1} bars")
    page.click("#bars-undo")
    visit.wait_for_text("#bars-text", "bars unknown")
    assert studio.server.get(f"{piece['links']['self']}/meter").json() is None
    visit.check()


def test_taps_go_back_with_the_music_and_end_with_it(modules: Visit) -> None:
    done = modules.run(
        """async () => {
          const { Taps } = await import("/static/score/taps.js");
          const player = Object.assign(new EventTarget(), { isPlaying: true });
          const told = { counts: [], done: [] };
          let now = 0;
          const pause = () => {
            player.isPlaying = false;
            player.dispatchEvent(new Event("change"));
            player.isPlaying = true;
          };
          const onCount = (count) => told.counts.push(count);
          let isTaken = true;
          const onDone = async (times) => { told.done.push(times); return isTaken; };
          const taps = new Taps(player, { heard: () => now, onCount, onDone });
          for (now of [1, 1.5, 1.62, 2, 2.5, 1.51, 2.1]) taps.tap();
          pause();
          taps.tap();
          pause();
          player.isPlaying = false;
          told.isTaken = taps.tap();
          player.isPlaying = true;
          isTaken = false;
          for (now of [3, 3.5, 11]) taps.tap();
          pause();
          await null;
          await null;
          pause(); // which sends nothing anew
          now = 4;
          taps.tap();
          isTaken = true;
          pause();
          return told;
        }"""
    )
    # One tap alone is no beat, and what is refused is kept, to go back in.
    assert done["done"] == [[1, 1.51, 2.1], [3, 3.5, 11], [3, 3.5, 4]]
    assert done["counts"] == [1, 2, 2, 3, 4, 2, 3, 0, 1, 0, 1, 2, 3, 0, 3, 3, 0] and done["isTaken"] is False


def test_a_pickup_is_selected_as_a_bar_and_what_a_piece_has_become_is_counted(studio: Studio) -> None:
    pickup = Meter((TimeSignature(0.0, 2, 4), TimeSignature(1.0, 3, 4)), (Tempo(0.0, 0.5),))
    visit = studio.visit()
    page = visit.open(upload(studio, pickup)["links"]["page"])
    visit.wait_for_text("#bars-text", "16 bars")
    box = page.locator("#roll").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 80, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 12, steps=4)
    page.mouse.up()
    visit.wait_for_text("#selection-text", "2 notes selected, 0:00 to 0:01")
    page.click("#select-all")
    page.click("#edit-duplicate")
    visit.wait_for_text("#bars-text", "32 bars")
    visit.check()


def test_the_score_follows_the_music_and_a_click_on_a_note_goes_there(studio: Studio) -> None:
    pytest.importorskip("verovio")
    piece = upload(studio, METER)
    visit = studio.visit()
    page = visit.open(piece["links"]["page"])
    visit.wait_for_text("#bars-text", "16 bars")
    page.click("#score-toggle")
    visit.wait_for_text("#score-text", "Page 1 of")
    page.fill("#position", "10.1")
    wait_until(lambda: page.locator("#score .sounding").count() == 1)
    moments = studio.server.get(f"{piece['links']['self']}/score").json()["moments"]
    now = max((moment for moment in moments if moment["seconds"] <= 10.1), key=lambda moment: moment["seconds"])
    assert page.locator("#score .sounding").get_attribute("id") == now["ids"][0]
    page.locator(f"#score-page [id='{moments[2]['ids'][0]}'] use").first.dispatch_event("click")
    wait_until(lambda: page.text_content("#time") == "0:01")
    page.click("#score-toggle")
    assert page.is_hidden("#score")
    visit.check()


def test_a_server_that_cannot_engrave_says_so(studio: Studio) -> None:
    piece = upload(studio, None)
    visit = studio.visit()
    visit.expected_error = "status of 501"
    page = visit.open(piece["links"]["page"])
    page.route("**/score", lambda route: route.fulfill(status=501, body='{"detail": "this server cannot engrave"}'))
    visit.wait_for_text("#bars-text", "bars unknown")
    page.click("#score-toggle")
    visit.wait_for_text("#score-text", "this server cannot engrave")


def test_the_ruler_counts_bars_and_leaves_out_numbers_where_they_are_near(modules: Visit) -> None:
    marks = modules.run(
        """async () => {
          const { barMarks } = await import("/static/score/paper.js");
          const barLines = [0, 2, 4, 6, 8, 10, 12, 14, 16];
          const roll = (scale, left) => ({ barLines, scale, left, xOf: (time) => (time - left) * scale });
          const marks = [[...barMarks(roll(50, 3), 260)], [...barMarks(roll(10, 0), 1000)]];
          return marks.map((all) => all.map(({ time, text }) => [time, text]));
        }"""
    )
    assert marks[0] == [[4, "3"], [6, "4"], [8, "5"]]
    assert [text for _, text in marks[1]] == ["1", "", "3", "", "5", "", "7", "", "9"]

"""Passages in the studio: written anew, varied, accompanied, gone on from; heard in place, compared, kept or not."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from arietta.music.midi import midi_bytes
from arietta.music.notes import Notes
from tests.support.browser import PHONE, WIDE, Studio, Visit, axe_violations, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Route

Rows = list[list[float]]


@pytest.fixture
def piece(studio: Studio) -> dict[str, Any]:
    """An uploaded scale of 80 notes in 20 s, with a pedal."""
    onset = [0.25 * index for index in range(80)]
    pitch = [40 + index % 30 for index in range(80)]
    scale = Notes.of(onset, [0.2] * 80, pitch, [64] * 80, [(0.0, 3.0), (9.0, 12.0)])
    answer = studio.server.post("/v1/uploads", content=midi_bytes(scale), params={"name": "scale"})
    stored: dict[str, Any] = answer.raise_for_status().json()
    return stored


def opened(studio: Studio, piece: dict[str, Any], **options: Any) -> Visit:
    visit = studio.visit(**options)
    page = visit.open(piece["links"]["page"])
    page.click("#more summary")
    page.select_option("#model", "filling")
    page.fill("#seed", "5")  # random weights write nothing at all with some seeds
    wait_until(lambda: page.is_enabled("#select-all"))
    return visit


def choose_time(visit: Visit, start: float, end: float) -> None:
    """Drag along the ruler."""
    visit.run("() => document.querySelector('#tools').scrollIntoView()")
    box = visit.page.locator("#roll").bounding_box()
    assert box is not None
    gutter = 32 if box["width"] < 600 else 46
    mouse = visit.page.mouse
    mouse.move(box["x"] + gutter + 90 * start, box["y"] + 10)
    mouse.down()
    mouse.move(box["x"] + gutter + 90 * end, box["y"] + 10, steps=3)
    mouse.up()
    visit.page.wait_for_selector("#selection:not([hidden])")


def ask_four(studio: Studio, piece: dict[str, Any], verb: str) -> Visit:
    """Open a piece and ask for four takes of its seconds 4 to 8."""
    visit = opened(studio, piece)
    choose_time(visit, 4, 8)
    visit.page.locator("[name=passage-count][value='4']").check(force=True)
    visit.page.get_by_role("button", name=verb, exact=True).click()
    return visit


def written(visit: Visit) -> None:
    """Wait until the take that is heard is whole."""
    wait_until(lambda: visit.page.is_enabled("#keep-take"), lambda: visit.page.text_content("#passage-text"))


def stored(studio: Studio, piece: dict[str, Any], version: int) -> dict[str, Any]:
    """The piece as the server has it, as soon as its tree has that version."""
    path = f"{piece['links']['self']}/revisions"
    wait_until(lambda: studio.server.get(path).json()["version"] >= version)
    music: dict[str, Any] = studio.server.get(piece["links"]["json"]).json()
    return music


def outside(rows: Rows, start: float, end: float) -> Rows:
    return [row for row in rows if not start <= row[0] < end]


@pytest.mark.parametrize("viewport", [{"width": 1440, "height": 900}, PHONE], ids=["wide", "phone"])
def test_a_passage_is_written_again_compared_kept_and_undone_by_keyboard_alone_and_axe_finds_nothing(
    studio: Studio, piece: dict[str, Any], viewport: dict[str, int]
) -> None:
    visit = opened(studio, piece, viewport=viewport)
    page, before = visit.page, studio.server.get(piece["links"]["json"]).json()
    page.locator("#roll").focus()
    for key in ("ArrowRight", "[", "e"):  # a loop of eight seconds from the second on, and what is in it
        page.keyboard.press(key)
    visit.wait_for_text("#selection-text", "32 notes selected")
    page.keyboard.press("a")
    written(visit)
    assert page.locator("#passage-tabs input").count() == 3
    assert page.locator("#passage-tabs input").nth(1).is_checked()
    page.keyboard.press("x")
    assert page.locator("#passage-tabs input").nth(0).is_checked()
    page.keyboard.press("x")
    page.keyboard.press("2")
    written(visit)
    assert page.locator("#passage-tabs input").nth(2).is_checked()
    assert visit.run("() => document.documentElement.scrollWidth") <= viewport["width"]
    assert axe_violations(page) == []
    page.keyboard.press("k")
    music = stored(studio, piece, 1)
    assert outside(music["notes"], 2, 10) == outside(before["notes"], 2, 10)
    assert music["notes"] != before["notes"] and music["composed"]
    assert all(2 <= music["notes"][index][0] < 10 for index in music["composed"])
    assert page.is_visible("#selection")  # so that it can be written again
    page.keyboard.press("Control+z")
    assert stored(studio, piece, 2)["notes"] == before["notes"]
    page.reload()
    wait_until(lambda: page.is_enabled("#redo"))
    page.keyboard.press("Control+y")
    assert stored(studio, piece, 3)["notes"] == music["notes"]


def test_again_keeps_what_is_locked_and_what_is_not_selected(studio: Studio, piece: dict[str, Any]) -> None:
    visit = opened(studio, piece)
    page = visit.page
    choose_time(visit, 4.9, 6.1)
    page.get_by_role("button", name="Lock", exact=True).click()
    locked = {tuple(row) for row in stored(studio, piece, 1)["notes"] if 4.9 <= row[0] < 6.1}
    assert len(locked) == 5
    choose_time(visit, 3.9, 8.1)
    page.get_by_role("button", name="Again", exact=True).click()
    written(visit)
    page.get_by_role("button", name="Keep", exact=True).click()
    music = stored(studio, piece, 2)
    assert locked <= {tuple(row) for row in music["notes"]}
    assert {tuple(music["notes"][index]) for index in music["locks"]} == locked
    (revision,) = studio.server.get(f"{piece['links']['self']}/revisions").json()["revisions"][-1:]
    source = studio.server.get(f"/v1/pieces/{revision['source']}").json()
    assert revision["cause"] == "regenerate" and source["request"]["given"] == piece["id"]
    assert page.locator(".piece-open[aria-current=true]").count() == 1
    page.reload()
    wait_until(lambda: page.is_enabled("#undo"))
    names = page.locator(".piece-name").all_text_contents()
    assert names and all("passage" not in name for name in names)  # takes of passages are no pieces of the list


def test_takes_are_heard_in_place_found_again_after_a_reload_and_discarded_for_good(
    studio: Studio, piece: dict[str, Any]
) -> None:
    visit = ask_four(studio, piece, "Vary")
    page = visit.page
    written(visit)
    wait_until(lambda: visit.run("() => window.peak?.() ?? 0") > 0.005)
    assert page.is_disabled("#undo") and page.is_hidden("#selection")  # nothing is changed meanwhile
    page.get_by_role("button", name="More takes").click()
    wait_until(lambda: page.locator("#passage-tabs input").count() == 9)
    page.reload()
    wait_until(lambda: page.locator("#passage-tabs input").count() == 9)
    written(visit)
    page.get_by_role("button", name="Discard", exact=True).last.click()
    visit.wait_for_text("#toast-text", "8 takes discarded")
    page.get_by_role("button", name="Undo", exact=True).click()
    wait_until(lambda: page.locator("#passage-tabs input").count() == 9)
    page.keyboard.press("Escape")
    wait_until(lambda: page.is_hidden("#passage"))
    page.click("#share")  # what it says takes the place of the offer to undo

    def remaining() -> list[str]:
        pieces = studio.server.get("/v1/pieces", params={"limit": 50}).json()["pieces"]
        return [item["state"] for item in pieces if item["request"].get("given") == piece["id"]]

    wait_until(lambda: not remaining(), remaining)
    assert studio.server.get(f"{piece['links']['self']}/revisions").json()["version"] == 0


def test_all_is_selected_whatever_stretch_was_selected_before(studio: Studio, piece: dict[str, Any]) -> None:
    visit = opened(studio, piece)
    choose_time(visit, 4, 8)
    visit.page.click("#select-all")
    visit.wait_for_text("#selection-text", "80 notes selected, 0:00 to 0:19")


def test_of_several_takes_the_likeliest_is_named_as_the_server_ranks_them(
    studio: Studio, piece: dict[str, Any]
) -> None:
    visit = ask_four(studio, piece, "Again")
    page = visit.page
    ranked: list[dict[str, Any]] = []

    def are_done() -> bool:
        pieces = studio.server.get("/v1/pieces", params={"limit": 50}).json()["pieces"]
        takes = [item for item in pieces if item["request"].get("given") == piece["id"] and item["state"] == "done"]
        if len(takes) == 4:
            ranked[:] = studio.server.get("/v1/pieces", params={"order": takes[0]["request"]["order"]}).json()["pieces"]
        return bool(ranked)

    wait_until(are_done)
    texts = []
    for number in "1234":
        page.keyboard.press(number)
        visit.wait_for_text("#passage-text", "nats per token")
        texts.append(page.text_content("#passage-text") or "")
    (likeliest,) = [text for text in texts if "the likeliest take" in text]
    nats = [item["figures"]["nats_per_token"]["both"] for item in ranked]
    count = f"{nats[0]:.2f}".rstrip("0").rstrip(".")  # as the page writes numbers
    assert nats == sorted(nats) and f"{count} nats per token" in likeliest
    page.keyboard.press("x")
    assert "likeliest" not in (page.text_content("#passage-text") or "")


def test_what_is_selected_is_accompanied_and_the_piece_goes_on_from_where_it_stands(
    studio: Studio, piece: dict[str, Any]
) -> None:
    visit = opened(studio, piece)
    page, before = visit.page, studio.server.get(piece["links"]["json"]).json()["notes"]
    choose_time(visit, 4, 8)
    page.get_by_role("button", name="Accompany").click()
    written(visit)
    page.keyboard.press("k")
    accompanied = stored(studio, piece, 1)["notes"]
    assert {tuple(row) for row in before} <= {tuple(row) for row in accompanied}
    page.keyboard.press("Escape")
    page.locator("#position").fill("12.1")
    page.get_by_label("by seconds").fill("5")
    page.get_by_role("button", name="Extend from here").click()
    written(visit)
    page.keyboard.press("k")
    extended = stored(studio, piece, 2)["notes"]
    begins = [[row[0], *row[2:]] for row in extended if row[0] < 12.1]  # what still sounds there is cut
    assert begins == [[row[0], *row[2:]] for row in accompanied if row[0] < 12.1]
    assert 12.1 <= extended[-1][0] < 19


def test_a_model_that_cannot_says_so_and_nothing_is_changed(studio: Studio, piece: dict[str, Any]) -> None:
    visit = opened(studio, piece, viewport=WIDE)
    visit.expected_error = "422 (Unprocessable"
    page = visit.page
    page.select_option("#model", "tiny")
    page.get_by_role("button", name="Select all").click()
    page.get_by_role("button", name="Vary", exact=True).click()
    visit.wait_for_text("#notice-text", "cannot write passages")
    assert page.is_hidden("#passage") and page.is_visible("#selection")


def test_a_take_that_is_still_fetched_when_another_is_kept_is_deleted_without_an_error(
    studio: Studio, piece: dict[str, Any]
) -> None:
    visit = opened(studio, piece)
    page = visit.page
    held: list[Route] = []
    choose_time(visit, 4, 8)
    page.route(
        "**/v1/pieces/*.json",
        lambda route: route.continue_() if piece["id"] in route.request.url else held.append(route),
    )
    page.get_by_role("button", name="Again", exact=True).click()
    wait_until(lambda: page.is_visible("#passage") and len(held) == 2)  # Playwright hears of requests while it is asked
    held.pop(0).continue_()
    numbers = itertools.cycle("12")
    wait_until(lambda: page.is_enabled("#keep-take") or page.keyboard.press(next(numbers)))  # whichever was done first
    page.keyboard.press("k")
    key = held[0].request.url.split("/")[-1].removesuffix(".json")
    wait_until(lambda: studio.server.get(f"/v1/pieces/{key}").status_code == 404)
    held[0].continue_()  # to a server that has deleted it: the page has to have given it up
    visit.run("() => fetch('/healthz')")


def test_a_curve_is_drawn_typed_and_asked_for(studio: Studio, piece: dict[str, Any]) -> None:
    visit = opened(studio, piece)
    page = visit.page
    page.click("#wishes summary")
    page.check("[name=curve][value=density]")
    choose_time(visit, 4, 8)
    box = page.locator("#curve").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 46 + 90 * 4, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 46 + 90 * 5, box["y"] + 10, steps=4)
    page.mouse.move(box["x"] + 46 + 90 * 8, box["y"] + box["height"] - 12, steps=4)
    page.mouse.up()
    text = page.input_value("#wish-density")
    assert text.count("@") >= 3 and "@0:04" not in text  # the first value holds from the beginning
    page.get_by_role("button", name="Again", exact=True).click()
    written(visit)
    page.keyboard.press("k")
    stored(studio, piece, 1)
    (revision,) = studio.server.get(f"{piece['links']['self']}/revisions").json()["revisions"][-1:]
    asked = studio.server.get(f"/v1/pieces/{revision['source']}").json()["request"]["density"]
    assert asked[0][1] > asked[-1][1]
    visit.expected_error = "422 (Unprocessable"
    page.fill("#wish-density", "9@0:10,3@0:05")
    page.get_by_role("button", name="Again", exact=True).click()
    visit.wait_for_text("#notice-text", "go back in time")


def test_steps_are_read_written_and_drawn_over(modules: Visit) -> None:
    texts, value, drawn = modules.run(
        """async () => {
          const { drawSteps, readSteps, valueAt, writeSteps } = await import("/static/passage/steps.js");
          const texts = ["70", "40@0:00,90@0:30", "3@12.5,4@1:02.5"].map((text) => writeSteps(readSteps(text)));
          const wrong = ["", "mf", "4@0:09,5@0:03"].map(readSteps);
          const steps = [[0, 40], [10, 60], [20, 80]];
          const values = [5, 10, 99].map((time) => valueAt(steps, time));
          return [[...texts, ...wrong], values, drawSteps(steps, [[8, 50], [8.5, 50], [12, 70]])];
        }"""
    )
    assert texts == ["70", "40@0:00,90@0:30", "3@0:12.5,4@1:02.5", None, None, None]
    assert value == [40, 60, 80]
    assert drawn == [[0, 40], [8, 50], [12, 70], [20, 80]]


def test_a_variation_takes_the_place_of_the_piece_as_it_is_written_and_no_sooner(modules: Visit) -> None:
    varied, regenerated = modules.run(
        """async () => {
          const { joinSoFar } = await import("/static/passage/join.js");
          const { NoteSequence } = await import("/static/score/notes.js");
          const note = (onset, pitch) => ({ onset, duration: 0.5, pitch, velocity: 64 });
          const base = NoteSequence.of([0, 1, 2, 3, 4].map((onset) => note(onset, 60)), [{ down: 0, up: 5 }]);
          const written = NoteSequence.of([note(1, 72), note(2.5, 72)], []);
          const plan = { start: 1, end: 4, replaced: new Set(base.notes.slice(1, 4)) };
          return ["vary", "regenerate"].map((cause) => {
            const { notes, pedal } = joinSoFar(base, { ...plan, cause }, written);
            return [notes.map(({ onset, pitch }) => [onset, pitch]), pedal.map(({ down, up }) => [down, up])];
          });
        }"""
    )
    assert varied == [[[0, 60], [1, 72], [2.5, 72], [3, 60], [4, 60]], [[0, 1], [2.5, 5]]]
    assert regenerated == [[[0, 60], [1, 72], [2.5, 72], [4, 60]], [[0, 1], [4, 5]]]


def test_the_server_prepares_once_for_a_selection_that_rests(studio: Studio, piece: dict[str, Any]) -> None:
    visit = opened(studio, piece)
    asked: list[dict[str, Any]] = []
    visit.page.on("request", lambda sent: asked.append(sent.post_data_json) if "/v1/prompts" in sent.url else None)
    choose_time(visit, 4, 8)
    wait_until(lambda: visit.page.is_enabled("#again") and asked)
    visit.page.wait_for_timeout(700)
    (request,) = asked
    assert (request["verb"], request["count"]) == ("regenerate", 1)
    assert (request["from"], request["to"]) == pytest.approx((4, 8), abs=0.2)
    choose_time(visit, 9, 11)
    wait_until(lambda: visit.page.is_enabled("#again") and len(asked) == 2)

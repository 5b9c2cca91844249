"""What a musician does in the studio, done in a browser."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from arietta.music.midi import midi_bytes, read_midi
from arietta.music.notes import Notes
from tests.support.browser import PHONE, Studio, Visit, show_figure, wait_until


def kept(server: httpx.Client, visit: Visit) -> dict[str, Any]:
    """The piece on the stage, as the server has it."""
    found: dict[str, Any] = server.get(f"/v1/pieces/{visit.piece}").raise_for_status().json()
    return found


def names(visit: Visit) -> list[str]:
    return visit.page.locator(".piece-name").all_text_contents()


def begin_with(visit: Visit, what: str) -> None:
    visit.page.get_by_label(what, exact=True).check()


def test_the_first_visit_invites_to_compose(studio: Studio) -> None:
    page = studio.visit().open()
    assert page.text_content("#invitation") == "Press Compose, and listen."
    assert page.locator("#style option").all_text_contents() == [
        "Any composer",
        "Bach, Carl Philipp Emanuel",
        "Bach, Johann Sebastian",
        "Chopin, Frédéric",
        "Grieg, Edvard",
    ]
    assert page.text_content("#history-empty") == "No pieces yet. What you compose is kept here."
    assert "FluidR3 Mono" in (page.text_content("footer") or "")


def test_notes_arrive_while_the_piece_is_being_written_and_are_all_there_in_the_end(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    visit.compose(9000, is_awaited=False)
    counts = set()

    def is_done() -> bool:
        said = visit.page.text_content("#state") or ""
        counts.add(said.split(" of ")[0])
        return "written in" in said

    wait_until(is_done)
    assert len(counts) > 2, counts  # it was seen growing
    visit.wait_for_text("#state", "9,000 notes ·")
    assert visit.page.get_attribute("#roll", "aria-label").startswith("Piano roll: 9,000 notes")  # type: ignore[union-attr]
    with visit.page.expect_download() as download:
        visit.page.click("#files [data-kind=mid]")
    assert len(read_midi(Path(download.value.path()).read_bytes())) == 9000


def test_music_is_heard_soon_after_compose_and_ends_with_pause(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    begun = time.monotonic()
    visit.compose(300, is_awaited=False)
    wait_until(lambda: visit.run("() => window.peak?.() ?? 0") > 0.005)
    show_figure(f"heard {time.monotonic() - begun:.2f} s after pressing Compose")
    visit.page.get_by_role("button", name="Pause").click()
    wait_until(lambda: visit.run("() => window.peak()") < 0.001)


def test_a_chosen_midi_file_is_continued(studio: Studio, waltz: Notes) -> None:
    visit = studio.visit()
    page = visit.open()
    begin_with(visit, "a MIDI file")
    page.set_input_files("#file", {"name": "waltz.mid", "mimeType": "audio/midi", "buffer": midi_bytes(waltz)})
    visit.wait_for_text("#file-name", "waltz.mid will be continued.")
    page.get_by_label("Only its first notes").fill("9")
    visit.compose(20, is_awaited=False)
    visit.wait_for_text("#state", "written in")
    assert kept(studio.server, visit)["request"]["prompt_notes"] == 9
    written = studio.server.get(f"/v1/pieces/{visit.piece}.json").json()
    assert len(written["notes"]) == 29
    assert "Notes given9" in (page.text_content("#how-made") or "")


def test_a_file_dropped_on_the_page_is_taken_and_what_is_no_midi_file_is_refused_in_words(studio: Studio) -> None:
    visit = studio.visit()
    page = visit.open()
    for name, content, words in (
        ("tune.mid", "MThd....", "tune.mid will be continued."),
        ("letter.txt", "Dear Clara", "letter.txt is not a MIDI file"),
    ):
        visit.run(
            """([name, content]) => {
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(new File([content], name));
              for (const kind of ["dragover", "drop"]) {
                document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
              }
            }""",
            [name, content],
        )
        visit.wait_for_text("#file-name", words)
    assert page.is_checked("[name=beginning][value=file]")
    page.get_by_role("button", name="Compose", exact=True).click()
    visit.wait_for_text("#notice-text", "Choose a MIDI file to continue")


def test_a_phrase_played_on_letters_is_continued(studio: Studio) -> None:
    visit = studio.visit()
    page = visit.open()
    begin_with(visit, "a phrase I play")
    for letter in "adg":
        page.keyboard.down(letter)
        page.wait_for_timeout(60)
        page.keyboard.up(letter)
    visit.wait_for_text("#phrase-status", "You played 3 notes")
    page.get_by_role("button", name="Octave higher").click()
    page.get_by_label("E5, letter D").click()
    visit.wait_for_text("#phrase-status", "You played 4 notes")
    visit.compose(12, is_awaited=False)
    visit.wait_for_text("#state", "written in")
    written = studio.server.get(f"/v1/pieces/{visit.piece}.json").json()
    assert [note[2] for note in written["notes"][:4]] == [60, 64, 67, 76]
    assert written["prompt_notes"] == 4


def test_a_piece_is_continued(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    visit.compose(15)
    first = visit.piece
    begin_with(visit, "this piece")
    visit.page.get_by_role("button", name="Compose", exact=True).click()
    wait_until(lambda: visit.piece != first)
    assert kept(studio.server, visit)["request"]["continues"] == first
    visit.wait_for_text("#how-made", "Continues")


def test_composing_stops_within_a_moment_and_what_was_written_stays(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    visit.compose(10_000, is_awaited=False)
    visit.wait_for_text("#state", "Composing")
    visit.page.get_by_role("button", name="Stop composing").click()
    visit.wait_for_text("#state", "Stopped")
    assert kept(studio.server, visit)["state"] == "cancelled"
    assert visit.run("() => document.querySelector('#position').disabled") is False
    assert visit.page.get_attribute("#files [data-kind=mid]", "aria-disabled") == "true"


def test_after_a_reload_the_piece_and_the_history_are_there(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    visit.compose(21)
    first, title = visit.piece, visit.page.text_content("#title")
    visit.compose(22)
    visit.page.reload()
    visit.wait_for_text("#state", "22 notes")
    visit.page.get_by_role("button", name=title or "", exact=False).first.click()
    visit.wait_for_text("#state", "21 notes")
    assert visit.piece == first
    visit.page.go_back()
    visit.wait_for_text("#state", "22 notes")


def test_pieces_are_renamed_in_place_marked_as_favourites_and_deleted(studio: Studio) -> None:
    visit = studio.visit()
    page = visit.open()
    visit.compose(18)
    page.get_by_role("button", name="Rename", exact=True).click()
    page.keyboard.type("Evening by the water")
    page.keyboard.press("Enter")
    visit.wait_for_text("#title", "Evening by the water")
    page.get_by_role("button", name="Favourite", exact=True).click()
    wait_until(lambda: kept(studio.server, visit)["is_favourite"])
    page.reload()
    page.get_by_label("Favourites only").check()
    wait_until(lambda: names(visit) == ["Evening by the water"])
    page.get_by_role("button", name="Rename Evening by the water").click()
    page.keyboard.type("Morning")
    page.keyboard.press("Escape")
    assert names(visit) == ["Evening by the water"]
    page.get_by_role("button", name="Delete Evening by the water").click()
    wait_until(lambda: names(visit) == [])
    visit.wait_for_text("#history-empty", "No favourites yet.")
    page.get_by_role("button", name="Undo").click()
    wait_until(lambda: names(visit) == ["Evening by the water"])


def test_of_several_takes_the_nearest_to_real_music_is_marked_and_said(studio: Studio) -> None:
    visit = studio.visit()
    page = visit.open()
    page.get_by_label("3", exact=True).check()
    visit.compose(30)
    marks = page.locator(".take-mark")
    wait_until(lambda: sorted(marks.all_text_contents()) == ["", "", "nearest to real music"])
    pieces = studio.server.get("/v1/pieces", params={"limit": 3}).json()["pieces"][::-1]
    chosen = [piece["figures"]["choice"]["is_chosen"] for piece in pieces]
    assert [bool(text) for text in marks.all_text_contents()] == chosen
    assert page.get_by_role("button", name="nearest to real music").count() == 1
    visit.wait_for_text("#live", f"Take {chosen.index(True) + 1} is the nearest to real music.")
    page.select_option("#language", "es")
    wait_until(lambda: "la más cercana a la música real" in marks.all_text_contents())
    page.select_option("#language", "en")
    page.get_by_label("1", exact=True).check()
    visit.compose(20)
    wait_until(lambda: page.locator(".take:visible").count() == 0)
    assert "choice" not in studio.server.get("/v1/pieces", params={"limit": 1}).json()["pieces"][0]["figures"]


def test_several_takes_stand_side_by_side_to_keep_and_to_discard(studio: Studio) -> None:
    visit = studio.visit()
    page = visit.open()
    page.get_by_label("3", exact=True).check()
    visit.compose(30)
    cards = page.locator(".take")
    assert cards.count() == 3
    wait_until(lambda: [("30 notes" in text) for text in cards.all_text_contents()] == [True] * 3)
    page.keyboard.press("2")
    wait_until(lambda: cards.nth(1).locator(".take-choose").get_attribute("aria-pressed") == "true")
    second = visit.piece
    cards.nth(1).get_by_role("button", name="Keep").click()
    wait_until(lambda: kept(studio.server, visit)["is_favourite"])
    cards.nth(0).get_by_role("button", name="Discard").click()
    wait_until(lambda: cards.count() == 2)
    page.get_by_role("button", name="Undo").click()
    wait_until(lambda: cards.count() == 3)
    assert cards.nth(0).locator(".take-choose").get_attribute("aria-pressed") == "true"
    cards.nth(0).get_by_role("button", name="Discard").click()
    wait_until(lambda: cards.count() == 2)
    page.keyboard.press("1")
    assert visit.piece == second
    page.goto("about:blank")  # leaving the page settles what was discarded
    pieces = studio.server.get("/v1/pieces").json()["pieces"]
    seeds = [piece["request"]["seed"] for piece in pieces[:2]]
    wait_until(lambda: studio.server.get("/v1/pieces").json()["pieces"][1]["id"] == second)
    assert seeds == sorted(seeds, reverse=True)


def test_a_shared_link_shows_the_piece_and_its_request_which_can_be_asked_again(studio: Studio) -> None:
    asked = {"notes": 17, "style": "chopin", "seed": 7, "temperature": 1.07, "top_p": 0.9}
    (piece,) = studio.server.post("/v1/pieces?wait=60", json=asked).json()["pieces"]
    visit = studio.visit()
    page = visit.open(piece["links"]["page"])
    visit.wait_for_text("#title", "After Chopin, no. 7")
    visit.wait_for_text("#state", "17 notes ·")
    made = page.text_content("#how-made") or ""
    assert all(words in made for words in ("Frédéric Chopin", "17 notes", "bold (1.07)", "Seed7", "Modeltiny"))
    page.get_by_role("button", name="Use these settings again").click()
    visit.compose(17)
    again = kept(studio.server, visit)
    assert again["request"] == piece["request"] | {"style": "Frédéric Chopin"}
    notes = [studio.server.get(link).json() for link in (piece["links"]["json"], again["links"]["json"])]
    assert notes[0] == notes[1]


@pytest.mark.parametrize(
    ("locale", "longest", "is_inside", "words"),
    [
        ("en-GB", 0, True, "Originalityno passage of any length in common with the music that the model learned from"),
        ("en-GB", 20, True, "shares 20 notes with Liszt: Waltz, no more than pieces by people share with each other"),
        ("en-GB", 61, False, "shares 61 notes with Liszt: Waltz, more than pieces by people"),
        ("es-ES", 61, False, "Originalidadcomparte 61 notas con Liszt: Waltz, más que las obras de personas entre sí"),
    ],
)
def test_how_original_a_piece_is_stands_there_in_plain_words(
    studio: Studio, locale: str, longest: int, is_inside: bool, words: str
) -> None:
    (piece,) = studio.server.post("/v1/pieces?wait=60", json={"notes": 5, "seed": 1}).json()["pieces"]
    told = {"longest": longest, "share": 0.2, "is_inside": is_inside, "work": "Liszt: Waltz" if longest else None}
    visit = studio.visit(locale=locale)
    visit.page.route(
        re.compile(r"/v1/pieces/[0-9a-f]+$"),
        lambda route: route.fulfill(json=piece | {"figures": piece["figures"] | {"originality": told}}),
    )
    visit.open(piece["links"]["page"])
    visit.wait_for_text("#how-made", words)


def test_the_midi_file_is_carried_out_by_dragging(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    visit.compose(16)
    carried = visit.run(
        """() => {
          const dataTransfer = new DataTransfer();
          const link = document.querySelector("#files [data-kind=mid]");
          link.dispatchEvent(new DragEvent("dragstart", { dataTransfer, bubbles: true }));
          return [link.draggable, dataTransfer.getData("DownloadURL"), dataTransfer.getData("text/uri-list")];
        }"""
    )
    address = f"{visit.address}/v1/pieces/{visit.piece}.mid"
    assert carried == [True, f"audio/midi:{visit.page.text_content('#title')}.mid:{address}", address]


def test_a_refusal_is_told_in_the_servers_words(studio: Studio) -> None:
    visit = studio.visit()
    visit.expected_error = "422 (Unprocessable"
    page = visit.open()
    page.get_by_label("Length", exact=True).fill("999999")
    page.get_by_role("button", name="Compose", exact=True).click()
    visit.wait_for_text("#notice-text", "The server says: notes must lie in 1-10000, not 999999")
    page.get_by_label("Length", exact=True).fill("")
    page.get_by_role("button", name="Compose", exact=True).click()
    visit.wait_for_text("#notice-text", "Enter how long the piece should be")


def test_a_link_to_a_piece_that_is_gone_says_so(studio: Studio) -> None:
    visit = studio.visit()
    visit.expected_error = "404 (Not Found)"
    visit.open("/p/0123456789abcdef")
    visit.wait_for_text("#notice-text", "This piece is no longer stored here.")


def test_a_full_queue_is_asked_again(studio: Studio) -> None:
    visit = studio.visit()
    visit.expected_error = "429 (Too Many Requests)"
    page = visit.open()
    full = {"status": 429, "headers": {"Retry-After": "1"}, "body": json.dumps({"detail": "64 pieces wait"})}
    page.route("**/v1/pieces", lambda route: route.fulfill(**full), times=1)
    page.get_by_role("button", name="Compose", exact=True).click()
    visit.wait_for_text("#notice-text", "asking again in 1 s")
    page.wait_for_url("**/p/*")
    assert page.is_hidden("#notice")


def test_a_server_that_is_gone_is_told_and_asked_again(studio: Studio) -> None:
    visit = studio.visit()
    visit.expected_error = "net::ERR_FAILED"
    page = visit.open()
    page.route("**/v1/**", lambda route: route.abort())
    page.get_by_role("button", name="Compose", exact=True).click()
    visit.wait_for_text("#notice-text", "The server does not answer.")
    page.unroute("**/v1/**")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url("**/p/*")


@pytest.mark.parametrize("path", ["/", "/p/"])
def test_a_phone_shows_all_without_scrolling_sideways(studio: Studio, path: str) -> None:
    visit = studio.visit(viewport=PHONE, has_touch=True, is_mobile=True)
    (piece,) = studio.server.post("/v1/pieces?wait=60", json={"notes": 30, "style": "grieg"}).json()["pieces"]
    page = visit.open(path if path == "/" else piece["links"]["page"])
    page.click("#more summary")
    for beginning in ("a MIDI file", "a phrase I play"):
        begin_with(visit, beginning)
        page.wait_for_timeout(50)
        assert visit.run("() => document.documentElement.scrollWidth") <= PHONE["width"]

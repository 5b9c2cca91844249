"""Takes side by side, and the history of pieces: choose, keep, rename, discard, undo."""

from __future__ import annotations

from tests.support.browser import Studio, Visit, wait_until


def piece_names(visit: Visit) -> list[str]:
    return visit.page.locator(".piece-name").all_text_contents()


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
    wait_until(lambda: studio.stored_piece(visit)["is_favourite"])
    page.reload()
    page.get_by_label("Favourites only").check()
    # the only favourite so far: the tests of a module share their server
    wait_until(lambda: piece_names(visit) == ["Evening by the water"])
    page.get_by_role("button", name="Rename Evening by the water").click()
    page.keyboard.type("Morning")
    page.keyboard.press("Escape")
    assert piece_names(visit) == ["Evening by the water"]
    page.get_by_role("button", name="Delete Evening by the water").click()
    wait_until(lambda: piece_names(visit) == [])
    visit.wait_for_text("#history-empty", "No favourites yet.")
    page.get_by_role("button", name="Undo", exact=True).click()
    wait_until(lambda: piece_names(visit) == ["Evening by the water"])


def test_of_several_takes_the_nearest_to_real_music_is_marked_and_announced(studio: Studio) -> None:
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
    page.check("[name=count][value='1']")
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
    wait_until(lambda: studio.stored_piece(visit)["is_favourite"])
    cards.nth(0).get_by_role("button", name="Discard").click()
    wait_until(lambda: cards.count() == 2)
    page.get_by_role("button", name="Undo", exact=True).click()
    wait_until(lambda: cards.count() == 3)
    assert cards.nth(0).locator(".take-choose").get_attribute("aria-pressed") == "true"
    cards.nth(0).get_by_role("button", name="Discard").click()
    wait_until(lambda: cards.count() == 2)
    assert cards.locator("strong").all_text_contents() == ["Take 2", "Take 3"]  # as before
    page.keyboard.press("2")
    assert visit.piece == second
    page.goto("about:blank")  # leaving the page settles what was discarded
    pieces = studio.server.get("/v1/pieces").json()["pieces"]
    seeds = [piece["request"]["seed"] for piece in pieces[:2]]
    wait_until(lambda: studio.server.get("/v1/pieces").json()["pieces"][1]["id"] == second)
    assert seeds == sorted(seeds, reverse=True)

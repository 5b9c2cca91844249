"""Asking for a piece in the studio: from nothing, a file, a phrase or a piece; progress, stopping, refusals."""

from __future__ import annotations

import json
import time
from pathlib import Path

from arietta.music.midi import midi_bytes, read_midi
from arietta.music.notes import Notes
from tests.support.browser import Studio, Visit, show_figure, wait_until
from tests.support.written import note, score


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


def test_saved_choices_are_found_under_the_names_they_were_saved_by(studio: Studio) -> None:
    """A browser's storage outlives a version of the page: its names may not change with those of the fields."""
    saved = {
        "request.style": "Edvard Grieg",
        "request.mood": "0.7",
        "request.extent": "77",
        "room": False,
        "volume": 35,
    }
    visit = studio.visit()
    page = visit.open()
    visit.run(
        """(saved) => {
          for (const [name, choice] of Object.entries(saved)) {
            localStorage.setItem(`arietta.${name}`, JSON.stringify(choice));
          }
        }""",
        saved,
    )
    page.reload()
    wait_until(lambda: page.input_value("#style") == "Edvard Grieg")
    assert [page.input_value(field) for field in ("#temperature", "#length", "#volume")] == ["0.7", "77", "35"]
    assert not page.is_checked("#reverb")
    page.get_by_label("How adventurous").press("ArrowRight")
    assert visit.run("() => localStorage.getItem('arietta.request.mood')") == '"0.75"'


def test_notes_arrive_while_the_piece_is_being_written_and_are_all_there_in_the_end(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    visit.compose(3000, is_awaited=False)
    counts = set()

    def is_done() -> bool:
        state = visit.page.text_content("#state") or ""
        counts.add(state.split(" of ")[0])
        return "written in" in state

    wait_until(is_done)
    assert len(counts) > 2, counts  # it was seen growing
    visit.wait_for_text("#state", "3,000 notes ·")
    assert visit.page.get_attribute("#roll", "aria-label").startswith("Piano roll: 3,000 notes")  # type: ignore[union-attr]
    with visit.page.expect_download() as download:
        visit.page.click("#files [data-kind=mid]")
    assert len(read_midi(Path(download.value.path()).read_bytes())) == 3000


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
    visit.begin_with("a file")
    page.set_input_files("#file", {"name": "waltz.mid", "mimeType": "audio/midi", "buffer": midi_bytes(waltz)})
    visit.wait_for_text("#file-name", "waltz.mid is here: press Compose to go on from its end")
    visit.wait_for_text("#title", "waltz")
    visit.wait_for_text("#state", f"{len(waltz)} notes · 0:04 · uploaded")
    page.click("#play")  # before anything is composed
    wait_until(lambda: visit.run("() => window.peak?.() ?? 0") > 0.005)
    page.locator("#roll").click(position={"x": 46 + 90 * (float(waltz.onset[8]) + 0.02), "y": 60})
    assert page.input_value("#prompt-notes") == "9"
    visit.compose(20, is_awaited=False)
    visit.wait_for_text("#state", "written in")
    assert studio.stored_piece(visit)["request"]["prompt_notes"] == 9
    written = studio.server.get(f"/v1/pieces/{visit.piece}.json").json()
    assert len(written["notes"]) == 29
    assert "Notes given9" in (page.text_content("#how-made") or "")


def test_a_dropped_file_of_music_is_accepted_and_any_other_is_refused_with_a_reason(
    studio: Studio, waltz: Notes
) -> None:
    visit = studio.visit()
    visit.expected_error = "422 (Unprocessable"
    page = visit.open()
    tune, duet = list(midi_bytes(waltz)), list(score([note("C4", 4)], [note("E4", 4)]))
    for name, content, message in (
        ("letter.txt", list(b"Dear Clara"), "letter.txt is neither MIDI nor MusicXML"),
        ("tune.mid", tune, "tune.mid is here"),
        ("duet.musicxml", duet, "Parts were merged into one piano: Part 1, Part 2."),
        ("broken.mid", tune[:40], "The server says: "),
    ):
        visit.run(
            """([name, content]) => {
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(new File([new Uint8Array(content)], name));
              for (const kind of ["dragover", "drop"]) {
                document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
              }
            }""",
            [name, content],
        )
        visit.wait_for_text("#notice-text" if name == "broken.mid" else "#file-name", message)
    assert page.is_checked("[name=beginning][value=file]")
    page.goto(visit.address)
    visit.begin_with("a file")
    page.get_by_role("button", name="Compose", exact=True).click()
    visit.wait_for_text("#notice-text", "Choose a file to continue")


def test_a_phrase_played_on_letters_is_continued(studio: Studio) -> None:
    visit = studio.visit()
    page = visit.open()
    visit.begin_with("a phrase I play")
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


def test_a_phrase_records_keys_pedal_and_velocity_in_time(modules: Visit) -> None:
    prompt, midi = modules.run(
        """async () => {
          const { Phrase } = await import("/static/form/phrase.js");
          const { readMessage } = await import("/static/form/midi_keyboard.js");
          const phrase = new Phrase();
          let now = 5;
          const actions = {
            press: (pitch, velocity) => phrase.press(pitch, velocity, now),
            release: (pitch) => phrase.release(pitch, now),
            pedal: (isDown) => phrase.movePedal(isDown, now),
          };
          for (const [time, ...message] of [
            [5, 0x90, 60, 70], [5.5, 0xb0, 64, 127], [6, 0x90, 60, 0], [6, 0x91, 64, 90], [7, 0xb0, 64, 10],
            [7, 0xb0, 1, 99],
          ]) { now = time; readMessage(message, actions); }
          const prompt = phrase.prompt(8);
          phrase.clear();
          return [prompt, phrase.noteCount];
        }"""
    )
    assert prompt == {"notes": [[0, 1, 60, 70], [1, 2, 64, 90]], "pedal": [[0.5, 2]]}
    assert midi == 0


def test_a_piece_is_continued(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    visit.compose(15)
    first = visit.piece
    visit.begin_with("this piece")
    visit.page.get_by_role("button", name="Compose", exact=True).click()
    wait_until(lambda: visit.piece != first)
    assert studio.stored_piece(visit)["request"]["continues"] == first
    visit.wait_for_text("#how-made", "Continues")


def test_a_stopped_piece_is_finished_with_the_notes_it_has_after_a_reload_too(studio: Studio) -> None:
    visit = studio.visit()
    page = visit.open()
    visit.compose(10_000, is_awaited=False)
    visit.wait_for_text("#state", "Composing")
    page.get_by_role("button", name="Stop composing").click()
    visit.wait_for_text("#state", "stopped, 10,000 notes were asked for")
    stored = studio.stored_piece(visit)
    count = stored["request"]["stopped_at"]
    assert (stored["state"], stored["figures"]["notes"]) == ("done", count)
    visit.wait_for_text(".piece-details", f"{count:,} notes ·")
    page.reload()
    visit.wait_for_text("#state", f"{count:,} notes ·")
    with page.expect_download() as download:
        page.click("#files [data-kind=mid]")
    assert len(read_midi(Path(download.value.path()).read_bytes())) == count
    visit.begin_with("this piece")
    visit.compose(12, is_awaited=False)
    visit.wait_for_text("#state", f"12 notes after {count:,} given ·")


def test_a_refusal_is_shown_in_the_servers_words(studio: Studio) -> None:
    visit = studio.visit()
    visit.expected_error = "422 (Unprocessable"
    page = visit.open()
    page.get_by_label("Length", exact=True).fill("999999")
    page.get_by_role("button", name="Compose", exact=True).click()
    visit.wait_for_text("#notice-text", "The server says: notes must lie in 1-10000, not 999999")
    page.get_by_label("Length", exact=True).fill("")
    page.get_by_role("button", name="Compose", exact=True).click()
    visit.wait_for_text("#notice-text", "Enter how long the piece should be")


def test_a_full_queue_is_asked_again_when_the_server_said(studio: Studio) -> None:
    visit = studio.visit()
    visit.expected_error = "429 (Too Many Requests)"
    page = visit.open()
    full = {"status": 429, "headers": {"Retry-After": "1"}, "body": json.dumps({"detail": "64 pieces wait"})}
    page.route("**/v1/pieces", lambda route: route.fulfill(**full), times=1)
    page.get_by_role("button", name="Compose", exact=True).click()
    visit.wait_for_text("#notice-text", "asking again in 1 s")
    page.wait_for_url("**/p/*")
    assert page.is_hidden("#notice")


def test_an_unreachable_server_is_reported_and_can_be_tried_again(studio: Studio) -> None:
    visit = studio.visit()
    visit.expected_error = "net::ERR_FAILED"
    page = visit.open()
    page.route("**/v1/**", lambda route: route.abort())
    page.get_by_role("button", name="Compose", exact=True).click()
    visit.wait_for_text("#notice-text", "The server does not answer.")
    page.unroute("**/v1/**")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url("**/p/*")


def test_a_piece_is_composed_in_a_tempo_and_a_metre(studio: Studio) -> None:
    visit = studio.visit()
    page = visit.open()
    page.select_option("#unit", "bars")
    assert page.input_value("#length") == "16"
    page.fill("#length", "4")
    page.fill("#bpm", "90")
    compose = page.get_by_role("button", name="Compose", exact=True)
    compose.click()
    visit.wait_for_text("#notice-text", "Say both a tempo and a metre")
    page.select_option("#metre", "3/4")
    compose.click()
    visit.wait_for_text("#state", "written in")
    asked = studio.stored_piece(visit)["request"]
    assert (asked["bars"], asked["bpm"], asked["metre"]) == (4, 90, "3/4")
    how_made = page.text_content("#how-made") or ""
    assert "Asked for4 bars" in how_made and "Tempo and metre90 beats a minute, 3/4" in how_made
    assert "too unsure for bars" in how_made or "its bars are known" in how_made
    page.fill("#bpm", "")
    page.select_option("#metre", "")
    page.get_by_role("button", name="Use these settings again").click()
    assert [page.input_value(f"#{name}") for name in ("length", "unit", "bpm", "metre")] == ["4", "bars", "90", "3/4"]
    visit.begin_with("a phrase I play")
    assert page.is_disabled("#bpm") and page.is_disabled("#metre")  # what is given has its own

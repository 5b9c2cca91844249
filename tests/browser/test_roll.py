"""The piano roll and the sequence of notes behind it: speed, search, pointer."""

from __future__ import annotations

from tests.support.browser import Studio, Visit, show_figure, wait_until


def test_rolls_of_twenty_thousand_notes_are_drawn_in_time_for_every_frame(studio: Studio) -> None:
    visit = studio.visit()
    visit.open()
    median, worst, whole = visit.run(
        """async () => {
          const { Roll } = await import("/static/score/roll.js");
          const { toSequence } = await import("/static/score/notes.js");
          const note = (i) => [i * 0.09, 0.1 + (i % 7) * 0.3, 30 + ((i * 37) % 60), 20 + (i % 100)];
          const notes = Array.from({ length: 20000 }, (_, i) => note(i));
          const pedal = Array.from({ length: 1500 }, (_, i) => [i * 1.2, i * 1.2 + 0.9]);
          const roll = new Roll(document.querySelector("#roll"));
          roll.sequence = toSequence({ notes, pedal });
          const time = (position) => {
            const begun = performance.now();
            roll.draw(position);
            return performance.now() - begun;
          };
          const frames = [];
          for (let i = 0; i < 200; i++) {
            await new Promise(requestAnimationFrame);
            frames.push(time(i * 9));
          }
          roll.scale = 2;
          const wide = [1, 2, 3, 4, 5].map(() => time(900));
          frames.sort((a, b) => a - b);
          return [frames[100], frames[199], Math.min(...wide)];
        }"""
    )
    show_figure(f"20,000 notes: {median:.2f} ms a frame, {worst:.2f} at worst; zoomed out {whole:.2f} ms")
    assert median < 8
    assert whole < 40


def test_binary_search_finds_the_notes_that_looking_at_every_note_finds(modules: Visit) -> None:
    failures = modules.run(
        """async () => {
          const { NoteSequence } = await import("/static/score/notes.js");
          let seed = 1;
          const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
          const sequence = new NoteSequence();
          for (let i = 0; i < 400; i++) {
            sequence.addNote([Math.round(random() * 300) / 10, random() * 4, 30 + Math.floor(random() * 50), 64]);
          }
          for (let i = 0; i < 20; i++) sequence.addPedal([i * 1.5, i * 1.5 + 1]);
          const failures = [];
          const { notes } = sequence;
          for (let i = 1; i < notes.length; i++) if (notes[i - 1].onset > notes[i].onset) failures.push(`order ${i}`);
          for (let time = 0; time < 32; time += 0.37) {
            const isSounding = ({ onset, release }) => onset <= time && release > time;
            const sounding = notes.slice(sequence.indexSounding(time)).filter(isSounding).length;
            if (sounding !== notes.filter(isSounding).length) failures.push(`sounding at ${time}`);
            const before = notes.filter(({ onset }) => onset < time).length;
            if (sequence.indexFrom(time) !== before) failures.push(`from ${time}`);
            const span = sequence.pedal.find(({ down, up }) => down <= time && up > time);
            if (sequence.dampedAt(time) !== (span ? span.up : time)) failures.push(`damped at ${time}`);
          }
          if (sequence.end !== Math.max(29.5, ...notes.map(({ release }) => release))) failures.push("end");
          return failures;
        }"""
    )
    assert failures == []


def test_the_ruler_counts_seconds_and_half_seconds_as_a_clock_does(modules: Visit) -> None:
    assert modules.run(
        """async () => {
          const { rulerTime } = await import("/static/score/paper.js");
          return [[0, 1], [61, 1], [0.5, 0.5], [69.5, 0.5], [120, 0.5]].map((of) => rulerTime(...of));
        }"""
    ) == ["0:00", "1:01", "0:00.5", "1:09.5", "2:00.0"]


def test_dragging_the_ruler_loops_and_clicking_the_roll_seeks(studio: Studio) -> None:
    (piece,) = studio.server.post("/v1/pieces?wait=60", json={"notes": 200}).json()["pieces"]
    visit = studio.visit()
    page = visit.open(piece["links"]["page"])
    visit.wait_for_text("#state", "200 notes")
    box = page.locator("#roll").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 12, steps=4)
    page.mouse.up()
    assert page.get_attribute("#loop", "aria-pressed") == "false"
    page.keyboard.press("l")
    assert page.get_attribute("#loop", "aria-pressed") == "true"
    page.mouse.click(box["x"] + 290, box["y"] + 100)
    wait_until(lambda: page.text_content("#time") != "0:00")

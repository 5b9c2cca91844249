"""What the studio's modules promise of sound, drawing, searching and listening, measured in a browser."""

from __future__ import annotations

from tests.support.browser import Studio, Visit, show_figure

RENDER = """async ([notes, seconds]) => {
  const { Piano, loadSamples } = await import("/static/sound/piano.js");
  const context = new OfflineAudioContext(1, 44100 * seconds, 44100);
  const piano = new Piano(context);
  piano.useSamples(await loadSamples(context));
  for (const [onset, duration, pitch, velocity] of notes) {
    piano.release(piano.strike(pitch, velocity, onset), onset + duration);
  }
  const samples = (await context.startRendering()).getChannelData(0);
  const loudness = (from, to) => {
    const part = samples.slice(44100 * from, 44100 * to);
    return Math.sqrt(part.reduce((sum, value) => sum + value * value, 0) / part.length);
  };
  const strength = (hertz) => {
    let [real, imaginary] = [0, 0];
    for (let i = 4410; i < 39690; i++) {
      const window = Math.sin((Math.PI * (i - 4410)) / 35280) ** 2;
      real += window * samples[i] * Math.cos((2 * Math.PI * hertz * i) / 44100);
      imaginary += window * samples[i] * Math.sin((2 * Math.PI * hertz * i) / 44100);
    }
    return Math.hypot(real, imaginary);
  };
  const right = 440 * 2 ** ((notes[0][2] - 69) / 12);
  const cents = Array.from({ length: 41 }, (_, i) => 5 * (i - 20));
  const strengths = cents.map((off) => strength(right * 2 ** (off / 1200)));
  return {
    tenths: Array.from({ length: 10 * seconds }, (_, i) => loudness(i / 10, i / 10 + 0.1)),
    cents: cents[strengths.indexOf(Math.max(...strengths))],
  };
}"""


def test_the_piano_sounds_while_keys_are_down_and_is_silent_before_and_after(modules: Visit) -> None:
    tenths = modules.run(RENDER, [[[0.5, 1.0, 60, 90]], 4])["tenths"]
    assert max(tenths[:5]) == 0
    assert min(tenths[5:15]) > 0.005
    assert max(tenths[30:]) < 1e-4


def test_louder_keys_sound_louder_and_notes_are_in_tune(modules: Visit) -> None:
    loudness = [max(modules.run(RENDER, [[[0.0, 1.0, 62, velocity]], 1])["tenths"]) for velocity in (30, 60, 90, 120)]
    assert loudness == sorted(loudness)
    assert loudness[3] > 6 * loudness[0]
    cents = {pitch: modules.run(RENDER, [[[0.0, 1.0, pitch, 90]], 1])["cents"] for pitch in (55, 59, 62, 63, 69, 79)}
    assert all(abs(off) <= 15 for off in cents.values()), cents


def test_a_long_note_dies_away_without_stopping(modules: Visit) -> None:
    tenths = modules.run(RENDER, [[[0.0, 12.0, 64, 100]], 12])["tenths"]
    assert tenths[5] > tenths[60] > tenths[110] > 1e-5


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


def test_the_score_finds_by_searching_what_looking_at_every_note_finds(modules: Visit) -> None:
    wrong = modules.run(
        """async () => {
          const { NoteSequence } = await import("/static/score/notes.js");
          let seed = 1;
          const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
          const sequence = new NoteSequence();
          for (let i = 0; i < 400; i++) {
            sequence.addNote([Math.round(random() * 300) / 10, random() * 4, 30 + Math.floor(random() * 50), 64]);
          }
          for (let i = 0; i < 20; i++) sequence.addPedal([i * 1.5, i * 1.5 + 1]);
          const wrong = [];
          const { notes } = sequence;
          for (let i = 1; i < notes.length; i++) if (notes[i - 1].onset > notes[i].onset) wrong.push(`order ${i}`);
          for (let time = 0; time < 32; time += 0.37) {
            const isSounding = ({ onset, release }) => onset <= time && release > time;
            const found = notes.slice(sequence.indexSounding(time)).filter(isSounding).length;
            if (found !== notes.filter(isSounding).length) wrong.push(`sounding at ${time}`);
            if (sequence.indexFrom(time) !== notes.filter(({ onset }) => onset < time).length) wrong.push(`from ${time}`);
            const span = sequence.pedal.find(({ down, up }) => down <= time && up > time);
            if (sequence.dampedAt(time) !== (span ? span.up : time)) wrong.push(`damped at ${time}`);
          }
          if (sequence.end !== Math.max(29.5, ...notes.map(({ release }) => release))) wrong.push("end");
          return wrong;
        }"""
    )
    assert wrong == []


def test_a_broken_stream_of_events_goes_on_where_it_stopped(modules: Visit) -> None:
    """The connection breaks in the middle of an event, twice; every note comes once."""
    received, resumed, connections = modules.run(
        """async () => {
          const { events } = await import("/static/api.js");
          const block = (id) => `id: ${id}\\nevent: note\\ndata: [${id}, 1, 60, 64]\\n\\n`;
          const end = "event: end\\ndata: {}\\n\\n";
          const parts = [block(1) + block(2) + "id: 3\\nevent: no", ": hello\\n\\n" + block(3), block(4) + end];
          const resumed = [];
          window.fetch = async (path, { headers }) => {
            resumed.push(headers["Last-Event-ID"] ?? null);
            const bytes = new TextEncoder().encode(parts.shift());
            return new Response(new ReadableStream({
              start(controller) { for (const byte of bytes) controller.enqueue(new Uint8Array([byte])); },
              pull(controller) { controller[bytes.length % 2 ? "close" : "error"](new Error("gone")); },
            }));
          };
          const [received, connections] = [[], []];
          const options = { signal: new AbortController().signal, onConnection: (isConnected) => connections.push(isConnected) };
          for await (const { kind, data } of events({ links: { events: "/x" } }, options)) received.push(data[0] ?? kind);
          return [received, resumed, connections];
        }"""
    )
    assert received == [1, 2, 3, 4, "end"]
    assert resumed == [None, "2", "3"]
    assert connections[-1] is True


def test_a_phrase_keeps_keys_pedal_and_velocity_in_time(modules: Visit) -> None:
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

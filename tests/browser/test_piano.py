"""The sampled piano, rendered offline in a browser and measured."""

from __future__ import annotations

from tests.support.browser import Visit

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

/**
 * A phrase as it is played: keys and pedal with their times, from the first key on.
 *
 * It records presses and releases with clock times in seconds and gives what the HTTP API calls a prompt.
 */

const SHORTEST_NOTE = 0.03; // seconds, where a key was pressed and released at once

export class Phrase {
  #notes = []; // [onset, duration, pitch, velocity], in the order of release
  #pedal = [];
  #down = new Map(); // pitch -> {onset, velocity}
  #pedalDown = null;
  #start = null;

  press(pitch, velocity, time) {
    this.release(pitch, time); // two keyboards may press the same key
    this.#start ??= time;
    this.#down.set(pitch, { onset: time - this.#start, velocity });
  }

  release(pitch, time) {
    const key = this.#down.get(pitch);
    if (!key) return;
    this.#down.delete(pitch);
    this.#notes.push([key.onset, Math.max(SHORTEST_NOTE, time - this.#start - key.onset), pitch, key.velocity]);
  }

  /** Move the pedal; before the first key it has no time yet, and is down from the start. */
  movePedal(isDown, time) {
    const now = this.#start === null ? 0 : time - this.#start;
    if (isDown) this.#pedalDown ??= now;
    if (isDown || this.#pedalDown === null) return;
    if (now > this.#pedalDown) this.#pedal.push([this.#pedalDown, now]);
    this.#pedalDown = null;
  }

  get noteCount() {
    return this.#notes.length + this.#down.size;
  }

  get seconds() {
    return Math.max(0, ...this.#notes.map(([onset, duration]) => onset + duration));
  }

  clear() {
    this.#notes = [];
    this.#pedal = [];
    this.#down.clear();
    this.#pedalDown = this.#start = null;
  }

  /** The phrase as a prompt, with all keys and the pedal released at `time`. */
  prompt(time) {
    for (const pitch of [...this.#down.keys()]) this.release(pitch, time);
    this.movePedal(false, time);
    const notes = [...this.#notes].sort((a, b) => a[0] - b[0] || a[2] - b[2]);
    return { notes: notes.map(([onset, duration, ...key]) => [toMilliseconds(onset), toMilliseconds(duration), ...key]), pedal: this.#pedal.map((span) => span.map(toMilliseconds)) };
  }
}

/** Round to milliseconds: finer times only make the request longer. */
const toMilliseconds = (seconds) => Math.round(seconds * 1000) / 1000;

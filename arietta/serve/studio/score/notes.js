/**
 * A sequence of notes and pedal spans, in order, while they arrive and afterwards.
 *
 * A note is {onset, duration, pitch, velocity, release}, in seconds from the piece's beginning; a pedal span is
 * {down, up}. Everything that asks "which notes are near this moment" is a binary search, so that rolls of
 * 20,000 notes cost no more than short ones. It draws nothing and plays nothing.
 */

/** Index of the first of `count` items for which `isPast` holds; `isPast` must not turn back to false. */
export function firstWhere(count, isPast) {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isPast(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

export class NoteSequence {
  notes = [];
  pedal = [];
  promptCount = 0; // that many first notes were given, not composed
  isComplete = false;
  /** Grows with every change, so that pictures know when to be drawn again. */
  version = 0;
  lowest = 127;
  highest = 0;
  #reach = []; // the latest release among the notes up to each index: it only grows, so it can be searched
  #lastUp = 0;

  /** A complete sequence of notes and pedal spans, in any order; they are shared, not copied. */
  static of(notes, pedal) {
    const sequence = new NoteSequence();
    sequence.notes = [...notes].sort((a, b) => a.onset - b.onset || a.pitch - b.pitch);
    sequence.pedal = [...pedal].sort((a, b) => a.down - b.down);
    for (const { release, pitch } of sequence.notes) {
      sequence.#reach.push(Math.max(release, sequence.#reach.at(-1) ?? 0));
      sequence.lowest = Math.min(sequence.lowest, pitch);
      sequence.highest = Math.max(sequence.highest, pitch);
    }
    sequence.#lastUp = Math.max(0, ...sequence.pedal.map(({ up }) => up));
    sequence.complete();
    return sequence;
  }

  /** Add a note as the server sends it: [onset, duration, pitch, velocity]; those given come first. */
  addNote([onset, duration, pitch, velocity]) {
    const note = { onset, duration, pitch, velocity, release: onset + duration, isGiven: this.notes.length < this.promptCount };
    const isAfter = (i) => this.notes[i].onset > onset || (this.notes[i].onset === onset && this.notes[i].pitch > pitch);
    const index = firstWhere(this.notes.length, isAfter);
    this.notes.splice(index, 0, note);
    this.#reach.length = index;
    for (let i = index; i < this.notes.length; i++) {
      this.#reach.push(Math.max(this.notes[i].release, this.#reach[i - 1] ?? 0));
    }
    this.lowest = Math.min(this.lowest, pitch);
    this.highest = Math.max(this.highest, pitch);
    this.version++;
  }

  /** Add a pedal span as the server sends it: [down, up]. */
  addPedal([down, up]) {
    const index = firstWhere(this.pedal.length, (i) => this.pedal[i].down > down);
    this.pedal.splice(index, 0, { down, up });
    this.#lastUp = Math.max(this.#lastUp, up);
    this.version++;
  }

  /** No more notes will come. */
  complete() {
    this.isComplete = true;
    this.version++;
  }

  /** Up to here all notes are known: before this moment none will be added. */
  get frontier() {
    return this.isComplete ? Infinity : (this.notes.at(-1)?.onset ?? 0);
  }

  /** When the last key and the pedal are up. */
  get end() {
    return Math.max(this.#reach.at(-1) ?? 0, this.#lastUp);
  }

  /** Index of the first note that begins at `time` or later. */
  indexFrom(time) {
    return firstWhere(this.notes.length, (i) => this.notes[i].onset >= time);
  }

  /** Index of the first note that may still be held at `time`; none before it is. */
  indexSounding(time) {
    return firstWhere(this.notes.length, (i) => this.#reach[i] > time);
  }

  /** Index of the first pedal span that ends after `time`. */
  pedalFrom(time) {
    return firstWhere(this.pedal.length, (i) => this.pedal[i].up > time);
  }

  /** When a key let go at `time` falls silent: at once, or when the pedal comes up. */
  dampedAt(time) {
    const span = this.pedal[this.pedalFrom(time)];
    return span && span.down <= time ? span.up : time;
  }
}

/** Make a complete sequence of what `/v1/pieces/{id}.json` answers, or one of its revisions. */
export function toSequence({ notes, pedal, prompt_notes: promptCount = 0, composed = null, locks = [] }) {
  const [isComposed, isLocked] = [new Set(composed), new Set(locks)];
  const rows = notes.map(([onset, duration, pitch, velocity], i) => ({
    ...{ onset, duration, pitch, velocity, release: onset + duration },
    ...{ isGiven: composed ? !isComposed.has(i) : i < promptCount, isLocked: isLocked.has(i) },
  }));
  return NoteSequence.of(rows, pedal.map(([down, up]) => ({ down, up })));
}

/** The index of the moment of `times` that is nearest to `time`. */
export const nearestIndex = (times, time) => times.reduce((best, line, i) => (Math.abs(line - time) < Math.abs(times[best] - time) ? i : best), 0);

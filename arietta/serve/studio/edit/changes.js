/**
 * Changes to a piece as functions: a piece and the notes chosen in it come in, a changed piece goes out.
 *
 * A piece is {notes, pedal}, as a NoteSequence has them; nothing is changed in place, so that earlier versions stay
 * what they were. Each change answers {notes, pedal, chosen}, where `chosen` are the notes it made of the chosen ones.
 * Of two notes on one key the earlier one ends where the later one begins, as on a piano.
 */

const SHORTEST = 0.03; // seconds
const [LOWEST, HIGHEST] = [21, 108];

export const toNote = ({ onset, duration, pitch, velocity, isGiven = false, isLocked = false }) => ({ onset, duration, pitch, velocity, isGiven, isLocked, release: onset + duration });

const clamp = (number, low, high) => Math.min(high, Math.max(low, number));

/** Put other notes in the place of the chosen ones. */
function replaced({ notes, pedal }, chosen, others) {
  const rest = notes.filter((note) => !chosen.has(note));
  return { ...settled([...rest, ...others], new Set(others)), pedal };
}

/** Sort notes, and end each where its key is struck again; of two at one moment the changed one stays. */
function settled(notes, changed) {
  const sorted = [...notes].sort((a, b) => a.onset - b.onset || a.pitch - b.pitch || Number(changed.has(a)) - Number(changed.has(b)));
  const last = new Map(); // pitch -> index of its latest note in `result`
  const result = [];
  const chosen = new Set(changed);
  for (const note of sorted) {
    const index = last.get(note.pitch);
    const before = result[index];
    if (before && before.release > note.onset && (changed.has(note) || changed.has(before))) {
      const shorter = toNote({ ...before, duration: note.onset - before.onset });
      result[index] = shorter.duration > 0 ? shorter : null;
      if (chosen.delete(before) && result[index]) chosen.add(shorter);
    }
    last.set(note.pitch, result.push(note) - 1);
  }
  return { notes: result.filter(Boolean), chosen };
}

/** Move notes in time and pitch, none of them out of the piece or off the keyboard. */
export function move(piece, chosen, seconds, semitones) {
  const notes = [...chosen];
  const earliest = Math.min(...notes.map(({ onset }) => onset));
  const [lowest, highest] = [Math.min(...notes.map(({ pitch }) => pitch)), Math.max(...notes.map(({ pitch }) => pitch))];
  const by = Math.max(seconds, -earliest);
  const up = clamp(semitones, LOWEST - lowest, HIGHEST - highest);
  return replaced(piece, chosen, notes.map((note) => toNote({ ...note, onset: note.onset + by, pitch: note.pitch + up })));
}

export function lengthen(piece, chosen, seconds) {
  return replaced(piece, chosen, [...chosen].map((note) => toNote({ ...note, duration: Math.max(SHORTEST, note.duration + seconds) })));
}

/** Make notes louder by so many steps of MIDI's velocity; less than 0 makes them softer. */
export function louden(piece, chosen, steps) {
  return replaced(piece, chosen, [...chosen].map((note) => toNote({ ...note, velocity: clamp(note.velocity + steps, 1, 127) })));
}

export function lock(piece, chosen, isLocked) {
  return replaced(piece, chosen, [...chosen].map((note) => toNote({ ...note, isLocked })));
}

export const remove = (piece, chosen) => replaced(piece, chosen, []);

export const add = (piece, notes) => replaced(piece, new Set(), notes.map(toNote));

/** Put copied notes so that the first begins at `time`. */
export function paste(piece, copied, time) {
  const begin = Math.min(...copied.map(({ onset }) => onset));
  return add(piece, copied.map((note) => ({ ...note, onset: time + note.onset - begin, isLocked: false })));
}

/** Press the pedal from `start` to `end`; presses that it touches become one with it. */
export function pressPedal({ notes, pedal }, start, end) {
  const touching = pedal.filter(({ down, up }) => down <= end && up >= start);
  const down = Math.min(start, ...touching.map((press) => press.down));
  const up = Math.max(end, ...touching.map((press) => press.up));
  const rest = pedal.filter((press) => !touching.includes(press));
  return { notes, pedal: [...rest, { down, up }].sort((a, b) => a.down - b.down), chosen: new Set() };
}

/** Leave the pedal up from `start` to `end`. */
export function liftPedal({ notes, pedal }, start, end) {
  const parts = pedal.flatMap(({ down, up }) => [{ down, up: Math.min(up, start) }, { down: Math.max(down, end), up }]);
  return { notes, pedal: parts.filter(({ down, up }) => up > down), chosen: new Set() };
}

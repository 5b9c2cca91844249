/**
 * A piece with a passage written anew: what stays of it, and what a take has of the passage so far or in the end.
 */

import { liftPedal } from "../edit/changes.js";
import { NoteSequence, toSequence } from "../score/notes.js";

const MS = 1000; // two notes that begin in the same millisecond on one key are one note

const keyOf = ({ onset, pitch }) => `${pitch} ${Math.round(onset * MS)}`;

/**
 * The piece while a take is composed: `replaced` notes are gone, and `written` has what came in their place.
 *
 * Of these a variation keeps some, and the server says which in the end: until it is written up to them, they stay.
 */
export function joinSoFar(base, { cause, start, end, replaced }, written) {
  const reached = cause === "vary" ? (written.notes.at(-1)?.onset ?? start) : end;
  const stays = base.notes.filter((note) => !replaced.has(note) || note.onset > reached);
  const { pedal } = liftPedal(base, start, reached);
  return NoteSequence.of([...stays, ...written.notes], [...pedal, ...written.pedal]);
}

/** The piece as the server joined it; what it has of `base` is given or locked as it was there. */
export function joinFinished(base, music) {
  const before = new Map(base.notes.map((note) => [keyOf(note), note]));
  const { notes, pedal } = toSequence(music);
  const joined = notes.map((note) => {
    const same = note.isGiven ? before.get(keyOf(note)) : null;
    return same ? { ...note, isGiven: same.isGiven, isLocked: same.isLocked } : note;
  });
  return NoteSequence.of(joined, pedal);
}

/** The notes of a joined piece that `base` does not have. */
export function newNotes(base, joined) {
  const before = new Set(base.notes.map(keyOf));
  return joined.notes.filter((note) => !before.has(keyOf(note)));
}

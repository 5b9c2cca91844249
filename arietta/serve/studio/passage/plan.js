/**
 * What to ask the server for, so that a part of a piece is written anew: from what is selected, and how.
 */

/** Whether a whole stretch is selected, and not only notes in it. */
const isAll = ({ sequence, chosen }) => chosen.size === sequence.notes.length;

/** Plan to write what is selected anew ("regenerate", "vary"), or what goes with it ("accompany"). */
export function planPassage(editor, verb, how) {
  const { sequence, span, chosen } = editor;
  if (verb === "accompany" && isAll(editor)) return planAccompaniment(editor, how);
  const stays = (note) => note.isLocked || (verb === "accompany") === chosen.has(note);
  const keep = [];
  const replaced = new Set();
  sequence.notes.forEach((note, index) => {
    if (note.onset < span.start || note.onset >= span.end) return;
    if (stays(note)) keep.push(index);
    else replaced.add(note);
  });
  const request = { verb: verb === "accompany" ? "regenerate" : verb, given: { piece: editor.key }, from: span.start, to: span.end, keep, ...how };
  return { cause: verb, start: span.start, end: span.end, replaced, request };
}

/** Plan what goes with the whole piece. */
function planAccompaniment({ sequence, key }, how) {
  const request = { verb: "accompany", given: { piece: key }, keep: "all", ...how };
  return { cause: "accompany", start: 0, end: sequence.end, replaced: new Set(), request };
}

/** Plan to go on from a moment: what begins there or later gives way to what is composed. */
export function planExtension({ sequence, key }, at, how) {
  const isInside = sequence.indexFrom(at) > 0 && at < sequence.end;
  const start = isInside ? at : sequence.end;
  const request = { verb: "extend", given: { piece: key }, ...(isInside && { at }), ...how };
  return { cause: "extend", start, end: start + how.seconds, replaced: new Set(sequence.notes.slice(sequence.indexFrom(start))), isWhole: true, request };
}

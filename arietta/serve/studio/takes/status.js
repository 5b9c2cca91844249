/**
 * How a piece stands, in a line: waiting, so much of so much, done in so many seconds, or what went wrong.
 */

import { clockTime, decimal, fullName, surname } from "../page/format.js";
import { complaint } from "./take.js";
import { say, sayCount } from "../page/i18n.js";

const GIVEN_BY_THE_SERVER = /-seed-\d+$/;

/** What a piece is called: the name a musician gave it, or after whom it was asked for, and its seed as a number. */
export function pieceName({ name, request: { style, seed } }) {
  if (name && !GIVEN_BY_THE_SERVER.test(name)) return name;
  return style === "any" ? say("untitled", { seed }) : say("after", { composer: surname(fullName(style)), seed });
}

export function stateLine(take) {
  const { state } = take.piece;
  if (take.isLost) return say("lost");
  if (take.error) return complaint(take);
  if (state === "composing") return progressLine(take.piece.progress);
  if (state === "done") return doneLine(take);
  if (state === "failed") return complaint(take) ?? say("state.failed");
  return state === "waiting" ? say("state.waiting") : `${say(`state.${state}`)} · ${sayCount("notes", take.score.notes.length)}`;
}

export function progressLine({ done, whole, unit }) {
  return say(unit === "notes" ? "progressNotes" : "progressSeconds", { done: Math.round(done), whole: Math.round(whole) });
}

function doneLine({ piece, score }) {
  const parts = [sayCount("notes", piece.figures?.notes ?? score.notes.length), clockTime(piece.figures?.seconds ?? score.end)];
  const taken = piece.timing?.composing;
  if (taken) parts.push(say("writtenIn", { seconds: decimal(taken) }));
  return parts.join(" · ");
}

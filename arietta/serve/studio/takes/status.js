/**
 * A piece's name and its state in a line: waiting, how far it is, done in how many seconds, or what went wrong.
 */

import { clockTime, decimal, fullName, surname } from "../page/format.js";
import { translate, translateCount } from "../page/i18n.js";
import { problemText } from "./take.js";

const DEFAULT_NAME = /-seed-\d+$/; // the server's own, where the request had no name

/** What a piece is called: the name a musician gave it, or its style, with its seed as a number. */
export function pieceName({ name, request: { style, seed } }) {
  if (name && !DEFAULT_NAME.test(name)) return name;
  return style === "any" ? translate("untitled", { seed }) : translate("after", { composer: surname(fullName(style)), seed });
}

export function statusLine(take) {
  const { piece, sequence } = take;
  if (take.isDisconnected) return translate("disconnected");
  if (take.error) return problemText(take);
  if (piece.state === "waiting") return translate("state.waiting");
  if (piece.state === "composing") return progressLine(piece.progress);
  if (piece.state === "done") return doneLine(take);
  if (piece.state === "failed") return problemText(take) ?? translate("state.failed");
  return `${translate(`state.${piece.state}`)} · ${translateCount("notes", sequence.notes.length)}`;
}

function progressLine({ done, whole, unit }) {
  const key = unit === "notes" ? "progressNotes" : "progressSeconds";
  return translate(key, { done: Math.round(done), total: Math.round(whole) });
}

function doneLine({ piece, sequence }) {
  // The server's figures are there before the notes have been fetched.
  const noteCount = piece.figures?.notes ?? sequence.notes.length;
  const parts = [translateCount("notes", noteCount), clockTime(piece.figures?.seconds ?? sequence.end)];
  const seconds = piece.timing?.composing;
  if (seconds) parts.push(translate("writtenIn", { seconds: decimal(seconds) }));
  return parts.join(" · ");
}

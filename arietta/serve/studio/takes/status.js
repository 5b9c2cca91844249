/**
 * A piece's name and its state in a line: waiting, how far it is, done in how many seconds, or what went wrong.
 */

import { clockTime, decimal, fullName, lengthName, surname } from "../page/format.js";
import { translate, translateCount } from "../page/i18n.js";
import { problemText } from "./take.js";

const DEFAULT_NAME = /-seed-\d+$/; // the server's own, where the request had no name

/** What a piece is called: the name a musician gave it, or its style, with its seed as a number. */
export function pieceName({ name, request: { style, seed } }) {
  if (name && (!style || !DEFAULT_NAME.test(name))) return name;
  return style === "any" ? translate("untitled", { seed }) : translate("after", { composer: surname(fullName(style)), seed });
}

export function statusLine(take) {
  const { piece } = take;
  if (take.isDisconnected) return translate("disconnected");
  if (take.error) return problemText(take);
  if (piece.state === "waiting") return translate("state.waiting");
  if (piece.state === "composing") return translate("composingLine", { progress: progressName(piece.progress) });
  if (piece.state === "done") return doneLine(take);
  if (piece.state === "failed") return problemText(take) ?? translate("state.failed");
  return translate(`state.${piece.state}`);
}

function progressName({ done, whole, unit, take, takes }) {
  if (takes) return translate("progressTakes", { take, takes });
  const key = unit === "notes" ? "progressNotes" : "progressSeconds";
  return translate(key, { done: decimal(Math.round(done)), total: decimal(Math.round(whole)) });
}

function doneLine({ piece, sequence }) {
  // The server's figures are there before the notes have been fetched.
  const parts = piece.figures ? [sizeLine(piece)] : [translateCount("notes", sequence.notes.length), clockTime(sequence.end)];
  const seconds = piece.timing?.composing;
  if (seconds) parts.push(translate("writtenIn", { seconds: decimal(seconds) }));
  if (piece.request.stopped_at) parts.push(translate("stoppedOf", { length: lengthName(piece.request) }));
  return parts.join(" · ");
}

/** How long a piece is: its new notes, apart from those it goes on from, and its time; so far where it is under way. */
export function sizeLine({ state, request, figures, progress, revision }) {
  if (state === "composing" || state === "waiting") return progressName(progress);
  if (revision) return `${translateCount("notes", revision.note_count)} · ${clockTime(revision.seconds)} · ${translate("changed")}`;
  if (!figures) return progressName(progress);
  if (request.verb === "upload") return `${translateCount("notes", figures.notes)} · ${clockTime(figures.seconds)} · ${translate("uploaded")}`;
  if (request.passage) {
    const whole = translateCount("notes", figures.notes + request.passage.given_notes);
    return `${translateCount("newOnes", figures.notes)} · ${whole} · ${clockTime(figures.seconds)}`;
  }
  const { prompt_notes: given } = request;
  const newNotes = translateCount("notes", figures.notes);
  const notes = given ? translate("newNotes", { new: newNotes, given: decimal(given) }) : newNotes;
  return `${notes} · ${clockTime(figures.seconds)}`;
}

/**
 * Taking a piece along: its files, the MIDI one to be dragged into a DAW, a link to it, and how it was made.
 */

import { decimal, fullDate, lengthName, moodName, styleName } from "../page/format.js";
import { pieceName } from "./status.js";
import { say } from "../page/i18n.js";

const FILES = [["mid", "MIDI"], ["wav", "WAV"], ["ogg", "OGG"], ["musicxml", "MusicXML"], ["svg", "SVG"]];
const MIDI_TYPE = "audio/midi";

/** Fill `place` with links to the files of a piece; those of unfinished pieces are not offered. */
export function showFiles(place, piece) {
  place.replaceChildren(...FILES.map(([kind, name]) => fileLink(piece, kind, name)));
}

function fileLink(piece, kind, name) {
  const link = document.createElement("a");
  link.textContent = name;
  link.title = say(`file.${kind}`);
  link.dataset.kind = kind;
  if (piece.state !== "done") {
    link.setAttribute("aria-disabled", "true");
    link.setAttribute("role", "link");
    return link;
  }
  Object.assign(link, { href: piece.links[kind], download: fileName(piece, kind) });
  link.draggable = kind === "mid";
  if (kind === "mid") link.addEventListener("dragstart", (event) => carry(event.dataTransfer, piece));
  return link;
}

/** Point a link to the piece's report; there is none of an unfinished piece. */
export function showReport(link, piece) {
  link.hidden = piece.state !== "done";
  if (!link.hidden) link.href = piece.links.html;
}

/** What a DAW or a desktop takes from a drag: the file itself where the browser can, else its address. */
export function carry(transfer, piece) {
  const address = new URL(piece.links.mid, location.href).href;
  transfer.effectAllowed = "copy";
  transfer.setData("DownloadURL", `${MIDI_TYPE}:${fileName(piece, "mid")}:${address}`);
  transfer.setData("text/uri-list", address);
  transfer.setData("text/plain", address);
}

/** A name that every file system takes. */
export const fileName = (piece, kind) => `${pieceName(piece).replace(/[\\/:*?"<>|]+/g, "-").trim()}.${kind}`;

/** Copy the piece's address; answers whether the browser allowed it. */
export async function copyLink(piece) {
  const address = new URL(piece.links.page, location.href).href;
  try {
    await navigator.clipboard.writeText(address);
    return true;
  } catch {
    return false;
  }
}

/** Fill a list with the request that made a piece, and what came of it. */
export function showMade(list, piece) {
  const { request, figures, timing } = piece;
  const rows = [
    ["composer", styleName(request.style)],
    ["length", lengthName(request)],
    ["mood", `${moodName(request.temperature)} (${decimal(request.temperature, 2)})`],
    ["seed", request.seed],
    ["model", request.model],
    ["promptGiven", request.prompt_notes],
    ["continuesPiece", request.continues && pieceLink(request.continues)],
    ["created", fullDate(piece.created)],
    ["pace", timing?.notes_per_second && say("notesPerSecond", { count: decimal(timing.notes_per_second, 0) })],
    ["surprise", figures?.nll_per_note && say("natsPerNote", { count: decimal(figures.nll_per_note, 2) })],
    ["originality", figures?.originality && originalityText(figures.originality)],
  ];
  const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  list.replaceChildren(...shown.flatMap(([key, value]) => [term(say(key)), meaning(value)]));
}

/** What a piece shares with the music that its model learned from, in plain words. */
function originalityText({ longest, work, is_inside: isInside }) {
  if (!longest) return say("sharesNothing");
  const passage = { count: longest, work };
  return isInside ? say("sharesLittle", passage) : say("sharesMuch", passage);
}

function term(text) {
  return Object.assign(document.createElement("dt"), { textContent: text });
}

function meaning(value) {
  const meant = document.createElement("dd");
  meant.append(value);
  return meant;
}

function pieceLink(id) {
  return Object.assign(document.createElement("a"), { href: `/p/${encodeURIComponent(id)}`, textContent: say("thatPiece") });
}

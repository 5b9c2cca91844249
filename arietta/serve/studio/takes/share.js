/**
 * Downloads and sharing: a piece's files, the MIDI one to be dragged into a DAW, a link to it, and how it was made.
 */

import { decimal, fullDate, lengthName, styleName, temperatureName } from "../page/format.js";
import { create } from "../page/dom.js";
import { translate } from "../page/i18n.js";
import { pieceName } from "./status.js";

const FILES = [["mid", "MIDI"], ["wav", "WAV"], ["ogg", "OGG"], ["musicxml", "MusicXML"], ["pdf", "PDF"], ["svg", "SVG"]];
const MIDI_TYPE = "audio/midi";

/** Fill `list` with links to the files of a piece; those of unfinished pieces are greyed out. */
export function showFiles(list, piece) {
  list.replaceChildren(...FILES.map(([kind, name]) => fileLink(piece, kind, name)));
}

function fileLink(piece, kind, name) {
  const link = create("a", { textContent: name, title: translate(`file.${kind}`) });
  link.dataset.kind = kind;
  if (piece.state !== "done") {
    link.setAttribute("aria-disabled", "true");
    link.setAttribute("role", "link"); // without an address it would be no link to a screen reader
    return link;
  }
  Object.assign(link, { href: piece.links[kind], download: fileName(piece, kind), draggable: kind === "mid" });
  if (kind === "mid") link.addEventListener("dragstart", (event) => fillDrag(event.dataTransfer, piece));
  return link;
}

/** Point a link to the piece's report; an unfinished piece has none. */
export function showReport(link, piece) {
  link.hidden = piece.state !== "done";
  if (!link.hidden) link.href = piece.links.html;
}

/** Give a drag what a DAW or a desktop accepts: the file itself where the browser can, else its address. */
function fillDrag(transfer, piece) {
  const address = new URL(piece.links.mid, location.href).href;
  transfer.effectAllowed = "copy";
  // Chrome and Edge alone know DownloadURL: they fetch the file and hand it over as if it came from a disk.
  transfer.setData("DownloadURL", `${MIDI_TYPE}:${fileName(piece, "mid")}:${address}`);
  transfer.setData("text/uri-list", address);
  transfer.setData("text/plain", address);
}

/** A name that every file system accepts. */
const fileName = (piece, kind) => `${pieceName(piece).replace(/[\\/:*?"<>|]+/g, "-").trim()}.${kind}`;

/** Whether only this machine can be reached under that name. */
export const isLoopback = (host) => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(host);

/** Copy the piece's address; resolves with whether the browser allowed it. */
export async function copyLink(piece) {
  const address = new URL(piece.links.page, location.href).href;
  try {
    await navigator.clipboard.writeText(address);
    return true;
  } catch {
    return false; // no permission, or a page without HTTPS
  }
}

/** Fill a definition list with the request that made a piece, and what came of it. */
export function showHowMade(list, piece) {
  const { request, figures, timing } = piece;
  const rows = [
    ["style", request.style && styleName(request.style)],
    ["askedFor", request.verb !== "upload" && lengthName(request)],
    ["pulse", request.bpm && translate("pulseText", { bpm: decimal(request.bpm), metre: request.metre })],
    ["fit", figures?.fit && fitText(figures.fit)],
    ["temperature", temperatureText(request.temperature)],
    ["seed", request.seed],
    ["model", request.model],
    ["promptNotes", request.prompt_notes],
    ["continuedPiece", request.continues && pieceLink(request.continues)],
    ["created", fullDate(piece.created)],
    ["speed", timing?.notes_per_second && translate("notesPerSecond", { count: decimal(timing.notes_per_second, 0) })],
    ["surprisal", figures?.nll_per_note && translate("natsPerNote", { count: decimal(figures.nll_per_note, 2) })],
    ["originality", figures?.originality && originalityText(figures.originality)],
  ];
  const known = rows.filter(([, content]) => content !== null && content !== undefined && content !== false && content !== "");
  list.replaceChildren(...known.flatMap(([key, content]) => definition(translate(key), content)));
}

/** The temperature in a word and as a number; some have one for each field of a token, which no word covers. */
function temperatureText(temperature) {
  return typeof temperature === "number" ? `${temperatureName(temperature)} (${decimal(temperature, 2)})` : null;
}

/** How well a piece fits its tempo and metre, in plain words. */
function fitText({ sureness, factor, has_bars: hasBars }) {
  return translate(hasBars ? "fitSure" : "fitUnsure", { sureness: decimal(sureness, 2), factor: decimal(factor, 2) });
}

/** What a piece shares with the music that its model learned from, in plain words. */
function originalityText({ longest, work, is_inside: isInside }) {
  if (!longest) return translate("sharesNothing");
  return translate(isInside ? "sharesLittle" : "sharesMuch", { count: longest, work });
}

function definition(term, content) {
  const description = create("dd");
  description.append(content);
  return [create("dt", { textContent: term }), description];
}

function pieceLink(id) {
  return create("a", { href: `/p/${encodeURIComponent(id)}`, textContent: translate("thatPiece") });
}

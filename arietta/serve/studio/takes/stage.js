/**
 * The stage: everything that the page says about the take being listened to, written and spoken.
 */

import { byId } from "../page/dom.js";
import { clockTime } from "../page/format.js";
import { translate, translateCount } from "../page/i18n.js";
import { announce } from "../page/messages.js";
import { showFiles, showHowMade, showReport } from "./share.js";
import { pieceName, statusLine } from "./status.js";

const SPOKEN_STEP = 0.25; // of a piece, between two announcements: more often would drown the music

export class Stage {
  #spokenShare = 0; // of the piece, as announced last; Infinity when its end was

  /** Show another take, or an empty stage for null. */
  enter(take) {
    this.#spokenShare = 0;
    this.show(take);
  }

  show(take) {
    for (const id of ["rename", "favourite", "piece"]) byId(id).hidden = !take;
    byId("use-settings").hidden = !take?.piece.request.style;
    byId("invitation").hidden = Boolean(take);
    byId("stop").hidden = !take?.isRunning;
    byId("title").textContent = take ? pieceName(take.piece) : translate("nothingYet");
    byId("state").textContent = take ? statusLine(take) : "";
    document.title = take ? `${pieceName(take.piece)} – Arietta` : "Arietta";
    if (!take) return;
    byId("favourite").setAttribute("aria-pressed", String(take.piece.is_favourite));
    showFiles(byId("files"), take.piece);
    showReport(byId("report"), take.piece);
    showHowMade(byId("how-made"), take.piece);
    this.#describeRoll(take.sequence);
  }

  /** Show and say how far a take is; while it is being composed this comes often, so little is done. */
  showProgress(take) {
    if (take.isRunning) byId("state").textContent = statusLine(take);
    else this.show(take);
    this.#announce(take);
  }

  #announce({ piece, sequence, isDone }) {
    const share = piece.progress.done / piece.progress.whole;
    if (piece.state === "composing" && share >= this.#spokenShare + SPOKEN_STEP) {
      this.#spokenShare = share;
      announce(translate("announceProgress", { percent: Math.round(100 * share) }));
    }
    if (!isDone || this.#spokenShare === Infinity) return;
    this.#spokenShare = Infinity;
    announce(translate("announceDone", { notes: translateCount("notes", sequence.notes.length), time: clockTime(sequence.end) }));
  }

  #describeRoll({ notes, end, isComplete }) {
    if (!isComplete) return;
    const text = translate("rollText", { notes: translateCount("notes", notes.length), time: clockTime(end) });
    byId("roll").setAttribute("aria-label", text);
  }
}

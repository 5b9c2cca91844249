/**
 * Composing: reads the form, asks the server for pieces, and plays the first as soon as there is something to hear.
 *
 * A full queue is asked again when the server said so.
 */

import { Refusal, composePieces } from "../api.js";
import { byId } from "../page/dom.js";
import { lengthName } from "../page/format.js";
import { translate } from "../page/i18n.js";
import { announce, hideNotice, showError, showNotice } from "../page/messages.js";

const MAX_ATTEMPTS = 5; // at a full queue
const RETRY_SECONDS = 5; // where the server named no time

export class ComposeAction {
  #form;
  #phrasePanel;
  #output;
  #player;
  #current;
  #save;
  #onPieces;
  #isAsking = false;

  /** `current` gives the take on the stage, or null, `save` has its changes stored; `onPieces` is called with the pieces that were begun. */
  constructor({ form, phrasePanel, output, player }, { current, save, onPieces }) {
    this.#save = save;
    this.#form = form;
    this.#phrasePanel = phrasePanel;
    this.#output = output;
    this.#player = player;
    this.#current = current;
    this.#onPieces = onPieces;
  }

  async run(attempt = 1) {
    if (this.#isAsking) return;
    const question = this.#read();
    if (!question) return;
    this.#setAsking(true);
    this.#phrasePanel.stop();
    const answer = this.#save().then(() => composePieces(question.request));
    const ready = this.#output.resume(); // while the server answers: browsers allow it only within the click
    try {
      const pieces = await answer;
      hideNotice();
      this.#onPieces(pieces);
      this.#player.seek(question.seam); // what was given is known already
      announce(translate("announceComposing", { length: lengthName(pieces[0].request) }));
      await ready;
      this.#player.play();
    } catch (error) {
      this.#fail(error, attempt);
    } finally {
      this.#setAsking(false);
    }
  }

  #setAsking(isAsking) {
    this.#isAsking = isAsking;
    if (isAsking) byId("compose").setAttribute("aria-busy", "true");
    else byId("compose").removeAttribute("aria-busy");
  }

  /** What the form asks for, as {request, seam}, or null after saying what is missing. */
  #read() {
    try {
      const request = this.#form.read();
      const beginning = this.#form.beginning;
      if (beginning === "piece") return this.#goOn(request, this.#current() ?? refuse("pieceMissing"));
      if (beginning === "file") return this.#goOn(request, this.#upload ?? refuse("fileMissing"));
      if (beginning === "phrase") return { request: { ...request, prompt: this.#phrasePanel.prompt() ?? refuse("phraseMissing") }, seam: 0 };
      return { request, seam: 0 };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      showNotice(error.message);
      return null;
    }
  }

  /** The take on the stage where it is a file that was uploaded. */
  get #upload() {
    const take = this.#current();
    return take?.piece.request.verb === "upload" ? take : null;
  }

  /** Go on from a take, after as many of its notes as the form says. */
  #goOn(request, { id, sequence }) {
    const count = Number(byId("prompt-notes").value) || sequence.notes.length;
    const seam = sequence.notes[Math.min(count, sequence.notes.length) - 1]?.onset ?? 0;
    const part = count < sequence.notes.length ? { prompt_notes: count } : {};
    return { request: { ...request, continues: id, ...part }, seam };
  }

  /** Say why no piece was begun; where the queue is full, ask again later unless the musician closes the notice. */
  #fail(error, attempt) {
    showError(error, () => this.run());
    if (!(error instanceof Refusal) || error.status !== 429 || attempt >= MAX_ATTEMPTS) return;
    const retry = () => !byId("notice").hidden && this.run(attempt + 1);
    const timer = setTimeout(retry, 1000 * (error.retrySeconds ?? RETRY_SECONDS));
    byId("notice-close").addEventListener("click", () => clearTimeout(timer), { once: true });
  }
}

function refuse(key) {
  throw new RangeError(translate(key));
}

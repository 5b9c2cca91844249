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
  #midiFile;
  #output;
  #player;
  #currentId;
  #onPieces;
  #isAsking = false;

  /** `currentId` gives the id of the piece on the stage; `onPieces` is called with the pieces that were begun. */
  constructor({ form, phrasePanel, midiFile, output, player }, { currentId, onPieces }) {
    this.#form = form;
    this.#phrasePanel = phrasePanel;
    this.#midiFile = midiFile;
    this.#output = output;
    this.#player = player;
    this.#currentId = currentId;
    this.#onPieces = onPieces;
  }

  async run(attempt = 1) {
    if (this.#isAsking) return;
    const question = this.#read();
    if (!question) return;
    this.#setAsking(true);
    this.#phrasePanel.stop();
    const answer = composePieces(question.request, question.file);
    const ready = this.#output.resume(); // while the server answers: browsers allow it only within the click
    try {
      const pieces = await answer;
      hideNotice();
      this.#onPieces(pieces);
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

  /** What the form asks for, as {request, file}, or null after saying what is missing. */
  #read() {
    try {
      const request = this.#form.read();
      const beginning = this.#form.beginning;
      if (beginning === "file") return { request: { ...request, ...this.#promptLength() }, file: this.#midiFile.file ?? refuse("fileMissing") };
      if (beginning === "piece") return { request: { ...request, continues: this.#currentId() }, file: null };
      if (beginning === "phrase") return { request: { ...request, prompt: this.#phrasePanel.prompt() ?? refuse("phraseMissing") }, file: null };
      return { request, file: null };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      showNotice(error.message);
      return null;
    }
  }

  #promptLength() {
    const noteCount = Number(byId("prompt-notes").value);
    return noteCount > 0 ? { prompt_notes: noteCount } : {};
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

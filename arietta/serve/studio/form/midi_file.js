/**
 * A MIDI file to continue: chosen, or dropped anywhere on the page.
 *
 * Only its first bytes are looked at here; the server reads it, and says so if it cannot.
 */

import { translate } from "../page/i18n.js";

const HEADERS = ["MThd", "RIFF"]; // a standard MIDI file, and one wrapped in RIFF as Windows had them

export class MidiFile {
  file = null;
  #status;
  #onFile;

  /** `status` shows the file's name, `overlay` covers the page while a file is dragged; `onFile` is called with a file. */
  constructor({ input, status, overlay }, onFile) {
    this.#status = status;
    this.#onFile = onFile;
    input.addEventListener("change", () => input.files[0] && this.#accept(input.files[0]));
    addEventListener("dragover", (event) => this.#dragOver(event, overlay));
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) overlay.hidden = true; }); // it left the window
    addEventListener("drop", (event) => this.#drop(event, overlay));
    document.addEventListener("language", () => this.#showStatus());
  }

  /** Take a file if it begins as MIDI files do. */
  async #accept(file) {
    const header = new TextDecoder("latin1").decode(await file.slice(0, 4).arrayBuffer());
    this.file = HEADERS.includes(header) ? file : null;
    this.#showStatus(file.name);
    if (this.file) this.#onFile(this.file);
  }

  #showStatus(refused = "") {
    if (this.file) this.#status.textContent = translate("fileChosen", { name: this.file.name });
    else this.#status.textContent = refused && translate("fileRefused", { name: refused });
  }

  #dragOver(event, overlay) {
    if (![...event.dataTransfer.items].some(({ kind }) => kind === "file")) return;
    event.preventDefault(); // or the browser would open the file instead of dropping it
    overlay.hidden = false;
  }

  #drop(event, overlay) {
    const [file] = event.dataTransfer.files;
    overlay.hidden = true;
    if (!file) return;
    event.preventDefault();
    this.#accept(file);
  }
}

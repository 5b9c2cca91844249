/**
 * A file to continue, MIDI or MusicXML: chosen, or dropped anywhere on the page. It becomes a piece at once, without being composed
 * on: drawn and played, to be gone on from wherever one clicks.
 *
 * Only its first bytes are looked at here; the server reads it, and says so if it cannot.
 */

import { uploadFile } from "../api.js";
import { translate } from "../page/i18n.js";
import { showError } from "../page/messages.js";

// A standard MIDI file, one wrapped in RIFF as Windows had them, a compressed score, and XML in UTF-8 or UTF-16.
const HEADER = /^(MThd|RIFF|PK|(\xef\xbb\xbf)?\s*<|\xff\xfe|\xfe\xff)/;
const ENDING = /\.(midi?|musicxml|mxl|xml)$/i;

export class MusicFile {
  #name = "";
  #remarks = ""; // the server's, of what was merged or left out
  #status;
  #onFile;

  /** `status` shows the file's name, `overlay` covers the page while a file is dragged; `onFile` is called with the piece that a file became. */
  constructor({ input, status, overlay }, onFile) {
    this.#status = status;
    this.#onFile = onFile;
    input.addEventListener("change", () => input.files[0] && this.#accept(input.files[0]));
    addEventListener("dragover", (event) => this.#dragOver(event, overlay));
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) overlay.hidden = true; }); // it left the window
    addEventListener("drop", (event) => this.#drop(event, overlay));
    document.addEventListener("language", () => this.#showStatus());
  }

  /** Take a file if it begins as MIDI files and scores do. */
  async #accept(file) {
    const header = new TextDecoder("latin1").decode(await file.slice(0, 4).arrayBuffer());
    this.#name = "";
    if (!HEADER.test(header)) return this.#showStatus(file.name);
    try {
      const piece = await uploadFile(file, file.name.replace(ENDING, ""));
      this.#name = file.name;
      this.#remarks = (piece.request.remarks ?? []).join(" ");
      this.#onFile(piece);
    } catch (error) {
      showError(error, () => this.#accept(file));
    }
    return this.#showStatus();
  }

  #showStatus(refused = "") {
    if (this.#name) this.#status.textContent = `${translate("fileChosen", { name: this.#name })} ${this.#remarks}`.trim();
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

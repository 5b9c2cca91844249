/**
 * A MIDI file to go on from: chosen, or dropped anywhere on the page.
 *
 * Only its first bytes are looked at here; the server reads it, and says so if it cannot.
 */

import { say } from "../page/i18n.js";

const HEADERS = ["MThd", "RIFF"];

export class MidiFile {
  file = null;
  #told;
  #onFile;

  /** `told` is where the file's name stands; `onFile` hears when there is one. */
  constructor({ input, told, curtain }, onFile) {
    this.#told = told;
    this.#onFile = onFile;
    input.addEventListener("change", () => input.files[0] && this.take(input.files[0]));
    addEventListener("dragover", (event) => this.#over(event, curtain));
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) curtain.hidden = true; });
    addEventListener("drop", (event) => this.#drop(event, curtain));
    document.addEventListener("language", () => this.#tell());
  }

  /** Take a file if it begins as MIDI files do. */
  async take(file) {
    const header = new TextDecoder("latin1").decode(await file.slice(0, 4).arrayBuffer());
    this.file = HEADERS.includes(header) ? file : null;
    this.#tell(file.name);
    if (this.file) this.#onFile(this.file);
  }

  #tell(refused = "") {
    this.#told.textContent = this.file ? say("fileTaken", { name: this.file.name }) : refused && say("fileRefused", { name: refused });
  }

  #over(event, curtain) {
    if (![...event.dataTransfer.items].some(({ kind }) => kind === "file")) return;
    event.preventDefault();
    curtain.hidden = false;
  }

  #drop(event, curtain) {
    const [file] = event.dataTransfer.files;
    curtain.hidden = true;
    if (!file) return;
    event.preventDefault();
    this.take(file);
  }
}

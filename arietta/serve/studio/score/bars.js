/**
 * The bars of the piece on the stage: known from its file, found, or corrected by hand. The server keeps them.
 *
 * The roll counts them, and stretches of time that are chosen begin and end with them.
 */

import { correctMeter, forgetMeter, readMeter } from "../api.js";
import { translate } from "../page/i18n.js";
import { announce, showError } from "../page/messages.js";

const CALM = 1000; // milliseconds without a change before the bars are read anew

export class Bars {
  #key = null;
  #lines = null;
  #buttons;
  #text;
  #onChange;
  #timer = 0;

  /**
   * `buttons`: an element for each correction; `text` says how many bars there are; `onChange(lines, isNews)` hears of
   * them, with whether it is a change that the musician made.
   */
  constructor(buttons, text, onChange) {
    this.#buttons = buttons;
    this.#text = text;
    this.#onChange = onChange;
    const corrections = { find: {}, double: { beats: "double" }, half: { beats: "half" }, earlier: { downbeat: -1 }, later: { downbeat: 1 } };
    for (const [name, correction] of Object.entries(corrections)) buttons[name].addEventListener("click", () => this.#change((key) => correctMeter(key, correction)));
    buttons.forget.addEventListener("click", () => this.#change(async (key) => { await forgetMeter(key); return null; }));
    document.addEventListener("language", () => this.#say());
    this.#show(null, { isNews: false });
  }

  /** Take up a finished piece, by its id; null where there is none. */
  async open(key) {
    if (key === this.#key) return;
    this.#key = key;
    clearTimeout(this.#timer);
    this.#show(null, { isNews: false });
    if (key) await this.#read();
  }

  /** The piece has changed, and may have become longer or shorter than its bars; `save` stores the change first. */
  refresh(save) {
    clearTimeout(this.#timer);
    if (this.#lines) this.#timer = setTimeout(() => this.#read(save), CALM);
  }

  /**
   * A stretch of time with its ends moved to the nearest bar lines; as it is where there are none. What comes before
   * bar 1, a pickup, is as one bar.
   */
  snap(range) {
    if (!range || !this.#lines || this.#lines.length < 2) return range;
    const lines = this.#lines[0] > 0 ? [0, ...this.#lines] : this.#lines;
    const nearest = (time) => lines.reduce((best, line) => (Math.abs(line - time) < Math.abs(best - time) ? line : best));
    const [start, end] = [nearest(range.start), nearest(range.end)];
    if (start < end) return { start, end };
    const index = Math.max(0, lines.findLastIndex((line) => line <= range.start));
    return { start: lines[index], end: lines[index + 1] ?? range.end };
  }

  async #read(save = async () => {}) {
    const key = this.#key;
    try {
      await save();
      const meter = await readMeter(key);
      if (key === this.#key && meter) this.#show(meter, { isNews: false });
    } catch (error) {
      if (key === this.#key) showError(error);
    }
  }

  async #change(change) {
    const key = this.#key;
    if (!key) return;
    try {
      const meter = await change(key);
      if (key === this.#key) this.#show(meter, { isNews: true });
    } catch (error) {
      showError(error);
    }
  }

  #show(meter, { isNews }) {
    this.#lines = meter?.bar_lines ?? null;
    this.#buttons.find.hidden = Boolean(meter);
    for (const name of ["double", "half", "earlier", "later", "forget"]) this.#buttons[name].hidden = !meter;
    this.#say();
    if (isNews) announce(this.#text.textContent);
    this.#onChange(this.#lines, isNews);
  }

  #say() {
    this.#text.textContent = this.#lines ? translate("barCount", { count: this.#lines.length - 1 }) : translate("barsUnknown");
  }
}

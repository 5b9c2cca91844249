/**
 * The bars of the piece on the stage: known from its file, found, or corrected by hand. The server keeps them.
 *
 * The roll counts them, and stretches of time that are chosen begin and end with them. Corrections can be undone.
 */

import { correctMeter, forgetMeter, readMeter, setMeter } from "../api.js";
import { translate, translateCount } from "../page/i18n.js";
import { announce, showError } from "../page/messages.js";
import { nearestIndex } from "./notes.js";

const CALM = 1000; // milliseconds without a change before the bars are read anew
const WITH_BARS = ["double", "half", "earlier", "later", "here", "forget", "metre"]; // what is offered where there are bars

export class Bars {
  isLatest = false; // whether bars were corrected after all other changes
  #key = null;
  #meter = null; // as the server describes it
  #past = []; // metres before each correction, null for none
  #future = []; // those that were undone
  #elements;
  #onChange;
  #position;
  #timer = 0;
  #pending = 0; // corrections on their way to the server
  #last = Promise.resolve();

  /**
   * `elements`: a button for each correction, `metre`, a list of signatures, and `text`, which says how many bars there
   * are. `onChange(lines, isNews)` hears of them, with whether the musician changed them; `position` is the playhead's.
   */
  constructor(elements, { onChange, position }) {
    this.#elements = elements;
    this.#onChange = onChange;
    this.#position = position;
    const corrections = { find: {}, double: { beats: "double" }, half: { beats: "half" }, earlier: { downbeat: -1 }, later: { downbeat: 1 } };
    for (const [name, correction] of Object.entries(corrections)) elements[name].addEventListener("click", () => this.correct(correction));
    elements.metre.addEventListener("change", () => this.correct({ metre: elements.metre.value }));
    elements.here.addEventListener("click", () => this.#moveHere());
    elements.undo.addEventListener("click", () => this.undo());
    elements.forget.addEventListener("click", () => this.#change(async (key) => { await forgetMeter(key); return null; }));
    document.addEventListener("language", () => this.#say());
    this.#show(null, { isNews: false });
  }

  /** Take up a finished piece, by its id; null where there is none. */
  async open(key) {
    if (key === this.#key) return;
    this.#key = key;
    this.isLatest = false;
    this.#past = [];
    this.#future = [];
    clearTimeout(this.#timer);
    this.#show(null, { isNews: false });
    if (key) await this.#read();
  }

  /** The piece has changed, and may have become longer or shorter than its bars; `save` stores the change first. */
  refresh(save) {
    clearTimeout(this.#timer);
    this.isLatest = false;
    if (this.#lines) this.#timer = setTimeout(() => this.#read(save), CALM);
  }

  /** Correct the bars, as the HTTP interface takes it. Returns, when that is known, whether they were corrected. */
  correct(correction) {
    return this.#change((key) => correctMeter(key, correction));
  }

  /** Let a bar, by its number from 1, begin at another moment; those beside it stay. */
  moveLine(bar, second) {
    return this.correct({ bar_line: [bar, second] });
  }

  get canUndo() {
    return this.isLatest && (this.#past.length > 0 || this.#pending > 0);
  }

  get canRedo() {
    return this.isLatest && (this.#future.length > 0 || this.#pending > 0);
  }

  undo() {
    return this.#inTurn((key) => this.#travel(key, this.#past, this.#future));
  }

  redo() {
    return this.#inTurn((key) => this.#travel(key, this.#future, this.#past));
  }

  /** Say how many beats are tapped, or, for none, how many bars there are. */
  showTaps(count) {
    if (count) this.#elements.text.textContent = translateCount("tapped", count);
    else this.#say();
  }

  /**
   * A stretch of time with its ends moved to the nearest bar lines; as it is where there are none. What comes before
   * bar 1, a pickup, is as one bar.
   */
  snap(range) {
    if (!range || !this.#lines || this.#lines.length < 2) return range;
    const lines = this.#lines[0] > 0 ? [0, ...this.#lines] : this.#lines;
    const nearest = (time) => lines[nearestIndex(lines, time)];
    const [start, end] = [nearest(range.start), nearest(range.end)];
    if (start < end) return { start, end };
    const index = Math.max(0, lines.findLastIndex((line) => line <= range.start));
    return { start: lines[index], end: lines[index + 1] ?? range.end };
  }

  get #lines() {
    return this.#meter?.bar_lines ?? null;
  }

  #moveHere() {
    if (this.#lines) this.moveLine(nearestIndex(this.#lines, this.#position()) + 1, this.#position());
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

  /** Make a correction that can be undone. */
  #change(change) {
    return this.#inTurn(async (key) => {
      const before = this.#meter;
      if (!(await this.#store(key, change))) return false;
      this.#past.push(before);
      this.#future = [];
      this.#showUndo();
      return true;
    });
  }

  /** Work on the metre of the piece when what was begun before is done: each correction is made to the one before. */
  #inTurn(work) {
    const key = this.#key;
    if (!key) return this.#last;
    this.isLatest = true;
    this.#pending += 1;
    this.#last = this.#last.then(() => key === this.#key && work(key)).finally(() => { this.#pending -= 1; });
    return this.#last;
  }

  /** Go back or on: take the last metre of one list, and put the present one on the other. */
  async #travel(key, from, to) {
    if (!from.length) return;
    const [before, meter] = [this.#meter, from.at(-1)];
    const isDone = await this.#store(key, async () => {
      if (meter) return setMeter(key, meter);
      await forgetMeter(key);
      return null;
    });
    if (!isDone) return;
    from.pop();
    to.push(before);
    this.#showUndo();
  }

  /** Let the server change the metre, and show it; returns whether that was done, to the piece that is still open. */
  async #store(key, change) {
    try {
      const meter = await change(key);
      if (key !== this.#key) return false;
      this.#show(meter, { isNews: true });
      return true;
    } catch (error) {
      showError(error);
      this.#say(); // the list of signatures shows the one that the piece still has
      return false;
    }
  }

  #show(meter, { isNews }) {
    this.#meter = meter;
    this.#elements.find.hidden = Boolean(meter);
    for (const name of WITH_BARS) this.#elements[name].hidden = !meter;
    this.#showUndo();
    this.#say();
    if (isNews) announce(this.#elements.text.textContent);
    this.#onChange(this.#lines, isNews);
  }

  #showUndo() {
    this.#elements.undo.hidden = !this.#past.length;
  }

  #say() {
    const { metre, text } = this.#elements;
    text.textContent = this.#lines ? translate("barCount", { count: this.#lines.length - 1 }) : translate("barsUnknown");
    if (!this.#meter) return;
    const [first, second] = this.#meter.signatures;
    const isPickup = second && first[1] / first[2] < second[1] / second[2];
    const name = (isPickup ? second : first).slice(1).join("/");
    if (![...metre.options].some(({ value }) => value === name)) metre.options.add(new Option(name, name));
    metre.value = name;
  }
}

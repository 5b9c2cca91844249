/**
 * Takes of a passage: what is selected is written anew while the rest plays; they are heard in its place, compared at
 * the same moment, and one of them becomes a new version of the piece.
 *
 * Each take is a piece of the server, made of the one on the stage; those that are not kept are deleted. While takes
 * are compared the piece cannot be changed. A reload of the page finds them again.
 */

import { composePieces, findPiece, removePiece } from "../api.js";
import { translate, translateCount } from "../page/i18n.js";
import { announce, showError, showToast } from "../page/messages.js";
import { Take } from "../takes/take.js";
import { joinFinished, joinSoFar, newNotes } from "./join.js";

const LEAD_SECONDS = 1.5; // that are heard before a passage
const MOST_TAKES = 9; // each has a key
const STORED_AS = "arietta.passage"; // in the memory of the window

export class PassageTakes extends EventTarget {
  takes = []; // {take, sequence}: the piece with that take in it
  number = 0; // of the take that is heard, from 1; 0 is the passage as it was
  #compared = 1; // the take that A/B goes back to
  #plan = null; // {piece, request, cause, start, end, replaced}
  #base = null; // the piece as it was
  #chosen = null; // what was selected: {chosen, range}
  #isAsking = false;
  #editor;
  #actions;

  /** `actions`: listenFrom(time), isHearing(start, end), proposeLoop({start, end}). */
  constructor(editor, actions) {
    super();
    this.#editor = editor;
    this.#actions = actions;
    editor.addEventListener("change", () => this.#recall());
  }

  /** Whether there are takes to compare. */
  get isOpen() {
    return this.#base !== null;
  }

  get isRunning() {
    return this.takes.some(({ take }) => take.isRunning);
  }

  get plan() {
    return this.#plan;
  }

  get current() {
    return this.takes[this.number - 1] ?? null;
  }

  /** Whether the take that is heard can become a version of the piece. */
  get canKeep() {
    return Boolean(this.current?.take.isDone && this.current.isWhole);
  }

  get canAdd() {
    return this.isOpen && !this.#isAsking && this.takes.length < MOST_TAKES;
  }

  /** Ask for takes; `plan` is {cause, start, end, replaced: notes, request} as plan.js makes it. */
  async write(plan) {
    if (this.#isAsking || !this.#editor.isOpen) return;
    const listening = this.#actions.listenFrom(plan.start - LEAD_SECONDS); // within the click: or no sound is allowed
    await this.#ask(async () => {
      await this.#editor.save();
      const pieces = await composePieces(plan.request);
      this.#open({ ...plan, piece: this.#editor.key });
      this.#add(pieces);
      await listening;
    });
  }

  /** Ask for more takes of the same passage. */
  async add() {
    if (!this.canAdd) return;
    const { seed, ...request } = this.#plan.request; // the same seed would give the same takes
    await this.#ask(async () => this.#add(await composePieces({ ...request, count: Math.min(request.count, MOST_TAKES - this.takes.length) })));
  }

  /** Hear a take in its place, or the passage as it was for 0, and go on at the same moment. */
  chooseNumber(number) {
    if (!this.isOpen || number > this.takes.length) return;
    this.number = number;
    if (number) this.#compared = number;
    this.#hear();
    const { start, end } = this.#plan;
    if (!this.#actions.isHearing(start - LEAD_SECONDS, end + LEAD_SECONDS)) this.#actions.listenFrom(start - LEAD_SECONDS);
    this.#notify();
  }

  /** Go from the take to what it stands in for, and back. */
  compare() {
    this.chooseNumber(this.number ? 0 : this.#compared);
  }

  /** Make the take that is heard a version of the piece; the others are deleted. */
  keep() {
    if (!this.canKeep) return;
    const { take, sequence } = this.current;
    const [{ cause, isWhole }, { range }, base] = [this.#plan, this.#chosen, this.#base];
    const others = this.takes.filter((other) => other.take !== take);
    this.#close();
    this.#editor.accept(sequence, cause, take.id);
    if (isWhole) this.#editor.clear();
    else if (range) this.#editor.chooseTime(range);
    else this.#editor.choose(newNotes(base, sequence));
    take.leave();
    removeAll(others);
    announce(translate("passageKept"));
  }

  /** Leave the passage as it was; until the toast is gone the takes can be had back. */
  discard() {
    if (!this.isOpen) return;
    const [plan, takes, base] = [this.#plan, this.takes, this.#base];
    this.#close();
    for (const { take } of takes) if (take.isRunning) take.stop().catch(() => {});
    const isSame = () => this.#editor.isOpen && this.#editor.sequence === base;
    const undo = () => {
      if (!isSame()) return removeAll(takes);
      this.#open(plan);
      return this.#resume(takes.map(({ take }) => take.piece));
    };
    showToast(translate("passageDiscarded", { takes: translateCount("passageTakes", takes.length) }), undo, () => removeAll(takes, false));
  }

  /** Give up the takes because another piece comes to the stage. */
  leave() {
    if (!this.isOpen) return;
    const { takes } = this;
    this.#close();
    removeAll(takes);
  }

  async #ask(ask) {
    this.#isAsking = true;
    this.#notify();
    try {
      await ask();
    } catch (error) {
      showError(error);
    } finally {
      this.#isAsking = false;
      this.#notify();
    }
  }

  #open(plan) {
    const { chosen, range, sequence } = this.#editor;
    this.#plan = plan;
    this.#base = sequence;
    this.#chosen = { chosen, range };
    this.#editor.isComparing = true;
    this.#editor.frame(plan);
    this.#actions.proposeLoop({ start: Math.max(0, plan.start - LEAD_SECONDS), end: plan.end + LEAD_SECONDS });
  }

  #close() {
    for (const { take } of this.takes) take.leave();
    this.#editor.isComparing = false;
    this.#editor.preview(this.#base);
    Object.assign(this.#editor, this.#chosen);
    this.takes = [];
    this.number = 0;
    this.#base = this.#plan = null;
    sessionStorage.removeItem(STORED_AS);
    this.#editor.choose(this.#editor.chosen); // tells the page
    this.#notify();
  }

  #add(pieces) {
    const first = this.takes.length + 1;
    for (const piece of pieces) this.#follow(piece);
    this.chooseNumber(first);
    if (this.#plan.isWhole) this.#actions.listenFrom(this.#plan.start - LEAD_SECONDS); // the piece as it was has ended there
    this.#remember();
    announce(translate("passageWriting", { takes: translateCount("passageTakes", pieces.length) }));
  }

  #follow(piece) {
    const entry = { take: new Take(piece), sequence: this.#base, isWhole: false };
    this.takes.push(entry);
    const isHere = () => this.takes.includes(entry);
    entry.take.addEventListener("change", () => isHere() && this.#update(entry));
    if (!entry.take.isRunning) return this.#finish(entry);
    return entry.take.follow().then(() => isHere() && this.#finish(entry));
  }

  #update(entry) {
    if (entry === this.current) this.#hear();
    this.#notify();
  }

  /** Fetch the whole piece, as it was stored. */
  async #finish(entry) {
    try {
      if (entry.take.isDone) Object.assign(entry, { sequence: joinFinished(this.#base, await entry.take.readNotes()), isWhole: true });
      else entry.sequence = this.#base;
    } catch (error) {
      if (!this.takes.includes(entry)) return; // it was left, and may be deleted
      showError(error);
    }
    if (entry === this.current) this.#hear();
    if (!this.isRunning) announce(translate("passageWritten"));
    this.#notify();
  }

  /** Put what is to be heard on the stage: of a take under way what there is. */
  #hear() {
    const { current } = this;
    if (current?.take.isRunning) current.sequence = this.#plan.isWhole ? current.take.sequence : joinSoFar(this.#base, this.#plan, current.take.sequence);
    this.#editor.preview(current?.sequence ?? this.#base);
  }

  #remember() {
    const { notes } = this.#base;
    const indices = (filter) => notes.flatMap((note, index) => (filter(note) ? [index] : []));
    const { chosen, range } = this.#chosen;
    const stored = { ...this.#plan, replaced: indices((note) => this.#plan.replaced.has(note)), chosen: indices((note) => chosen.has(note)), range };
    sessionStorage.setItem(STORED_AS, JSON.stringify({ ...stored, takes: this.takes.map(({ take }) => take.id) }));
  }

  /** Take up the takes that the page had before it was loaded again. */
  async #recall() {
    const text = this.isOpen || !this.#editor.isOpen ? null : sessionStorage.getItem(STORED_AS);
    if (!text) return;
    const { chosen, replaced, range, takes, ...plan } = JSON.parse(text);
    if (plan.piece !== this.#editor.key) return;
    sessionStorage.removeItem(STORED_AS);
    const { notes } = this.#editor.sequence;
    const found = await Promise.all(takes.map((id) => findPiece(id).catch(() => null)));
    const pieces = found.filter(Boolean);
    if (!pieces.length || !this.#editor.isOpen) return;
    const chosenNotes = new Set(chosen.map((index) => notes[index]).filter(Boolean));
    Object.assign(this.#editor, { range, chosen: chosenNotes });
    this.#open({ ...plan, replaced: new Set(replaced.map((index) => notes[index])) });
    this.#resume(pieces);
  }

  #resume(pieces) {
    for (const piece of pieces) this.#follow(piece);
    this.number = this.#compared = 1;
    this.#hear();
    this.#remember();
    this.#notify();
  }

  #notify() {
    this.dispatchEvent(new Event("change"));
  }
}

/** Delete the pieces of takes; one under way is stopped first. */
async function removeAll(takes, areRunning = true) {
  await Promise.all(takes.map(async ({ take }) => {
    take.leave();
    try {
      if (areRunning && take.isRunning) await take.stop();
      await removePiece(take.id);
    } catch {
      // it is gone already, or the server is away: it is then one piece more in its store
    }
  }));
}

/**
 * The piece on the stage as something to work on: what is chosen in it, how it is changed, undone and kept.
 *
 * Fires "change" when the choice, the piece or its revisions change. It knows neither the pointer nor the keyboard:
 * `gestures`, `commands` and `panel` act on it.
 */

import { Refusal } from "../api.js";
import { announce, showError, showNotice } from "../page/messages.js";
import { translate, translateCount } from "../page/i18n.js";
import { NoteSequence } from "../score/notes.js";
import * as changes from "./changes.js";
import { RevisionTree } from "./tree.js";

const SOUND_SECONDS = 0.5; // of a note that is clicked

export class Editor extends EventTarget {
  chosen = new Set();
  range = null; // {start, end} of the time that is chosen
  tree = null;
  isComparing = false; // while takes of a passage are heard in the piece, it cannot be changed
  #take = null;
  #copied = [];
  #travels = 0; // on the way to other revisions
  #lastTravel = Promise.resolve();
  #player;
  #output;

  constructor(player, output) {
    super();
    this.#player = player;
    this.#output = output;
    document.addEventListener("visibilitychange", () => document.hidden && this.tree?.flush().catch(() => {}));
  }

  /** Whether there is a piece that may be changed: one that is done and has its notes. */
  get isOpen() {
    return Boolean(this.tree && isReady(this.#take)) && !this.#travels && !this.isComparing;
  }

  /** The id of the piece. */
  get key() {
    return this.#take?.id ?? null;
  }

  get sequence() {
    return this.#take?.sequence ?? null;
  }

  get hasCopy() {
    return this.#copied.length > 0;
  }

  /** Take up a piece, as soon as it is done; null for an empty stage. */
  async open(take) {
    if (take === this.#take && (this.tree || !isReady(take))) return;
    if (take !== this.#take) {
      this.tree?.flush().catch(() => {});
      Object.assign(this, { tree: null, range: null, chosen: new Set() });
    }
    this.#take = take;
    if (isReady(take)) await this.#load(take);
    this.#notify();
  }

  async #load(take) {
    const tree = new RevisionTree(take.id);
    this.tree = tree;
    tree.addEventListener("change", () => this.#notify());
    tree.addEventListener("failure", ({ error }) => this.#fail(error));
    try {
      await tree.load(take.sequence);
    } catch (error) {
      this.tree = null;
      showError(error);
    }
  }

  /** Choose notes, in place of those chosen or beside them. */
  choose(notes, isAdded = false) {
    this.chosen = new Set(isAdded ? [...this.chosen, ...notes] : notes);
    this.#notify();
  }

  toggle(note) {
    if (this.isComparing) return;
    if (!this.chosen.delete(note)) this.chosen.add(note);
    this.#notify();
  }

  /** Choose a stretch of time with all notes that begin in it; null chooses nothing. */
  chooseTime(range) {
    this.range = range;
    this.choose(range ? this.sequence.notes.filter(({ onset }) => onset >= range.start && onset < range.end) : []);
  }

  chooseAll() {
    if (!this.isOpen || this.isComparing) return;
    this.range = null; // or what is done next would be done to the stretch that was chosen before
    this.choose(this.sequence.notes);
  }

  clear() {
    if (this.isComparing) return;
    this.range = null;
    this.choose([]);
  }

  /** The stretch of time that is chosen, by itself or by notes; null where nothing is. */
  get span() {
    if (this.range) return this.range;
    if (!this.chosen.size) return null;
    const notes = [...this.chosen];
    return { start: Math.min(...notes.map(({ onset }) => onset)), end: Math.max(...notes.map(({ release }) => release)) };
  }

  /** Change the chosen notes with a function of changes.js; `cause` is a word of the language's `cause` texts. */
  change(cause, name, ...how) {
    if (!this.isOpen || !this.chosen.size) return;
    this.#apply(cause, changes[name](this.sequence, this.chosen, ...how));
  }

  /** Change the piece where nothing need be chosen, as `change` does. */
  changePiece(cause, name, ...how) {
    if (this.isOpen) this.#apply(cause, changes[name](this.sequence, ...how));
  }

  /** Let the piece be heard and seen as it might become; nothing is stored. */
  preview(sequence) {
    this.#player.swap(sequence);
    this.#take.sequence = sequence;
  }

  /** Show a stretch of time with nothing chosen in it. */
  frame({ start, end }) {
    this.range = { start, end };
    this.choose([]);
  }

  /** Put a new version of the piece on the stage that came from elsewhere, as a take of a passage does. */
  accept(sequence, cause, source) {
    this.#show(sequence);
    this.chosen = new Set();
    this.tree.add(sequence, cause, source);
  }

  /** Send what is unsent, so that the server has the piece as it is here. */
  async save() {
    await this.tree?.flush();
  }

  copy() {
    if (!this.chosen.size) return;
    this.#copied = [...this.chosen];
    announce(translate("copied", { notes: translateCount("notes", this.#copied.length) }));
    this.#notify();
  }

  cut() {
    this.copy();
    this.change("cut", "remove");
  }

  paste() {
    if (this.hasCopy) this.changePiece("paste", "paste", this.#copied, this.#player.position);
  }

  /** Copy the chosen notes to right behind themselves. */
  duplicate() {
    const { span } = this;
    if (span && this.chosen.size) this.changePiece("duplicate", "paste", [...this.chosen], span.end);
  }

  undo() {
    return this.#travel("undo");
  }

  redo() {
    return this.#travel("redo");
  }

  /** Return to a revision by its number. */
  returnTo(number) {
    return this.#travel("choose", number);
  }

  /** Let a note be heard. */
  async sound({ pitch, velocity }) {
    if (this.#player.isPlaying) return;
    await this.#output.resume();
    const { now } = this.#output;
    this.#output.release(this.#output.strike(pitch, velocity, now), now + SOUND_SECONDS);
  }

  /** Go to another revision, one step after the other: its notes may have to be fetched. */
  #travel(name, ...how) {
    if (!this.tree || this.isComparing) return null;
    this.#travels += 1;
    this.#lastTravel = this.#lastTravel.then(() => this.#go(this.tree, name, how)).finally(() => { this.#travels -= 1; this.#notify(); });
    return this.#lastTravel;
  }

  async #go(tree, name, how) {
    try {
      const piece = await tree?.[name](...how);
      if (!piece || tree !== this.tree) return;
      this.#show(piece);
      this.choose([]);
      announce(translate(`announce.${name}`));
    } catch (error) {
      showError(error);
    }
  }

  #apply(cause, { notes, pedal, chosen }) {
    const sequence = NoteSequence.of(notes, pedal);
    this.#show(sequence);
    this.chosen = chosen;
    this.tree.add(sequence, cause);
  }

  #show(sequence) {
    this.#player.swap(sequence);
    this.#take.revise(sequence);
  }

  #fail(error) {
    if (!(error instanceof Refusal) || error.status !== 409) return showError(error, () => this.tree?.flush().catch(() => {}));
    return showNotice(translate("conflict"), { key: "loadAgain", run: () => location.reload() });
  }

  #notify() {
    this.dispatchEvent(new Event("change"));
  }
}

const isReady = (take) => Boolean(take?.isDone && take.sequence.isComplete);

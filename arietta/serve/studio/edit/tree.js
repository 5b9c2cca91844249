/**
 * The revisions of the piece on the stage: every change is one, and each can be returned to, after a reload too.
 *
 * Changes are made here at once and sent to the server two seconds after the last of them, one by one, each with the
 * version of the tree that it was made from. The server counts revisions by piece, so their numbers are known before
 * it answers. Where somebody else has changed the piece, nothing of theirs is overwritten: `onConflict` is called.
 */

import { Refusal, addRevision, chooseRevision, listRevisions, nameRevision, readRevision } from "../api.js";
import { toSequence } from "../score/notes.js";

const SAVE_MS = 2000;
const ROOT = 0; // the piece as it was composed or uploaded

export class RevisionTree extends EventTarget {
  head = ROOT;
  #key;
  #revisions = new Map(); // number -> {number, parent, name, cause, visited, created}
  #pieces = new Map(); // number -> {notes, pedal}, of those that were seen
  #version = 0;
  #clock = 0; // the version that the server will have when everything is sent
  #unsent = [];
  #timer = 0;
  #sending = null;

  constructor(key) {
    super();
    this.#key = key;
  }

  /** Fetch what the server has; `piece` is the one at the head. */
  async load(piece) {
    const tree = await listRevisions(this.#key);
    this.#take(tree);
    this.#version = this.#clock = tree.version;
    this.#pieces.set(this.head, piece);
    this.#notify();
  }

  get revisions() {
    return [...this.#revisions.values()];
  }

  get canUndo() {
    return this.head !== ROOT;
  }

  get canRedo() {
    return Boolean(this.#lastChild);
  }

  /** Whether there are changes that the server does not have yet. */
  get isUnsaved() {
    return this.#unsent.length > 0 || this.#sending !== null;
  }

  /** Bring a changed piece to the head; `cause` is a word for what changed it. */
  add(piece, cause, source = null) {
    const number = Math.max(...this.#revisions.keys()) + 1;
    const revision = { number, parent: this.head, name: "", cause, created: new Date().toISOString(), visited: ++this.#clock, note_count: piece.notes.length };
    this.#revisions.set(number, revision);
    this.#pieces.set(number, piece);
    this.head = number;
    this.#send((version) => addRevision(this.#key, version, { ...toBody(piece), parent: revision.parent, cause, source }));
  }

  undo() {
    return this.canUndo ? this.choose(this.#revisions.get(this.head).parent) : null;
  }

  redo() {
    return this.canRedo ? this.choose(this.#lastChild.number) : null;
  }

  /** Bring a revision to the head; resolves with its piece. */
  async choose(number) {
    const piece = this.#pieces.get(number) ?? toSequence(await readRevision(this.#key, number));
    this.#pieces.set(number, piece);
    this.head = number;
    this.#revisions.get(number).visited = ++this.#clock;
    this.#send((version) => chooseRevision(this.#key, version, number));
    return piece;
  }

  async rename(number, name) {
    await this.flush();
    this.#take(await nameRevision(this.#key, number, name));
    this.#notify();
  }

  /** Send what is unsent; resolves when the server has it. */
  async flush() {
    clearTimeout(this.#timer);
    this.#sending ??= this.#sendAll().finally(() => { this.#sending = null; this.#notify(); });
    await this.#sending;
  }

  get #lastChild() {
    const children = this.revisions.filter(({ parent }) => parent === this.head);
    return children.reduce((last, child) => (!last || child.visited >= last.visited ? child : last), null);
  }

  #send(change) {
    this.#unsent.push(change);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush().catch(() => {}), SAVE_MS);
    this.#notify();
  }

  async #sendAll() {
    while (this.#unsent.length) {
      try {
        const tree = await this.#unsent[0](this.#version);
        this.#version = tree.version;
        this.#unsent.shift();
      } catch (error) {
        this.#fail(error);
        throw error;
      }
    }
  }

  /** A refusal loses what is unsent, and says so; where the server is away, it is sent with the next change. */
  #fail(error) {
    if (error instanceof Refusal) this.#unsent = [];
    const failure = new Event("failure");
    this.dispatchEvent(Object.assign(failure, { error }));
  }

  #take({ head, revisions }) {
    this.head = head;
    this.#revisions = new Map(revisions.map((revision) => [revision.number, revision]));
  }

  #notify() {
    this.dispatchEvent(new Event("change"));
  }
}

/** What the server takes: rows of notes, and indices of those that a model wrote or that are locked. */
function toBody({ notes, pedal }) {
  const indices = (filter) => notes.flatMap((note, index) => (filter(note) ? [index] : []));
  return {
    notes: notes.map(({ onset, duration, pitch, velocity }) => [onset, duration, pitch, velocity]),
    pedal: pedal.map(({ down, up }) => [down, up]),
    locks: indices(({ isLocked }) => isLocked),
    composed: indices(({ isGiven }) => !isGiven),
  };
}

/**
 * One piece as the studio knows it: what the server says of it, and its score, filled while it is being written.
 *
 * Fires "change" whenever the piece's state or progress changed; notes are seen by the score's version.
 */

import { Refusal, events, findPiece, readNotes, removePiece } from "../api.js";
import { Score, scoreOf } from "../score/notes.js";

export class Take extends EventTarget {
  score = new Score();
  isLost = false; // the server does not answer for now
  error = null;
  #reading = new AbortController();

  constructor(piece) {
    super();
    this.piece = piece;
    this.score.promptCount = piece.request.prompt_notes ?? 0;
  }

  get id() {
    return this.piece.id;
  }

  get isRunning() {
    return ["waiting", "composing"].includes(this.piece.state);
  }

  /** Gather the notes: at once where the piece is done, else as they come. Never throws; see `error`. */
  async follow() {
    try {
      if (this.piece.state === "done") this.score = scoreOf(await readNotes(this.piece));
      else await this.#listen();
    } catch (error) {
      if (this.#reading.signal.aborted) return;
      this.error = error;
      this.score.complete();
    }
    this.#tell();
  }

  /** Stop composing; what is written stays. */
  async cancel() {
    await removePiece(this.id);
    if (!this.isRunning) return;
    this.update({ ...(await findPiece(this.id).catch(() => this.piece)), state: "cancelled" });
  }

  /** Listen no longer. */
  leave() {
    this.#reading.abort();
  }

  update(piece) {
    this.piece = piece;
    this.#tell();
  }

  async #listen() {
    const options = { signal: this.#reading.signal, trouble: (isLost) => this.#lose(isLost) };
    for await (const { kind, data } of events(this.piece, options)) {
      if (kind === "note") this.score.addNote(data);
      else if (kind === "pedal") this.score.addPedal(data);
      else if (kind === "progress") this.#progress(data);
      else if (kind === "end") this.piece = data;
    }
    this.score.complete();
  }

  #progress(progress) {
    this.update({ ...this.piece, state: this.isRunning ? "composing" : this.piece.state, progress });
  }

  #lose(isLost) {
    if (isLost === this.isLost) return;
    this.isLost = isLost;
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

/** What went wrong with a take, in the server's words, or null. */
export function complaint(take) {
  if (take.error instanceof Refusal) return take.error.detail;
  if (take.error) return String(take.error.message);
  return take.piece.problem?.detail ?? null;
}

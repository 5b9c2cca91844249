/**
 * One piece as the studio has it: what the server says about it, and its notes, which arrive while it is composed.
 *
 * Fires "change" whenever the piece's state or progress changed; new notes are seen by the version of the sequence.
 */

import { Refusal, events, readNotes, stopPiece } from "../api.js";
import { NoteSequence, toSequence } from "../score/notes.js";

export class Take extends EventTarget {
  sequence = new NoteSequence();
  isDisconnected = false; // the server does not answer for now
  error = null;
  #reading = new AbortController();

  /** `number` is that of the take among those of its request, from 1; it stays when others are discarded. */
  constructor(piece, number = 1) {
    super();
    this.piece = piece;
    this.number = number;
    this.sequence.promptCount = piece.request.prompt_notes ?? 0;
  }

  get id() {
    return this.piece.id;
  }

  get isRunning() {
    return ["waiting", "composing"].includes(this.piece.state);
  }

  get isDone() {
    return this.piece.state === "done";
  }

  /** Fetch the notes: at once where the piece is done, else as they come. Never throws; see `error`. */
  async follow() {
    try {
      if (this.isDone) this.sequence = toSequence(await this.readNotes());
      else await this.#readEvents();
    } catch (error) {
      if (this.#reading.signal.aborted) return;
      this.error = error;
      this.sequence.complete(); // so that the player does not wait for notes that will not come
    }
    this.#notify();
  }

  /** Fetch the notes of the whole piece as the server has them. */
  readNotes() {
    return readNotes(this.piece, this.#reading.signal);
  }

  /** Stop composing; what is written is then a finished piece. */
  stop() {
    return stopPiece(this.id); // the stream of events then ends by itself
  }

  /** Read no further. */
  leave() {
    this.#reading.abort();
  }

  update(piece) {
    this.piece = piece;
    this.#notify();
  }

  async #readEvents() {
    const options = { signal: this.#reading.signal, onConnection: (isConnected) => this.#setDisconnected(!isConnected) };
    for await (const { kind, data } of events(this.piece, options)) {
      if (kind === "note") this.sequence.addNote(data);
      else if (kind === "pedal") this.sequence.addPedal(data);
      else if (kind === "progress") this.#setProgress(data);
      else if (kind === "end") this.piece = data;
    }
    this.sequence.complete();
  }

  #setProgress(progress) {
    this.update({ ...this.piece, state: this.isRunning ? "composing" : this.piece.state, progress });
  }

  #setDisconnected(isDisconnected) {
    if (isDisconnected === this.isDisconnected) return;
    this.isDisconnected = isDisconnected;
    this.#notify();
  }

  /** Take on a changed version of the piece. */
  revise(sequence) {
    this.sequence = sequence;
    this.update({ ...this.piece, revision: { note_count: sequence.notes.length, seconds: sequence.end } });
  }

  #notify() {
    this.dispatchEvent(new Event("change"));
  }
}

/** What went wrong with a take, in the server's words, or null. */
export function problemText(take) {
  if (take.error instanceof Refusal) return take.error.detail;
  if (take.error) return String(take.error.message);
  return take.piece.problem?.detail ?? null;
}

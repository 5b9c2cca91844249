/**
 * What the pointer does on the roll with the tools Select and Draw: choose, move, lengthen, add, press the pedal.
 *
 * `begin` is called where a pointer goes down and answers what follows its moves; null leaves it to the hand.
 */

import { toNote } from "./changes.js";

const EDGE = 7; // pixels at the end of a note by which it is made longer
const NEW_SECONDS = 0.4; // a note that is clicked into the roll
const NEW_VELOCITY = 72;
const SHORTEST = 0.05; // seconds that are drawn

export class Gestures {
  tool = "hand";
  #editor;
  #roll;
  #seek;

  constructor(editor, roll, seek) {
    this.#editor = editor;
    this.#roll = roll;
    this.#seek = seek;
  }

  begin(point, event) {
    if (this.tool === "hand" || !this.#editor.isOpen) return null;
    if (this.#roll.isPedal(point.y)) return this.tool === "draw" ? this.#drawPedal(point) : null;
    const note = this.#roll.noteAt(point.x, point.y);
    if (note) return this.#grasp(note, point, event);
    return this.tool === "draw" ? this.#drawNote(point) : this.#lasso(point, event);
  }

  /** Choose the note under a finger that stays, whatever the tool. */
  hold({ x, y }) {
    const note = this.#roll.noteAt(x, y);
    if (note) this.#editor.toggle(note);
    return Boolean(note);
  }

  #grasp(note, point, { shiftKey }) {
    const editor = this.#editor;
    if (shiftKey) editor.toggle(note);
    else if (!editor.chosen.has(note)) editor.choose([note]);
    editor.sound(note);
    const isEnd = this.#roll.xOf(note.release) - point.x < EDGE && (note.duration * this.#roll.scale) > 2 * EDGE;
    return isEnd ? this.#stretch(point) : this.#carry(point);
  }

  #carry(start) {
    const by = ({ x, y }) => [(x - start.x) / this.#roll.scale, this.#roll.pitchAt(y) - this.#roll.pitchAt(start.y)];
    return this.#preview({
      ghosts: (point) => { const [seconds, semitones] = by(point); return (note) => toNote({ ...note, onset: note.onset + seconds, pitch: note.pitch + semitones }); },
      commit: (point) => this.#editor.change("move", "move", ...by(point)),
    });
  }

  #stretch(start) {
    const by = ({ x }) => (x - start.x) / this.#roll.scale;
    return this.#preview({
      ghosts: (point) => (note) => toNote({ ...note, duration: Math.max(SHORTEST, note.duration + by(point)) }),
      commit: (point) => this.#editor.change("lengthen", "lengthen", by(point)),
    });
  }

  /** Show the chosen notes as they will be while the pointer moves, and change them when it lets go. */
  #preview({ ghosts, commit }) {
    const roll = this.#roll;
    return {
      move: (point) => { roll.ghosts = [...this.#editor.chosen].map(ghosts(point)); },
      end: (point, isClick) => { roll.ghosts = []; if (!isClick) commit(point); },
    };
  }

  #lasso(start, { shiftKey }) {
    const roll = this.#roll;
    const box = ({ x, y }) => ({ left: Math.min(start.x, x), right: Math.max(start.x, x), top: Math.min(start.y, y), bottom: Math.max(start.y, y) });
    return {
      move: (point) => { roll.lasso = box(point); },
      end: (point, isClick) => {
        roll.lasso = null;
        if (!isClick) return this.#editor.choose(roll.notesIn(box(point)), shiftKey);
        if (!shiftKey) this.#editor.clear();
        return this.#seek(roll.timeAt(point.x));
      },
    };
  }

  #drawNote(start) {
    const roll = this.#roll;
    const [onset, pitch] = [roll.timeAt(start.x), roll.pitchAt(start.y)];
    const note = (point) => toNote({ onset, pitch, velocity: NEW_VELOCITY, isGiven: true, duration: point ? Math.max(SHORTEST, roll.timeAt(point.x) - onset) : NEW_SECONDS });
    this.#editor.sound(note());
    return {
      move: (point) => { roll.ghosts = [note(point)]; },
      end: (point, isClick) => { roll.ghosts = []; this.#editor.changePiece("add", "add", [note(isClick ? null : point)]); },
    };
  }

  /** Drag over the pedal's band: where the pedal was up it is pressed, where it was down it is lifted. */
  #drawPedal(start) {
    const roll = this.#roll;
    const begin = roll.timeAt(start.x);
    const press = roll.sequence.pedal.find(({ down, up }) => down <= begin && up > begin);
    const span = ({ x }) => { const ends = [begin, roll.timeAt(x)].sort((a, b) => a - b); return { start: ends[0], end: ends[1] }; };
    return {
      move: (point) => { roll.marks = [span(point)]; },
      end: (point, isClick) => {
        roll.marks = [];
        const { start: from, end: to } = isClick && press ? { start: press.down, end: press.up } : span(point);
        if (to - from < SHORTEST) return;
        if (press) this.#editor.changePiece("pedal", "liftPedal", from, to);
        else this.#editor.changePiece("pedal", "pressPedal", from, to);
      },
    };
  }
}

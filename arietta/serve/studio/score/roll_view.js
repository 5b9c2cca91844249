/**
 * The piano roll on the page: when it is drawn, and how the page, the pointer and the keyboard move it.
 *
 * The drawing itself is `Roll`; this is what makes it follow the player, the colours and the window.
 */

import { announce } from "../page/messages.js";
import { Roll } from "./roll.js";
import { noteText, startRollInput } from "./roll_input.js";

const ZOOM_STEP = 1.3;
const SAME_TIME = 0.002; // seconds within which the playhead stands on a note

export class RollView {
  #roll;
  #player;
  #isDue = true; // something other than the notes has changed
  #version = -1; // of the notes, as drawn last

  /** `onLoop` is called with a loop that is drawn with the pointer, `onRecolour` when colours or size have changed. */
  constructor(canvas, player, { onLoop, onRecolour }) {
    this.#roll = new Roll(canvas);
    this.#player = player;
    startRollInput(canvas, this.#roll, { seek: (time) => player.seek(time), loop: onLoop, redraw: () => this.#redraw() });
    player.addEventListener("change", () => this.#onPlayer());
    new ResizeObserver(() => { this.#roll.resize(); onRecolour(); this.#redraw(); }).observe(canvas);
    document.addEventListener("theme", () => { this.#roll.recolour(); onRecolour(); this.#redraw(); });
    const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
    const setPaging = () => { this.#roll.isPaged = reducedMotion.matches; };
    reducedMotion.addEventListener("change", setPaging);
    setPaging();
  }

  set loop(loop) {
    this.#roll.loop = loop;
    this.#redraw();
  }

  /** Follow the playhead again, after the musician has looked elsewhere. */
  follow() {
    this.#roll.isFollowing = true;
  }

  zoomIn() {
    this.#zoom(ZOOM_STEP);
  }

  zoomOut() {
    this.#zoom(1 / ZOOM_STEP);
  }

  #zoom(factor) {
    this.#roll.zoom(factor, this.#player.position);
    this.#redraw();
  }

  /** Move to the next note, or the one before, and have it read aloud. */
  stepNote(direction) {
    const { sequence, position } = this.#player;
    if (!sequence) return;
    const { notes } = sequence;
    const index = sequence.indexFrom(position + (direction > 0 ? SAME_TIME : -SAME_TIME));
    const isOnNote = direction > 0 && notes[index] && Math.abs(notes[index].onset - position) < SAME_TIME;
    const note = notes[direction > 0 ? index + Number(isOnNote) : index - 1];
    if (!note) return;
    this.#player.seek(note.onset);
    this.#roll.hovered = { note, text: noteText(note) };
    announce(noteText(note));
  }

  /** Draw the roll at `position` if anything has changed since the last frame. */
  draw(position) {
    const { sequence, isPlaying } = this.#player;
    if (!isPlaying && !this.#isDue && this.#version === sequence?.version) return;
    this.#isDue = false;
    this.#version = sequence?.version;
    this.#roll.sequence = sequence;
    this.#roll.draw(Math.min(position, sequence?.end || position)); // the last chord rings on beyond the end
  }

  #onPlayer() {
    if (this.#player.isPlaying) Object.assign(this.#roll, { isFollowing: true, hovered: null });
    this.#redraw();
  }

  #redraw() {
    this.#isDue = true;
  }
}

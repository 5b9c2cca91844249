/**
 * The piano roll on the page: when it is drawn, and how the page, the pointer and the keyboard move it.
 *
 * The drawing itself is `Roll`; this is what makes it follow the player, the colours and the window.
 */

import { announce } from "../page/messages.js";
import { Roll } from "./roll.js";
import { RollInput, noteText } from "./roll_input.js";

const ZOOM_STEP = 1.3;
const SAME_TIME = 0.002; // seconds within which the playhead stands on a note

export class RollView {
  #roll;
  #player;
  #isDue = true; // something other than the notes has changed
  #drawn = { sequence: null, version: -1 }; // the notes as drawn last

  #tools = { begin: () => null, hold: () => false, sound: () => {} };

  /** `onSeek` is called with a moment that was clicked, `onTime` with a stretch of time drawn along the ruler, `onBarLine` with a bar whose line was dragged and where to, `onRecolour` when colours or size have changed. */
  constructor(canvas, player, { onSeek, onTime, onBarLine, onRecolour }) {
    this.#roll = new Roll(canvas);
    this.#player = player;
    new RollInput(canvas, this.#roll, {
      seek: onSeek,
      chooseTime: onTime,
      moveLine: onBarLine,
      redraw: () => this.#redraw(),
      begin: (...down) => this.#tools.begin(...down),
      hold: (point) => this.#tools.hold(point),
      sound: (note) => this.#tools.sound(note),
    });
    player.addEventListener("change", () => this.#onPlayer());
    new ResizeObserver(() => { this.#roll.resize(); onRecolour(); this.#redraw(); }).observe(canvas);
    document.addEventListener("theme", () => { this.#roll.recolour(); onRecolour(); this.#redraw(); });
    const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
    const setPaging = () => { this.#roll.isPaged = reducedMotion.matches; };
    reducedMotion.addEventListener("change", setPaging);
    setPaging();
  }

  get roll() {
    return this.#roll;
  }

  /** Let tools have what the pointer does: begin(point, event), hold(point), sound(note). */
  useTools(tools) {
    this.#tools = tools;
  }

  /** Frame what is chosen. */
  showChosen({ chosen, range }) {
    Object.assign(this.#roll, { selected: chosen, range });
    this.#redraw();
  }

  zoomRows(factor) {
    this.#roll.zoomRows(factor);
    this.#redraw();
  }

  colourBy(what) {
    this.#roll.colourBy = what;
    this.#redraw();
  }

  /** The note that was stepped to, or that the pointer is on. */
  get note() {
    return this.#roll.hovered?.note ?? null;
  }

  /** Where the next piece goes on; null where it is not to. */
  set seam(time) {
    this.#roll.seam = time;
    this.#redraw();
  }

  /** When bars begin, which the ruler counts; null for seconds. */
  set barLines(lines) {
    this.#roll.barLines = lines;
    this.#redraw();
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
    const isSame = this.#drawn.sequence === sequence && this.#drawn.version === sequence?.version;
    if (!isPlaying && !this.#isDue && isSame) return;
    this.#isDue = false;
    this.#drawn = { sequence, version: sequence?.version };
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

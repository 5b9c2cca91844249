/**
 * Pointer and wheel on the roll: click to go there, drag to move the paper, drag along the ruler to choose a stretch of
 * time, drag a bar line by its foot in the ruler, two fingers to move the paper whatever the tool, wheel and pinch to zoom, hover to read a note.
 */

import { clockTime, decimal, keyName } from "../page/format.js";
import { translate } from "../page/i18n.js";

const CLICK_TOLERANCE = 5; // pixels that a click may wander
const SHORTEST_RANGE = 0.2; // seconds
const HOLD_MS = 500; // that a finger stays before it chooses
const ZOOM_PER_PIXEL = 1.0015; // of the wheel; a notch of 100 pixels zooms by a sixth

/** What a note is, for the label beside the pointer and for screen readers. */
export function noteText({ onset, duration, pitch, velocity }) {
  return translate("noteText", { name: keyName(pitch), velocity, time: clockTime(onset), seconds: decimal(duration, 2) });
}

const pointOf = ({ offsetX: x, offsetY: y }) => ({ x, y });

export class RollInput {
  #canvas;
  #roll;
  #actions;
  #drag = null; // {start, last, isClick, move(point), end(point, isClick)}
  #fingers = new Map(); // pointer id -> where it is
  #timer = 0;

  /** `actions`: seek(time), chooseTime(range), moveLine(bar, time), redraw(), begin(point, event) of a tool, hold(point), sound(note). */
  constructor(canvas, roll, actions) {
    this.#canvas = canvas;
    this.#roll = roll;
    this.#actions = actions;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => { this.#fingers.delete(event.pointerId); this.#cancel(); });
    canvas.addEventListener("pointerleave", () => { roll.hovered = null; actions.redraw(); });
    canvas.addEventListener("wheel", (event) => this.#turnWheel(event), { passive: false });
  }

  #down(event) {
    if (!this.#roll.sequence || event.button) return;
    this.#canvas.setPointerCapture(event.pointerId);
    const point = pointOf(event);
    if (event.pointerType === "touch") this.#fingers.set(event.pointerId, point);
    if (this.#fingers.size > 1) return this.#cancel(); // two fingers move the paper
    const line = this.#roll.barLineAt(point);
    const onRuler = () => (line === null ? this.#range(point) : this.#barLine(line));
    const tool = this.#roll.isRuler(point.y) ? onRuler() : (this.#actions.begin(point, event) ?? this.#hand(point));
    this.#drag = { ...tool, start: point, isClick: true };
    if (event.pointerType === "touch") this.#timer = setTimeout(() => this.#hold(), HOLD_MS);
    return this.#actions.redraw();
  }

  #move(event) {
    const point = pointOf(event);
    const before = this.#fingers.get(event.pointerId);
    if (before) this.#fingers.set(event.pointerId, point);
    if (before && this.#fingers.size > 1) this.#pan(before, point);
    else if (this.#drag) this.#dragTo(point);
    else this.#hover(point);
    this.#actions.redraw();
  }

  #dragTo(point) {
    const { start } = this.#drag;
    this.#drag.isClick &&= Math.hypot(point.x - start.x, point.y - start.y) < CLICK_TOLERANCE;
    if (this.#drag.isClick) return;
    clearTimeout(this.#timer);
    this.#drag.move(point);
  }

  #up(event) {
    this.#fingers.delete(event.pointerId);
    clearTimeout(this.#timer);
    const drag = this.#drag;
    this.#drag = null;
    drag?.end(pointOf(event), drag.isClick);
    this.#actions.redraw();
  }

  #cancel() {
    clearTimeout(this.#timer);
    this.#drag = null;
    Object.assign(this.#roll, { ghosts: [], lasso: null, marks: [], movedLine: null });
  }

  /** A finger that stays on a note chooses it; nothing then happens when it is lifted. */
  #hold() {
    if (this.#drag?.isClick && this.#actions.hold(this.#drag.start)) this.#cancel();
  }

  #range(start) {
    const between = ({ x }) => {
      const [from, to] = [this.#roll.timeAt(start.x), this.#roll.timeAt(x)].sort((a, b) => a - b);
      return to - from > SHORTEST_RANGE ? { start: from, end: to } : null;
    };
    return {
      move: (point) => { const range = between(point); if (range) this.#actions.chooseTime(range); },
      end: (point, isClick) => { if (isClick) this.#actions.chooseTime(null); if (isClick) this.#actions.seek(this.#roll.timeAt(point.x)); },
    };
  }

  #barLine(index) {
    const roll = this.#roll;
    return {
      move: ({ x }) => { roll.movedLine = { index, time: roll.timeAt(x) }; },
      end: ({ x }, isClick) => {
        roll.movedLine = null;
        if (isClick) this.#actions.seek(roll.barLines[index]);
        else this.#actions.moveLine(index + 1, roll.timeAt(x));
      },
    };
  }

  #hand(start) {
    let last = start;
    return {
      move: (point) => { this.#pan(last, point); last = point; },
      end: (point, isClick) => {
        if (!isClick) return;
        const note = this.#roll.noteAt(point.x, point.y);
        if (note) this.#actions.sound(note);
        this.#actions.seek(this.#roll.timeAt(point.x));
      },
    };
  }

  #pan(from, to) {
    this.#roll.isFollowing = false;
    this.#roll.left = Math.max(0, this.#roll.left - (to.x - from.x) / this.#roll.scale);
    this.#roll.scrollRows(to.y - from.y);
  }

  #hover({ x, y }) {
    const note = this.#roll.noteAt(x, y);
    this.#roll.hovered = note && { note, text: noteText(note) };
    this.#canvas.classList.toggle("pointing", Boolean(note));
    this.#canvas.classList.toggle("moving-line", this.#roll.barLineAt({ x, y }) !== null);
  }

  #turnWheel(event) {
    const roll = this.#roll;
    const isZoom = event.ctrlKey || event.metaKey; // a pinch on a touchpad arrives as a wheel with Ctrl
    const across = event.deltaX || (event.shiftKey ? event.deltaY : 0);
    if (!roll.sequence || (!isZoom && !across && !event.altKey)) return; // the page scrolls
    event.preventDefault();
    if (event.altKey) roll.zoomRows(ZOOM_PER_PIXEL ** -event.deltaY, roll.pitchAt(event.offsetY));
    else this.#turnAcross(event, isZoom, across);
    this.#actions.redraw();
  }

  #turnAcross({ offsetX, deltaY }, isZoom, across) {
    this.#roll.isFollowing = false;
    if (isZoom) this.#roll.zoom(ZOOM_PER_PIXEL ** -deltaY, this.#roll.timeAt(offsetX));
    else this.#roll.left = Math.max(0, this.#roll.left + across / this.#roll.scale);
  }
}

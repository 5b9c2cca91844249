/**
 * Hands on the roll: click to go there, drag to move the paper, drag along the ruler to loop, wheel and pinch to
 * zoom, hover to be told the note.
 */

import { clockTime, decimal, keyName } from "../page/format.js";
import { say } from "../page/i18n.js";

const STILL = 5; // pixels that a click may wander
const SHORTEST_LOOP = 0.2; // seconds
const WHEEL = 1.0015;

/** What is told of a note, by pointer or keyboard. */
export function noteText({ onset, duration, pitch, velocity }) {
  return say("noteText", { name: keyName(pitch), velocity, time: clockTime(onset), seconds: decimal(duration, 2) });
}

/** `acts`: seek(time), loop({start, end}), changed(). */
export function startPointing(canvas, roll, acts) {
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (!roll.score || event.button) return;
    canvas.setPointerCapture(event.pointerId);
    drag = { ...pointOf(event), left: roll.left, isStill: true };
  });
  canvas.addEventListener("pointermove", (event) => {
    const point = pointOf(event);
    if (drag) move(roll, drag, point, acts);
    else hover(canvas, roll, point);
    acts.changed();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag?.isStill) acts.seek(roll.timeAt(pointOf(event).x));
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  canvas.addEventListener("pointerleave", () => { roll.hovered = null; acts.changed(); });
  canvas.addEventListener("wheel", (event) => turn(event, roll, acts), { passive: false });
}

const pointOf = ({ offsetX: x, offsetY: y }) => ({ x, y });

function move(roll, drag, { x }, acts) {
  drag.isStill &&= Math.abs(x - drag.x) < STILL;
  if (drag.isStill) return;
  if (roll.isRuler(drag.y)) {
    const [start, end] = [roll.timeAt(drag.x), roll.timeAt(x)].sort((a, b) => a - b);
    if (end - start > SHORTEST_LOOP) acts.loop({ start, end });
    return;
  }
  roll.isFollowing = false;
  roll.left = Math.max(0, drag.left - (x - drag.x) / roll.scale);
}

function hover(canvas, roll, { x, y }) {
  const note = roll.noteAt(x, y);
  roll.hovered = note && { note, text: noteText(note) };
  canvas.classList.toggle("pointing", Boolean(note));
}

function turn(event, roll, acts) {
  const isZoom = event.ctrlKey || event.metaKey;
  const across = event.deltaX || (event.shiftKey ? event.deltaY : 0);
  if (!roll.score || (!isZoom && !across)) return; // the page scrolls
  event.preventDefault();
  roll.isFollowing = false;
  if (isZoom) roll.zoom(WHEEL ** -event.deltaY, roll.timeAt(event.offsetX));
  else roll.left = Math.max(0, roll.left + across / roll.scale);
  acts.changed();
}

/**
 * Pointer and wheel on the roll: click to go there, drag to move the paper, drag along the ruler to loop, wheel and
 * pinch to zoom, hover to read a note.
 */

import { clockTime, decimal, keyName } from "../page/format.js";
import { translate } from "../page/i18n.js";

const CLICK_TOLERANCE = 5; // pixels that a click may wander
const SHORTEST_LOOP = 0.2; // seconds
const ZOOM_PER_PIXEL = 1.0015; // of the wheel; a notch of 100 pixels zooms by a sixth

/** What a note is, for the label beside the pointer and for screen readers. */
export function noteText({ onset, duration, pitch, velocity }) {
  return translate("noteText", { name: keyName(pitch), velocity, time: clockTime(onset), seconds: decimal(duration, 2) });
}

/** `actions`: seek(time), loop({start, end}), redraw(). */
export function startRollInput(canvas, roll, actions) {
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (!roll.sequence || event.button) return;
    canvas.setPointerCapture(event.pointerId);
    drag = { ...pointOf(event), left: roll.left, isClick: true };
  });
  canvas.addEventListener("pointermove", (event) => {
    const point = pointOf(event);
    if (drag) dragTo(roll, drag, point, actions);
    else hover(canvas, roll, point);
    actions.redraw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag?.isClick) actions.seek(roll.timeAt(pointOf(event).x));
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  canvas.addEventListener("pointerleave", () => { roll.hovered = null; actions.redraw(); });
  canvas.addEventListener("wheel", (event) => turnWheel(event, roll, actions), { passive: false });
}

const pointOf = ({ offsetX: x, offsetY: y }) => ({ x, y });

function dragTo(roll, drag, { x }, actions) {
  drag.isClick &&= Math.abs(x - drag.x) < CLICK_TOLERANCE;
  if (drag.isClick) return;
  if (roll.isRuler(drag.y)) {
    const [start, end] = [roll.timeAt(drag.x), roll.timeAt(x)].sort((a, b) => a - b);
    if (end - start > SHORTEST_LOOP) actions.loop({ start, end });
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

function turnWheel(event, roll, actions) {
  const isZoom = event.ctrlKey || event.metaKey; // a pinch on a touchpad arrives as a wheel with Ctrl
  const across = event.deltaX || (event.shiftKey ? event.deltaY : 0);
  if (!roll.sequence || (!isZoom && !across)) return; // the page scrolls
  event.preventDefault();
  roll.isFollowing = false;
  if (isZoom) roll.zoom(ZOOM_PER_PIXEL ** -event.deltaY, roll.timeAt(event.offsetX));
  else roll.left = Math.max(0, roll.left + across / roll.scale);
  actions.redraw();
}

/**
 * The keys of the workbench, beside the single-key shortcuts: with Ctrl (or Cmd) as everywhere, and the arrows, which
 * move what is chosen and are left to the player where nothing is.
 */

import { isTextField } from "../page/shortcuts.js";

const NUDGE = 0.05; // seconds; with Shift ten times as far
const OCTAVE = 12;

/** Obey the keys; they come before the shortcuts of the page. What was done last is undone first, also to `bars`. */
export function startCommands(editor, bars) {
  const undo = () => (bars.canUndo ? bars.undo() : editor.undo());
  const redo = () => (bars.canRedo ? bars.redo() : editor.redo());
  const withCtrl = {
    a: () => editor.chooseAll(),
    c: () => editor.copy(),
    x: () => editor.cut(),
    v: () => editor.paste(),
    d: () => editor.duplicate(),
    z: ({ shiftKey }) => (shiftKey ? redo() : undo()),
    y: redo,
  };
  const onChosen = {
    Delete: () => editor.change("delete", "remove"),
    Backspace: () => editor.change("delete", "remove"),
    ArrowLeft: ({ shiftKey }) => editor.change("move", "move", shiftKey ? -10 * NUDGE : -NUDGE, 0),
    ArrowRight: ({ shiftKey }) => editor.change("move", "move", shiftKey ? 10 * NUDGE : NUDGE, 0),
    ArrowUp: ({ shiftKey }) => editor.change("transpose", "move", 0, shiftKey ? OCTAVE : 1),
    ArrowDown: ({ shiftKey }) => editor.change("transpose", "move", 0, shiftKey ? -OCTAVE : -1),
  };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || !editor.tree || document.querySelector("dialog[open]") || isTaken(event)) return;
    const isCtrl = event.ctrlKey || event.metaKey;
    const run = isCtrl ? withCtrl[event.key.toLowerCase()] : editor.chosen.size && onChosen[event.key];
    if (!run || event.altKey) return;
    if (isCtrl && event.key.toLowerCase() === "c" && !getSelection().isCollapsed) return; // text is copied as everywhere
    event.preventDefault();
    run(event);
  }, { capture: true });
}

/** Whether the key belongs to the control in focus. */
function isTaken({ target, key }) {
  if (isTextField(target)) return true;
  return Boolean(target.matches?.("input[type=radio], input[type=range]") && key.startsWith("Arrow"));
}

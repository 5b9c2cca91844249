/**
 * Keyboard shortcuts: one list, from which keys are obeyed and the dialog is written.
 *
 * Keys typed into fields, keys with Ctrl, Alt or Meta, and keys that a focused control uses itself are left alone.
 * Single keys can be switched off, for those who dictate or tremble; Escape and ? always work.
 */

import { isWriting } from "../form/keyboard.js";
import { recall, remember } from "./preferences.js";
import { say } from "./i18n.js";

const SHOWN = { " ": "space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Home: "home", Escape: "escape" };
const ALWAYS = ["Escape", "?"];
const STEERING = /^(Arrow|Home|End|Page)/;

/** Obey `shortcuts`: a list of {keys, say, act(event)}; the dialog shows them. */
export function startShortcuts(shortcuts, { dialog, list, opener, isOn }) {
  const write = () => list.replaceChildren(...shortcuts.flatMap(entry));
  document.addEventListener("language", write);
  write();
  isOn.checked = recall("shortcuts", true);
  isOn.addEventListener("change", () => remember("shortcuts", isOn.checked));
  opener.addEventListener("click", () => dialog.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || dialog.open || isTaken(event)) return;
    if (!isOn.checked && !ALWAYS.includes(event.key)) return;
    const shortcut = shortcuts.find(({ keys }) => keys.includes(event.key.length === 1 ? event.key.toLowerCase() : event.key));
    if (!shortcut) return;
    event.preventDefault();
    if (event.key === " ") document.activeElement?.blur();
    shortcut.act(event);
  });
}

/** Whether the key belongs to the control in focus, or to the browser. */
function isTaken({ key, target, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey || isWriting(target)) return true;
  if (target.matches?.("input[type=radio], input[type=range]") && (STEERING.test(key) || key === " ")) return true;
  const isControl = target.matches?.("button, a, summary, input, label");
  return Boolean(isControl && key === " " && target.matches(":focus-visible"));
}

function entry({ keys, say: key }) {
  const term = document.createElement("dt");
  keys.forEach((name, i) => term.append(i ? " " : "", keycap(name)));
  const meaning = Object.assign(document.createElement("dd"), { textContent: say(key) });
  return [term, meaning];
}

function keycap(name) {
  const shown = SHOWN[name] ?? name.toUpperCase();
  return Object.assign(document.createElement("kbd"), { textContent: shown.length > 1 ? say(`key.${shown}`) : shown });
}

/**
 * Keyboard shortcuts: one list, from which keys are obeyed and the dialog is written.
 *
 * Keys typed into fields, keys with Ctrl, Alt or Meta, and keys that a focused control uses itself are left alone.
 * Single keys can be switched off, for those who dictate or tremble; Escape and ? always work.
 */

import { create } from "./dom.js";
import { translate } from "./i18n.js";
import { loadPreference, savePreference } from "./preferences.js";

const KEY_NAMES = { " ": "space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Home: "home", Escape: "escape" };
const ALWAYS_ON = ["Escape", "?"];
const SLIDER_KEY = /^(Arrow|Home|End|Page)/;

/** Obey `shortcuts`, a list of {keys, text, run(event)}, and list them in the dialog. */
export function startShortcuts(shortcuts, { dialog, list, opener, isOn }) {
  const writeList = () => list.replaceChildren(...shortcuts.flatMap(listEntry));
  document.addEventListener("language", writeList);
  writeList();
  isOn.checked = loadPreference("shortcuts", true);
  isOn.addEventListener("change", () => savePreference("shortcuts", isOn.checked));
  opener.addEventListener("click", () => dialog.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || dialog.open || belongsToFocus(event)) return;
    if (!isOn.checked && !ALWAYS_ON.includes(event.key)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key; // Caps Lock changes nothing
    const shortcut = shortcuts.find(({ keys }) => keys.includes(key));
    if (!shortcut) return;
    event.preventDefault();
    if (event.key === " ") document.activeElement?.blur(); // or its keyup would also click the button last clicked
    shortcut.run(event);
  });
}

/** Whether the key belongs to the control in focus, or to the browser. */
function belongsToFocus({ key, target, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey || isTextField(target)) return true;
  if (target.matches?.("input[type=radio], input[type=range]") && (SLIDER_KEY.test(key) || key === " ")) return true;
  const isControl = target.matches?.("button, a, summary, input, label");
  // A button that was clicked has the focus without showing it: there Space plays; reached by Tab it presses.
  return Boolean(isControl && key === " " && target.matches(":focus-visible"));
}

/** Whether a key pressed there is meant as text. */
export function isTextField(target) {
  return target.matches?.("input:not([type=radio], [type=checkbox], [type=range]), textarea, select");
}

function listEntry({ keys, text }) {
  const term = create("dt");
  keys.forEach((key, index) => term.append(index ? " " : "", keycap(key)));
  return [term, create("dd", { textContent: translate(text) })];
}

function keycap(key) {
  const name = KEY_NAMES[key] ?? key.toUpperCase();
  return create("kbd", { textContent: name.length > 1 ? translate(`key.${name}`) : name });
}

/**
 * A row of piano keys on the page, played with the letters of the computer keyboard, a pointer, or Tab and arrows.
 *
 * Letters count by their position (the row that starts with A on a US keyboard), so every layout can play.
 * Shift plays louder; Z and X move by an octave. It only reports what is pressed and released.
 */

import { create } from "../page/dom.js";
import { isBlack, keyName } from "../page/format.js";
import { translate } from "../page/i18n.js";
import { isTextField } from "../page/shortcuts.js";

const CODES = [
  "KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH", "KeyU", "KeyJ",
  "KeyK", "KeyO", "KeyL", "KeyP", "Semicolon",
];
const LETTERS = "AWSEDFTGYHUJKOLP;";
const [SOFT, DEFAULT, LOUD] = [48, 78, 106]; // velocities
const [LOWEST, HIGHEST] = [24, 96]; // of the row's first key

export class Keyboard {
  isOpen = false;
  #root;
  #actions;
  #first = 60;
  #buttons = [];
  #down = new Map(); // source (a key code or a pointer id) -> pitch: each source plays one key at a time

  /** `actions`: press(pitch, velocity), release(pitch). */
  constructor(root, actions) {
    this.#root = root;
    this.#actions = actions;
    document.addEventListener("keydown", (event) => this.#keyDown(event));
    document.addEventListener("keyup", (event) => this.#release(event.code));
    addEventListener("blur", () => this.releaseAll());
    for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, (event) => this.#release(event.pointerId));
    document.addEventListener("language", () => this.#draw());
    this.#draw();
  }

  shift(octaves) {
    this.releaseAll();
    this.#first = Math.min(HIGHEST, Math.max(LOWEST, this.#first + 12 * octaves));
    this.#draw();
  }

  releaseAll() {
    for (const source of [...this.#down.keys()]) this.#release(source);
  }

  /** Show a key as pressed that was pressed elsewhere, as on a MIDI keyboard. */
  light(pitch, isDown) {
    this.#buttons[pitch - this.#first]?.classList.toggle("down", isDown);
  }

  #draw() {
    this.#buttons = CODES.map((_, index) => this.#createKey(this.#first + index, LETTERS[index]));
    this.#buttons[0].tabIndex = 0; // one stop for Tab; arrows move along the row
    this.#root.replaceChildren(...this.#buttons);
  }

  #createKey(pitch, letter) {
    const key = create("button", { type: "button", className: "key", textContent: letter, tabIndex: -1 });
    key.classList.toggle("black", isBlack(pitch));
    key.setAttribute("aria-label", translate("keyLabel", { name: keyName(pitch), letter }));
    key.addEventListener("pointerdown", (event) => {
      key.releasePointerCapture?.(event.pointerId);
      const frontness = event.offsetY / key.offsetHeight; // as on a piano, a key is louder at its front
      this.#press(event.pointerId, pitch, Math.round(SOFT + (LOUD - SOFT) * frontness));
    });
    return key;
  }

  #keyDown(event) {
    if (!this.isOpen || event.ctrlKey || event.metaKey || event.altKey || isTextField(event.target)) return;
    if (event.target.classList?.contains("key") && this.#navigate(event)) return;
    const index = CODES.indexOf(event.code);
    const octaves = { KeyZ: -1, KeyX: 1 }[event.code];
    if (index < 0 && !octaves) return;
    event.preventDefault();
    if (event.repeat) return;
    if (octaves) this.shift(octaves);
    else this.#press(event.code, this.#first + index, event.shiftKey ? LOUD : DEFAULT);
  }

  /** Arrows move along the keys; Enter and Space press the one in focus. */
  #navigate(event) {
    const index = this.#buttons.indexOf(event.target);
    const next = this.#buttons[index + ({ ArrowRight: 1, ArrowLeft: -1 }[event.key] ?? NaN)];
    const isPress = ["Enter", " "].includes(event.key);
    if (!next && !isPress) return false;
    event.preventDefault();
    next?.focus();
    if (isPress && !event.repeat) this.#press(event.code, this.#first + index, DEFAULT);
    return true;
  }

  #press(source, pitch, velocity) {
    this.#release(source);
    this.#down.set(source, pitch);
    this.light(pitch, true);
    this.#actions.press(pitch, velocity);
  }

  #release(source) {
    const pitch = this.#down.get(source);
    if (pitch === undefined) return;
    this.#down.delete(source);
    this.light(pitch, false);
    this.#actions.release(pitch);
  }
}

/**
 * A row of piano keys on the page, played with the letters of the computer keyboard, a pointer, or Tab and arrows.
 *
 * Letters are meant by their place (the row that starts with A on a US keyboard), so every layout can play.
 * Shift plays louder; Z and X move by an octave. It only reports what is pressed and let go.
 */

import { isBlack, keyName } from "../page/format.js";
import { say } from "../page/i18n.js";

const CODES = [
  "KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH", "KeyU", "KeyJ",
  "KeyK", "KeyO", "KeyL", "KeyP", "Semicolon",
];
const LETTERS = "AWSEDFTGYHUJKOLP;";
const [SOFT, USUAL, LOUD] = [48, 78, 106];
const [LOWEST, HIGHEST] = [24, 96]; // of the row's first key

export class Keyboard {
  isOpen = false;
  #root;
  #acts;
  #first = 60;
  #buttons = [];
  #down = new Map(); // what presses (a code, a pointer) -> pitch

  /** `acts`: press(pitch, velocity), release(pitch). */
  constructor(root, acts) {
    this.#root = root;
    this.#acts = acts;
    document.addEventListener("keydown", (event) => this.#keyDown(event));
    document.addEventListener("keyup", (event) => this.#let(event.code));
    addEventListener("blur", () => this.letAll());
    for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, (event) => this.#let(event.pointerId));
    document.addEventListener("language", () => this.#draw());
    this.#draw();
  }

  shift(octaves) {
    this.letAll();
    this.#first = Math.min(HIGHEST, Math.max(LOWEST, this.#first + 12 * octaves));
    this.#draw();
  }

  letAll() {
    for (const by of [...this.#down.keys()]) this.#let(by);
  }

  /** Show a key as pressed that was pressed elsewhere, as on a MIDI keyboard. */
  light(pitch, isDown) {
    this.#buttons[pitch - this.#first]?.classList.toggle("down", isDown);
  }

  #draw() {
    this.#buttons = CODES.map((_, i) => this.#key(this.#first + i, LETTERS[i]));
    this.#buttons[0].tabIndex = 0;
    this.#root.replaceChildren(...this.#buttons);
  }

  #key(pitch, letter) {
    const key = Object.assign(document.createElement("button"), { type: "button", className: "key", textContent: letter, tabIndex: -1 });
    key.classList.toggle("black", isBlack(pitch));
    key.setAttribute("aria-label", say("keyLabel", { name: keyName(pitch), letter }));
    key.addEventListener("pointerdown", (event) => {
      key.releasePointerCapture?.(event.pointerId);
      const share = event.offsetY / key.offsetHeight;
      this.#press(event.pointerId, pitch, Math.round(SOFT + (LOUD - SOFT) * share));
    });
    return key;
  }

  #keyDown(event) {
    if (!this.isOpen || event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
    if (event.target.classList?.contains("key") && this.#steer(event)) return;
    const place = CODES.indexOf(event.code);
    const octaves = { KeyZ: -1, KeyX: 1 }[event.code];
    if (place < 0 && !octaves) return;
    event.preventDefault();
    if (event.repeat) return;
    if (octaves) this.shift(octaves);
    else this.#press(event.code, this.#first + place, event.shiftKey ? LOUD : USUAL);
  }

  /** Arrows move along the keys; Enter and Space press the one in focus. */
  #steer(event) {
    const place = this.#buttons.indexOf(event.target);
    const next = this.#buttons[place + ({ ArrowRight: 1, ArrowLeft: -1 }[event.key] ?? NaN)];
    const isPress = ["Enter", " "].includes(event.key);
    if (!next && !isPress) return false;
    event.preventDefault();
    next?.focus();
    if (isPress && !event.repeat) this.#press(event.code, this.#first + place, USUAL);
    return true;
  }

  #press(by, pitch, velocity) {
    this.#let(by);
    this.#down.set(by, pitch);
    this.light(pitch, true);
    this.#acts.press(pitch, velocity);
  }

  #let(by) {
    const pitch = this.#down.get(by);
    if (pitch === undefined) return;
    this.#down.delete(by);
    this.light(pitch, false);
    this.#acts.release(pitch);
  }
}

/** Whether a key pressed there is meant as writing. */
export function isWriting(target) {
  return target.matches?.("input:not([type=radio], [type=checkbox], [type=range]), textarea, select");
}

/**
 * The strip under the roll on which the density or the loudness of what is written anew is drawn, over its time.
 *
 * What the piece has is grey, what is wished for a line. The curve is the text of its field, which can be typed too.
 */

import { byId } from "../page/dom.js";
import { relabel } from "../page/i18n.js";
import { drawSteps, readSteps, valueAt, writeSteps } from "./steps.js";

const RANGES = { density: [1, 20], loudness: [20, 110] }; // notes per second; velocity
const RASTER = 0.5; // seconds of a step that is drawn
const BIN = 1; // seconds over which what the piece has is measured

export class Curve {
  #canvas = byId("curve");
  #roll;
  #drawn = ""; // what the picture shows
  #path = null; // Map from time to value, while it is drawn

  constructor(roll) {
    this.#roll = roll;
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); this.#path = new Map(); this.#add(event); });
    canvas.addEventListener("pointermove", (event) => this.#path && this.#add(event));
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { this.#path = null; });
    byId("wishes").addEventListener("toggle", () => { byId("curve").hidden = !byId("wishes").open; this.#drawn = ""; });
    for (const radio of document.querySelectorAll("[name=curve]")) radio.addEventListener("change", () => relabel(canvas, `curve.${this.#name}`));
    byId("wish-clear").addEventListener("click", () => { for (const id of ["wish-density", "wish-loudness", "wish-key"]) byId(id).value = ""; });
  }

  /** What is wished for, as the server takes it. */
  wishes() {
    if (!byId("wishes").open) return {};
    const entries = ["density", "loudness", "key"].map((name) => [name, byId(`wish-${name}`).value.trim()]);
    return Object.fromEntries(entries.filter(([, wish]) => wish));
  }

  get #name() {
    return document.querySelector("[name=curve]:checked").value;
  }

  get #field() {
    return byId(`wish-${this.#name}`);
  }

  #add({ offsetX, offsetY }) {
    const [low, high] = RANGES[this.#name];
    const share = Math.min(1, Math.max(0, 1 - offsetY / this.#canvas.clientHeight));
    const time = RASTER * Math.round(this.#roll.timeAt(offsetX) / RASTER);
    const value = Math.max(low, Math.round(low + share * (high - low)));
    const last = [...this.#path.keys()].at(-1);
    for (const between of this.#between(last, time)) this.#path.set(between, value);
    const drawn = [...this.#path].sort(([a], [b]) => a - b);
    this.#field.value = writeSteps(drawSteps(readSteps(this.#field.value) ?? [], drawn));
  }

  /** The steps that a quick hand passed over. */
  #between(from, to) {
    if (from === undefined) return [to];
    const count = Math.round(Math.abs(to - from) / RASTER);
    return Array.from({ length: count + 1 }, (_, index) => from + Math.sign(to - from) * RASTER * index).slice(count ? 1 : 0);
  }

  /** Draw it where anything has changed; called every frame. */
  draw() {
    if (this.#canvas.hidden) return;
    const { sequence, left, scale, range } = this.#roll;
    const state = JSON.stringify([this.#name, this.#field.value, left, scale, range, sequence?.version, sequence?.notes.length, this.#canvas.clientWidth, document.documentElement.dataset.theme]);
    if (state === this.#drawn) return;
    this.#drawn = state;
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const sharpness = Math.min(devicePixelRatio || 1, 2);
    Object.assign(this.#canvas, { width: width * sharpness, height: height * sharpness });
    const pen = this.#canvas.getContext("2d");
    pen.setTransform(sharpness, 0, 0, sharpness, 0, 0);
    this.#paint(pen, width, height);
  }

  #paint(pen, width, height) {
    const style = getComputedStyle(this.#canvas);
    const colour = (name) => style.getPropertyValue(`--roll-${name}`).trim();
    const [low, high] = RANGES[this.#name];
    const y = (value) => height - 1 - (Math.min(high, Math.max(low, value)) - low) / (high - low) * (height - 2);
    const { gutter } = this.#roll.geometry;
    pen.fillStyle = colour("given");
    pen.globalAlpha = 0.35;
    for (const [time, value] of this.#measured()) pen.fillRect(this.#roll.xOf(time), y(value), BIN * this.#roll.scale - 1, height - y(value));
    pen.globalAlpha = 1;
    pen.fillStyle = colour("soft");
    pen.font = `10px ${style.fontFamily}`;
    pen.fillText(high, 4, 11);
    pen.fillText(low, 4, height - 4);
    const steps = readSteps(this.#field.value);
    if (!steps) return;
    pen.strokeStyle = colour("accent");
    pen.lineWidth = 2;
    pen.beginPath();
    for (let x = gutter; x <= width; x += 2) pen.lineTo(x, y(valueAt(steps, this.#roll.timeAt(x))));
    pen.stroke();
  }

  /** What the piece has in each second that is shown: [second, value]. */
  #measured() {
    const { sequence, left, secondsShown } = this.#roll;
    const measured = [];
    for (let time = Math.floor(left / BIN) * BIN; sequence && time < Math.min(sequence.end, left + secondsShown); time += BIN) {
      const notes = sequence.notes.slice(sequence.indexFrom(time), sequence.indexFrom(time + BIN));
      if (notes.length) measured.push([time, this.#name === "density" ? notes.length / BIN : notes.reduce((sum, { velocity }) => sum + velocity, 0) / notes.length]);
    }
    return measured;
  }
}

/**
 * The piano roll: keys at the side, a ruler above, the pedal below, notes between, a playhead through all.
 *
 * It draws what is visible and nothing else, found by binary search. Colour shows loudness; grey notes were given,
 * not composed. It knows neither the player nor the pointer: `roll_view` and `roll_input` move it.
 */

import { isBlack, keyName } from "../page/format.js";
import { firstWhere } from "./notes.js";

const RULER = 24; // pixels
const PEDAL = 16;
const LEVELS = 12; // shades of loudness
const MIN_SCALE = 2; // pixels per second
const MAX_SCALE = 600;
const PLAYHEAD = 0.28; // where the playhead stands while the paper moves, as a share of the width
const MAX_ROUNDED = 1500; // above this many visible notes corners are square, which draws faster

export class Roll {
  sequence = null;
  loop = null;
  left = 0; // seconds at the left edge
  scale = 90;
  isFollowing = true;
  isPaged = false; // turn pages instead of moving the paper (reduced motion)
  hovered = null;
  #canvas;
  #pen;
  #size = { width: 0, height: 0, gutter: 46 };
  #colours = {};
  #range = { low: 36, high: 96 };

  constructor(canvas) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext("2d", { alpha: false });
    this.recolour();
    this.resize();
  }

  /** Take the colours from the style sheet. */
  recolour() {
    const style = getComputedStyle(this.#canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const names = ["paper", "lane", "line", "ink", "soft", "pedal", "given", "white-key", "black-key", "edge", "letter", "accent", "loop"];
    this.#colours = Object.fromEntries(names.map((name) => [name, colour(`roll-${name}`)]));
    this.#colours.font = style.fontFamily;
    const [faint, full] = [colour("roll-faint"), colour("roll-accent")];
    this.#colours.levels = Array.from({ length: LEVELS }, (_, i) => mix(faint, full, i / (LEVELS - 1)));
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const sharpness = Math.min(devicePixelRatio || 1, 2); // more than two pixels per point only cost time
    this.#canvas.width = Math.round(width * sharpness);
    this.#canvas.height = Math.round(height * sharpness);
    this.#pen.setTransform(sharpness, 0, 0, sharpness, 0, 0);
    this.#size = { width, height, gutter: width < 600 ? 32 : 46 };
  }

  get secondsShown() {
    return (this.#size.width - this.#size.gutter) / this.scale;
  }

  /** Make a second wider or narrower, around the moment `at`. */
  zoom(factor, at) {
    const before = this.xOf(at) - this.#size.gutter;
    this.scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, this.scale * factor));
    this.left = Math.max(0, at - before / this.scale);
  }

  xOf(time) {
    return this.#size.gutter + (time - this.left) * this.scale;
  }

  timeAt(x) {
    return Math.max(0, this.left + (x - this.#size.gutter) / this.scale);
  }

  isRuler(y) {
    return y < RULER;
  }

  /** The note under a point, or null. */
  noteAt(x, y) {
    if (!this.sequence || x < this.#size.gutter) return null;
    const time = this.timeAt(x);
    const pitch = this.#range.high - Math.floor((y - RULER) / this.#row);
    const { notes } = this.sequence;
    for (let i = this.sequence.indexSounding(time); i < notes.length && notes[i].onset <= time; i++) {
      if (notes[i].pitch === pitch && notes[i].release > time) return notes[i];
    }
    return null;
  }

  get #row() {
    return (this.#size.height - RULER - PEDAL) / (this.#range.high - this.#range.low + 1);
  }

  #yOf(pitch) {
    return RULER + (this.#range.high - pitch) * this.#row;
  }

  /** Draw the roll as it is when the music stands at `position`. */
  draw(position) {
    this.#follow(position);
    this.#fit();
    this.#drawLanes();
    this.#drawRuler();
    if (this.sequence) {
      this.#drawPedal();
      this.#drawNotes(position);
    }
    this.#drawLoop();
    this.#drawPlayhead(position);
    this.#drawKeys(position);
    if (this.hovered) this.#drawLabel(this.hovered);
  }

  #follow(position) {
    if (!this.isFollowing) return;
    const shown = this.secondsShown;
    if (!this.isPaged) this.left = Math.max(0, position - PLAYHEAD * shown);
    else if (position < this.left || position > this.left + 0.95 * shown) this.left = Math.max(0, position - 0.02 * shown);
  }

  /** Whole octaves around the notes, and never fewer than four. */
  #fit() {
    if (!this.sequence?.notes.length) return;
    const { lowest, highest } = this.sequence;
    this.#range.low = Math.min(36, 12 * Math.floor((lowest - 1) / 12));
    this.#range.high = Math.max(84, 12 * Math.ceil((highest + 1) / 12));
  }

  #drawLanes() {
    const { width, height, gutter } = this.#size;
    const pen = this.#pen;
    pen.fillStyle = this.#colours.paper;
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = this.#colours.lane;
    for (let pitch = this.#range.low; pitch <= this.#range.high; pitch++) {
      if (isBlack(pitch)) pen.fillRect(gutter, this.#yOf(pitch), width, this.#row);
    }
  }

  #drawRuler() {
    const { width, height, gutter } = this.#size;
    const pen = this.#pen;
    const step = [0.5, 1, 2, 5, 10, 30, 60, 120, 300].find((seconds) => seconds * this.scale >= 56) ?? 600;
    pen.font = `11px ${this.#colours.font}`;
    pen.textBaseline = "middle";
    for (let time = Math.ceil(this.left / step) * step; this.xOf(time) < width; time += step) {
      const x = Math.round(this.xOf(time));
      pen.fillStyle = this.#colours.line;
      pen.fillRect(x, RULER, 1, height - RULER - PEDAL);
      pen.fillStyle = this.#colours.soft;
      pen.fillText(rulerTime(time), x + 4, RULER / 2 + 1);
    }
    pen.fillStyle = this.#colours.line;
    pen.fillRect(gutter, RULER - 1, width, 1);
  }

  #drawPedal() {
    const { width, height, gutter } = this.#size;
    const { pedal } = this.sequence;
    this.#pen.fillStyle = this.#colours.pedal;
    for (let i = this.sequence.pedalFrom(this.left); i < pedal.length && this.xOf(pedal[i].down) < width; i++) {
      const from = Math.max(gutter, this.xOf(pedal[i].down));
      this.#pen.fillRect(from, height - PEDAL + 4, Math.max(1, this.xOf(pedal[i].up) - from - 1), PEDAL - 8);
    }
  }

  /** Collect the visible notes by shade, so that each shade is filled once. */
  #visibleNotes(position) {
    const { notes, promptCount } = this.sequence;
    const shades = Array.from({ length: LEVELS + 2 }, () => []);
    const right = this.left + this.secondsShown;
    const last = firstWhere(notes.length, (i) => notes[i].onset > right);
    for (let i = this.sequence.indexSounding(this.left); i < last; i++) {
      const note = notes[i];
      if (note.release < this.left) continue;
      const isSounding = note.onset <= position && note.release > position;
      const level = i < promptCount ? LEVELS : Math.min(LEVELS - 1, Math.floor((note.velocity / 128) * LEVELS));
      shades[isSounding ? LEVELS + 1 : level].push(note);
    }
    return { shades, count: last - this.sequence.indexSounding(this.left) };
  }

  #drawNotes(position) {
    const { shades, count } = this.#visibleNotes(position);
    const { levels, given, ink } = this.#colours;
    const radius = count > MAX_ROUNDED ? 0 : Math.min(3, this.#row / 3);
    [...levels, given, ink].forEach((colour, shade) => {
      if (!shades[shade].length) return;
      this.#pen.fillStyle = colour;
      this.#pen.beginPath();
      for (const note of shades[shade]) this.#outline(note, radius);
      this.#pen.fill();
    });
  }

  #outline({ onset, duration, pitch }, radius) {
    const height = Math.max(1.5, this.#row - 1);
    const width = Math.max(2, duration * this.scale - 1);
    if (radius) this.#pen.roundRect(this.xOf(onset), this.#yOf(pitch), width, height, radius);
    else this.#pen.rect(this.xOf(onset), this.#yOf(pitch), width, height);
  }

  #drawLoop() {
    if (!this.loop) return;
    const { height } = this.#size;
    const [from, to] = [this.xOf(this.loop.start), this.xOf(this.loop.end)];
    this.#pen.fillStyle = this.#colours.loop;
    this.#pen.fillRect(from, RULER, to - from, height - RULER);
    this.#pen.fillStyle = this.#colours.accent;
    this.#pen.fillRect(from, RULER - 4, to - from, 4);
  }

  #drawPlayhead(position) {
    const x = this.xOf(position);
    if (x < this.#size.gutter) return;
    this.#pen.fillStyle = this.#colours.ink;
    this.#pen.fillRect(Math.round(x), 6, 1.5, this.#size.height - 6);
    this.#pen.beginPath();
    this.#pen.arc(Math.round(x) + 0.75, 7, 4, 0, 2 * Math.PI);
    this.#pen.fill();
  }

  #drawKeys(position) {
    const { height, gutter } = this.#size;
    const pen = this.#pen;
    const sounding = this.#sounding(position);
    pen.fillStyle = this.#colours.paper;
    pen.fillRect(0, 0, gutter, height);
    pen.font = `${gutter < 40 ? 8 : 9}px ${this.#colours.font}`;
    for (let pitch = this.#range.low; pitch <= this.#range.high; pitch++) this.#drawKey(pitch, sounding.has(pitch));
    pen.textAlign = "right";
    for (let pitch = this.#range.low; pitch <= this.#range.high; pitch += 12) {
      pen.fillStyle = sounding.has(pitch) ? this.#colours["white-key"] : this.#colours.letter;
      pen.fillText(keyName(pitch), gutter - 6, this.#yOf(pitch) + this.#row / 2 + 0.5);
    }
    pen.textAlign = "left";
  }

  #drawKey(pitch, isSounding) {
    const pen = this.#pen;
    const [y, row, wide] = [this.#yOf(pitch), this.#row, this.#size.gutter - 3];
    const black = isBlack(pitch);
    pen.fillStyle = this.#colours["white-key"];
    pen.fillRect(0, y, wide, row + 0.5);
    pen.fillStyle = isSounding ? this.#colours.accent : this.#colours[black ? "black-key" : "white-key"];
    pen.fillRect(0, y + (black ? 0.5 : 0), black ? wide * 0.6 : wide, row - (black ? 1 : 0));
    pen.fillStyle = this.#colours.edge;
    if (black) pen.fillRect(wide * 0.6, y + row / 2, wide * 0.4, 0.75);
    else if ([0, 5].includes(pitch % 12)) pen.fillRect(0, y + row - 0.5, wide, 0.75);
  }

  #sounding(position) {
    const pitches = new Set();
    const { notes } = this.sequence ?? { notes: [] };
    for (let i = this.sequence?.indexSounding(position) ?? 0; i < notes.length && notes[i].onset <= position; i++) {
      if (notes[i].release > position) pitches.add(notes[i].pitch);
    }
    return pitches;
  }

  #drawLabel({ note, text }) {
    const pen = this.#pen;
    pen.font = `12px ${this.#colours.font}`;
    const width = pen.measureText(text).width + 16;
    const x = Math.min(Math.max(this.#size.gutter, this.xOf(note.onset)), this.#size.width - width - 4);
    const above = this.#yOf(note.pitch) - 28;
    const y = above > RULER ? above : this.#yOf(note.pitch) + this.#row + 6;
    pen.fillStyle = this.#colours.ink;
    pen.beginPath();
    pen.roundRect(x, y, width, 22, 5);
    pen.fill();
    pen.fillStyle = this.#colours.paper;
    pen.fillText(text, x + 8, y + 12);
  }
}

/** 61 -> "1:01", and 0.5 -> "0:0.5" where half a second has a line of its own. */
const rulerTime = (time) => `${Math.floor(time / 60)}:${String(time % 60).padStart(2, "0")}`;

/** A colour between two of the form #rrggbb. */
function mix(from, to, share) {
  const parts = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  const [a, b] = [parts(from), parts(to)];
  return `rgb(${a.map((value, i) => Math.round(value + (b[i] - value) * share)).join(" ")})`;
}

/** Draw a whole piece into a small canvas: a take's card, or the strip to scrub on. */
export function drawOverview(canvas, sequence) {
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(`--roll-${name}`).trim();
  const sharpness = Math.min(devicePixelRatio || 1, 2); // more than two pixels per point only cost time
  const [width, height] = [canvas.clientWidth * sharpness, canvas.clientHeight * sharpness];
  Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  const span = Math.max(24, sequence.highest - sequence.lowest + 1);
  const row = (height - 4) / span;
  const [scale, given, composed] = [width / Math.max(1, sequence.end), colour("given"), colour("accent")];
  sequence.notes.forEach(({ onset, duration, pitch, velocity }, i) => {
    pen.fillStyle = i < sequence.promptCount ? given : composed;
    pen.globalAlpha = 0.3 + (0.7 * velocity) / 127;
    const y = 2 + (sequence.highest - pitch) * row;
    pen.fillRect(onset * scale, y, Math.max(sharpness, duration * scale), Math.max(sharpness, row * 0.8));
  });
}

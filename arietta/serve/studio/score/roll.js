/**
 * The piano roll: keys at the side, a ruler above, the pedal below, notes between, a playhead through all.
 *
 * It draws what is visible and nothing else, found by binary search. Colour shows loudness, or the hands; grey notes
 * were given, not composed. It knows neither the player nor the pointer: `roll_view` and what is in edit/ move it.
 */

import { handsOf } from "./hands.js";
import { firstWhere, nearestIndex } from "./notes.js";
import { drawLabel, drawMarks, drawPaper, drawSelected, mix } from "./paper.js";
import { drawKeys } from "./roll_keys.js";

const RULER = 24; // pixels
const HANDLE = 10; // height of what bar lines are dragged by, at the foot of the ruler
const HANDLE_REACH = 6; // to either side of a line
const PEDAL = 16;
const LEVELS = 12; // shades of loudness
const MIN_SCALE = 2; // pixels per second
const MAX_SCALE = 600;
const PLAYHEAD = 0.28; // where the playhead stands while the paper moves, as a share of the width
const MAX_ROW_ZOOM = 4;
const MAX_ROUNDED = 1500; // above this many visible notes corners are square, which draws faster

export class Roll {
  sequence = null;
  loop = null;
  seam = null; // the moment at which the next piece goes on
  range = null; // a stretch of time that is chosen
  left = 0; // seconds at the left edge
  scale = 90;
  isFollowing = true;
  isPaged = false; // turn pages instead of moving the paper (reduced motion)
  hovered = null;
  selected = new Set(); // notes that are framed
  ghosts = []; // notes as they will be when the pointer lets go
  lasso = null; // {left, top, right, bottom} in pixels
  barLines = null; // seconds at which bars begin, where they are known
  movedLine = null; // {index, time} of a bar line under the hand
  marks = []; // pedal presses and passages that are framed: {start, end}
  colourBy = "loudness"; // or "hands"
  rowZoom = 1; // how much taller rows are than where all pitches are shown
  #centre = 60; // the pitch in the middle where rows are taller
  #hands = { sequence: null, version: -1, left: new Set() };
  #canvas;
  #pen;
  #size = { width: 0, height: 0, gutter: 46 };
  #colours = {};
  #range = { low: 36, high: 96 };
  #shown = { low: 36, high: 96 };

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
    const names = ["paper", "lane", "line", "ink", "soft", "pedal", "given", "white-key", "black-key", "edge", "letter", "accent", "loop", "left", "right"];
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

  /** The index of the bar line whose handle is under a point, or null; where lines are near to each other none has one. */
  barLineAt({ x, y }) {
    if (!this.barLines || y < RULER - HANDLE || y >= RULER) return null;
    const index = nearestIndex(this.barLines, this.timeAt(x));
    const isNear = (i) => Math.abs(this.xOf(this.barLines[i]) - x) <= HANDLE_REACH;
    const isAlone = [index - 1, index + 1].every((i) => !(i in this.barLines) || !isNear(i));
    return isNear(index) && isAlone ? index : null;
  }

  isPedal(y) {
    return y >= this.#size.height - PEDAL;
  }

  /** The pitch of the row at a height. */
  pitchAt(y) {
    const { high } = this.#shown;
    return Math.max(21, Math.min(108, high - Math.floor((y - RULER) / this.#row)));
  }

  /** Make rows taller or flatter around a pitch. */
  zoomRows(factor, centre = this.#centre) {
    this.rowZoom = Math.min(MAX_ROW_ZOOM, Math.max(1, this.rowZoom * factor));
    this.#centre = centre;
  }

  /** Move the paper up or down by so many pixels, where rows are taller than needed. */
  scrollRows(pixels) {
    this.#centre += pixels / this.#row;
  }

  /** What the keyboard at the side is drawn by. */
  get geometry() {
    const { low, high } = this.#shown;
    return { ...this.#size, ruler: RULER, pedal: PEDAL, row: this.#row, pitches: Array.from({ length: high - low + 1 }, (_, i) => low + i) };
  }

  /** Choose the pitches that are shown, of all that have a row. */
  #measureRows() {
    const { low, high } = this.#range;
    const count = Math.max(12, Math.round((high - low + 1) / this.rowZoom));
    const lowest = Math.round(Math.min(Math.max(low, this.#centre - count / 2), high + 1 - count));
    this.#shown = { low: lowest, high: lowest + count - 1 };
  }

  /** The note under a point, or null. */
  noteAt(x, y) {
    if (!this.sequence || x < this.#size.gutter) return null;
    const time = this.timeAt(x);
    if (this.isRuler(y) || this.isPedal(y)) return null;
    const pitch = this.pitchAt(y);
    const { notes } = this.sequence;
    for (let i = this.sequence.indexSounding(time); i < notes.length && notes[i].onset <= time; i++) {
      if (notes[i].pitch === pitch && notes[i].release > time) return notes[i];
    }
    return null;
  }

  get #row() {
    return (this.#size.height - RULER - PEDAL) / (this.#shown.high - this.#shown.low + 1);
  }

  yOf(pitch) {
    return RULER + (this.#shown.high - pitch) * this.#row;
  }

  /** The notes whose beginning or body lies in a rectangle of pixels. */
  notesIn({ left, top, right, bottom }) {
    const [start, end] = [this.timeAt(left), this.timeAt(right)];
    const [high, low] = [this.pitchAt(top), this.pitchAt(bottom)];
    return this.sequence.notes.filter(({ onset, release, pitch }) => onset < end && release > start && pitch >= low && pitch <= high);
  }

  /** Draw the roll as it is when the music stands at `position`. */
  draw(position) {
    this.#follow(position);
    this.#fit();
    this.#measureRows();
    drawPaper(this.#pen, this, this.#colours);
    if (this.sequence) {
      this.#drawPedal();
      this.#drawNotes(position);
    }
    this.#drawLoop();
    drawMarks(this.#pen, this, this.#colours);
    this.#drawPlayhead(position);
    drawKeys(this.#pen, this, this.#colours, this.#sounding(position));
    if (this.hovered) drawLabel(this.#pen, this, this.#colours);
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
    const { notes } = this.sequence;
    const left = this.colourBy === "hands" ? this.#leftHand() : null;
    const shades = Array.from({ length: LEVELS + 4 }, () => []);
    const right = this.left + this.secondsShown;
    const last = firstWhere(notes.length, (i) => notes[i].onset > right);
    for (let i = this.sequence.indexSounding(this.left); i < last; i++) {
      const note = notes[i];
      if (note.release < this.left) continue;
      const isSounding = note.onset <= position && note.release > position;
      const level = note.isGiven ? LEVELS : Math.min(LEVELS - 1, Math.floor((note.velocity / 128) * LEVELS));
      const shade = left ? LEVELS + 2 + Number(left.has(note)) : level;
      shades[isSounding ? LEVELS + 1 : shade].push(note);
    }
    return { shades, count: last - this.sequence.indexSounding(this.left) };
  }

  #drawNotes(position) {
    const { shades, count } = this.#visibleNotes(position);
    const { levels, given, ink, right, left } = this.#colours;
    const radius = count > MAX_ROUNDED ? 0 : Math.min(3, this.#row / 3);
    this.#pen.save();
    this.#pen.beginPath();
    this.#pen.rect(this.#size.gutter, RULER, this.#size.width, this.#size.height - RULER - PEDAL);
    this.#pen.clip(); // rows above and below those shown
    [...levels, given, ink, right, left].forEach((colour, shade) => {
      if (!shades[shade].length) return;
      this.#pen.fillStyle = colour;
      this.#pen.beginPath();
      for (const note of shades[shade]) this.#outline(note, radius);
      this.#pen.fill();
    });
    drawSelected(this.#pen, this, this.#colours, (note, radius) => this.#outline(note, radius));
    this.#pen.restore();
  }

  #leftHand() {
    const { sequence } = this;
    if (this.#hands.sequence !== sequence || this.#hands.version !== sequence.version) {
      this.#hands = { sequence, version: sequence.version, left: handsOf(sequence.notes) };
    }
    return this.#hands.left;
  }

  #outline({ onset, duration, pitch }, radius) {
    const height = Math.max(1.5, this.#row - 1);
    const width = Math.max(2, duration * this.scale - 1);
    if (radius) this.#pen.roundRect(this.xOf(onset), this.yOf(pitch), width, height, radius);
    else this.#pen.rect(this.xOf(onset), this.yOf(pitch), width, height);
  }

  /** The loop as a bar under the ruler, and a chosen stretch of time as a wash over the notes. */
  #drawLoop() {
    const { height } = this.#size;
    const rect = ({ start, end }, y, tall) => this.#pen.fillRect(this.xOf(start), y, (end - start) * this.scale, tall);
    this.#pen.fillStyle = this.#colours.loop;
    if (this.loop || this.range) rect(this.range ?? this.loop, RULER, height - RULER);
    if (this.range) rect(this.range, 0, RULER);
    this.#pen.fillStyle = this.#colours.accent;
    if (this.loop) rect(this.loop, RULER - 4, 4);
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

  #sounding(position) {
    const pitches = new Set();
    const { notes } = this.sequence ?? { notes: [] };
    for (let i = this.sequence?.indexSounding(position) ?? 0; i < notes.length && notes[i].onset <= position; i++) {
      if (notes[i].release > position) pitches.add(notes[i].pitch);
    }
    return pitches;
  }
}

/**
 * What the roll draws around its notes: lanes, ruler, frames of what is selected, and the label beside the pointer.
 */

import { isBlack } from "../page/format.js";

/** Lanes for the black keys, a ruler above, and a line for each of its numbers. */
export function drawPaper(pen, roll, colours) {
  const { width, height, gutter, row, pitches, ruler, pedal } = roll.geometry;
  pen.fillStyle = colours.paper;
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = colours.lane;
  for (const pitch of pitches.filter(isBlack)) pen.fillRect(gutter, roll.yOf(pitch), width, row);
  pen.font = `11px ${colours.font}`;
  pen.textBaseline = "middle";
  for (const { time, text } of roll.barLines ? barMarks(roll, width) : timeMarks(roll, width)) {
    const x = Math.round(roll.xOf(time));
    if (x < gutter) continue;
    pen.fillStyle = colours.line;
    pen.fillRect(x, ruler, 1, height - ruler - pedal);
    pen.fillStyle = colours.soft;
    pen.fillText(text, x + 4, ruler / 2 + 1);
    if (roll.barLines) pen.fillRect(x - 1, ruler - 6, 3, 6); // what the line is dragged by
  }
  pen.fillStyle = colours.line;
  pen.fillRect(gutter, ruler - 1, width, 1);
}

/** Numbered lines of the ruler, in seconds. */
function* timeMarks(roll, width) {
  const step = [0.5, 1, 2, 5, 10, 30, 60, 120, 300].find((seconds) => seconds * roll.scale >= 56) ?? 600;
  for (let time = Math.ceil(roll.left / step) * step; roll.xOf(time) < width; time += step) yield { time, text: rulerTime(time, step) };
}

/** Lines of the ruler where bars begin; where they are near to each other, some have neither line nor number. */
export function* barMarks(roll, width) {
  const lines = roll.barLines;
  const length = (lines.at(-1) - lines[0]) / Math.max(1, lines.length - 1);
  const lined = [1, 2, 4, 8, 16, 32, 64, 128].find((bars) => bars * length * roll.scale >= 8) ?? 256;
  const numbered = [1, 2, 4, 8, 16, 32, 64, 128].find((bars) => bars * length * roll.scale >= 40) ?? 256;
  for (let i = 0; i < lines.length && roll.xOf(lines[i]) < width; i += lined) {
    if (lines[i] >= roll.left) yield { time: lines[i], text: i % numbered ? "" : String(i + 1) };
  }
}

/** Frame the selected notes and those under the hand, as they will be; a bar at the beginning of each that is locked. */
export function drawSelected(pen, roll, colours, outline) {
  const { sequence, left, secondsShown } = roll;
  const { row } = roll.geometry;
  pen.strokeStyle = pen.fillStyle = colours.ink;
  pen.lineWidth = 2;
  pen.beginPath();
  for (const note of roll.selected) outline(note, Math.min(3, row / 3));
  for (const note of roll.ghosts) outline(note, 0);
  pen.stroke();
  for (let i = sequence.indexSounding(left); i < sequence.notes.length && sequence.notes[i].onset < left + secondsShown; i++) {
    const { isLocked, onset, pitch } = sequence.notes[i];
    if (isLocked) pen.fillRect(roll.xOf(onset) + 2, roll.yOf(pitch) + 2, 4, Math.max(3, row - 5));
  }
}

/** Frame pedal presses and the bar line under the hand, and what a lasso holds. */
export function drawMarks(pen, roll, colours) {
  const { height, pedal } = roll.geometry;
  pen.strokeStyle = colours.accent;
  pen.lineWidth = 1.5;
  for (const { start, end } of roll.marks) pen.strokeRect(roll.xOf(start), height - pedal + 2, (end - start) * roll.scale, pedal - 4);
  for (const time of [roll.seam, roll.movedLine?.time ?? null]) {
    if (time === null) continue;
    pen.setLineDash([6, 4]);
    pen.strokeRect(roll.xOf(time), 0, 0, height);
    pen.setLineDash([]);
  }
  if (!roll.lasso) return;
  const { left, top, right, bottom } = roll.lasso;
  pen.fillStyle = colours.loop;
  pen.fillRect(left, top, right - left, bottom - top);
  pen.strokeRect(left, top, right - left, bottom - top);
}

/** What the hovered note is, beside it. */
export function drawLabel(pen, roll, colours) {
  const { note, text } = roll.hovered;
  const { width: paper, gutter, row, ruler } = roll.geometry;
  pen.font = `12px ${colours.font}`;
  const width = pen.measureText(text).width + 16;
  const x = Math.min(Math.max(gutter, roll.xOf(note.onset)), paper - width - 4);
  const above = roll.yOf(note.pitch) - 28;
  const y = above > ruler ? above : roll.yOf(note.pitch) + row + 6;
  pen.fillStyle = colours.ink;
  pen.beginPath();
  pen.roundRect(x, y, width, 22, 5);
  pen.fill();
  pen.fillStyle = colours.paper;
  pen.fillText(text, x + 8, y + 12);
}

/** 61 -> "1:01"; where half seconds have lines of their own, "1:01.0". */
export function rulerTime(time, step) {
  const seconds = (time % 60).toFixed(step < 1 ? 1 : 0);
  return `${Math.floor(time / 60)}:${seconds.padStart(step < 1 ? 4 : 2, "0")}`;
}

/** A colour between two of the form #rrggbb. */
export function mix(from, to, share) {
  const parts = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  const [a, b] = [parts(from), parts(to)];
  return `rgb(${a.map((value, i) => Math.round(value + (b[i] - value) * share)).join(" ")})`;
}

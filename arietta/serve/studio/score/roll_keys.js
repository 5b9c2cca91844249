/**
 * The keyboard at the side of the roll, with the keys that sound pressed.
 */

import { isBlack, keyName } from "../page/format.js";

/** Draw the keys of `roll`; `sounding` is a set of pitches. */
export function drawKeys(pen, roll, colours, sounding) {
  const { gutter, row, height, pitches } = roll.geometry;
  pen.fillStyle = colours.paper;
  pen.fillRect(0, 0, gutter, height);
  pen.font = `${gutter < 40 ? 8 : 9}px ${colours.font}`;
  for (const pitch of pitches) drawKey(pen, { y: roll.yOf(pitch), row, wide: gutter - 3, pitch }, colours, sounding.has(pitch));
  pen.textAlign = "right";
  for (const pitch of pitches.filter((number) => number % 12 === 0)) {
    pen.fillStyle = sounding.has(pitch) ? colours["white-key"] : colours.letter;
    pen.fillText(keyName(pitch), gutter - 6, roll.yOf(pitch) + row / 2 + 0.5);
  }
  pen.textAlign = "left";
}

function drawKey(pen, { y, row, wide, pitch }, colours, isSounding) {
  const black = isBlack(pitch);
  pen.fillStyle = colours["white-key"];
  pen.fillRect(0, y, wide, row + 0.5);
  pen.fillStyle = isSounding ? colours.accent : colours[black ? "black-key" : "white-key"];
  pen.fillRect(0, y + (black ? 0.5 : 0), black ? wide * 0.6 : wide, row - (black ? 1 : 0));
  pen.fillStyle = colours.edge;
  if (black) pen.fillRect(wide * 0.6, y + row / 2, wide * 0.4, 0.75);
  else if ([0, 5].includes(pitch % 12)) pen.fillRect(0, y + row - 0.5, wide, 0.75);
}

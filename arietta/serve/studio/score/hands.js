/**
 * Which hand plays which note: chord by chord, by where the hands were and how far they can reach.
 *
 * A guess for the eye alone: nothing is stored, and no verb goes by it.
 */

const TOGETHER = 0.05; // seconds within which notes are one chord
const REACH = 14; // semitones that a hand spans without effort
const FOLLOW = 0.35; // how far a hand moves to the notes it has just played
const REST = [48, 67]; // where the hands begin

/** The notes of the left hand, as a set; `notes` are sorted by onset. */
export function handsOf(notes) {
  const left = new Set();
  const centres = [...REST];
  for (let begin = 0, end = 0; begin < notes.length; begin = end) {
    while (end < notes.length && notes[end].onset - notes[begin].onset <= TOGETHER) end++;
    const chord = notes.slice(begin, end).sort((a, b) => a.pitch - b.pitch);
    const split = cheapestSplit(chord, centres);
    for (const note of chord.slice(0, split)) left.add(note);
    [chord.slice(0, split), chord.slice(split)].forEach((part, hand) => {
      if (part.length) centres[hand] += FOLLOW * (mean(part) - centres[hand]);
    });
  }
  return left;
}

/** How many of a chord's lowest notes the left hand takes at the least cost. */
function cheapestSplit(chord, [left, right]) {
  let best = { cost: Infinity, split: 0 };
  for (let split = 0; split <= chord.length; split++) {
    const cost = costOf(chord.slice(0, split), left) + costOf(chord.slice(split), right);
    if (cost < best.cost) best = { cost, split };
  }
  return best.split;
}

function costOf(part, centre) {
  if (!part.length) return 0;
  const span = part.at(-1).pitch - part[0].pitch;
  return part.reduce((sum, { pitch }) => sum + Math.abs(pitch - centre), 0) + 4 * Math.max(0, span - REACH);
}

const mean = (part) => part.reduce((sum, { pitch }) => sum + pitch, 0) / part.length;

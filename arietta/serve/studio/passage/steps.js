/**
 * Wishes that change in time, as text and as steps: "40@0:00,90@0:30" is [[0, 40], [30, 90]], and "70" is [[0, 70]].
 */

const TIME = /^(?:(\d+):)?(\d+(?:\.\d*)?)$/;

/** The steps of a text, in order; null where it is none, as while it is being typed. */
export function readSteps(text) {
  const parts = text.split(",").map((part) => part.trim().split("@"));
  const steps = parts.map(([value, time = "0"]) => {
    const [, minutes = 0, seconds] = TIME.exec(time) ?? [];
    return [60 * Number(minutes) + Number(seconds), Number(value)];
  });
  const isSound = steps.every(([time, value], index) => time >= 0 && value > 0 && (index === 0 || time > steps[index - 1][0]));
  return text.trim() && isSound ? steps : null;
}

export function writeSteps(steps) {
  if (steps.length === 1) return String(steps[0][1]);
  return steps.map(([time, value]) => {
    const seconds = Math.round(10 * (time % 60)) / 10;
    return `${value}@${Math.floor(time / 60)}:${seconds < 10 ? "0" : ""}${seconds}`;
  }).join(",");
}

/** What is wished for at a moment; what is wished for first holds from the beginning. */
export function valueAt(steps, time) {
  return (steps.findLast(([begin]) => begin <= time) ?? steps[0])[1];
}

/** Put drawn values, in order of time, in the place of the steps from the first of them to the last. */
export function drawSteps(steps, drawn) {
  const [first, last] = [drawn[0][0], drawn.at(-1)[0]];
  const before = steps.filter(([time]) => time < first);
  const after = steps.filter(([time]) => time > last);
  const merged = [...(before.length ? before : [[0, steps.length ? steps[0][1] : drawn[0][1]]]), ...drawn, ...after];
  return merged.filter(([time, value], index) => index === 0 || (value !== merged[index - 1][1] && time > merged[index - 1][0]));
}

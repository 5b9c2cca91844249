/**
 * A whole piece as a small picture: on the card of a take, and the strip to scrub on.
 */

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
  for (const { onset, duration, pitch, velocity, isGiven } of sequence.notes) {
    pen.fillStyle = isGiven ? given : composed;
    pen.globalAlpha = 0.3 + (0.7 * velocity) / 127;
    const y = 2 + (sequence.highest - pitch) * row;
    pen.fillRect(onset * scale, y, Math.max(sharpness, duration * scale), Math.max(sharpness, row * 0.8));
  }
}

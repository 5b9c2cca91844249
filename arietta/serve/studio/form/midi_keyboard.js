/**
 * A MIDI keyboard, where the browser has Web MIDI and the musician allows it: keys and the sustain pedal.
 *
 * It only reports what is played; all connected keyboards are heard, also ones plugged in later.
 */

const SUSTAIN = 64;
const HALF = 64;

export const canMidi = () => typeof navigator.requestMIDIAccess === "function";

/** Listen to every keyboard; `acts`: press(pitch, velocity), release(pitch), pedal(isDown). Resolves with their names. */
export async function connectMidi(acts, onChange) {
  const access = await navigator.requestMIDIAccess();
  const listen = () => {
    for (const input of access.inputs.values()) input.onmidimessage = ({ data }) => hear(data, acts);
    onChange([...access.inputs.values()].map(({ name }) => name));
  };
  access.onstatechange = listen;
  listen();
}

/** Understand one MIDI message: note on, note off (also as a note on of velocity 0), sustain. */
export function hear([status, first, second], { press, release, pedal }) {
  const kind = status & 0xf0;
  if (kind === 0x90 && second > 0) press(first, second);
  else if (kind === 0x80 || kind === 0x90) release(first);
  else if (kind === 0xb0 && first === SUSTAIN) pedal(second >= HALF);
}

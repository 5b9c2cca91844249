/**
 * A MIDI keyboard, where the browser has Web MIDI and the musician allows it: keys and the sustain pedal.
 *
 * It only reports what is played, on all connected keyboards, also on ones plugged in later.
 */

const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;
const CONTROL_CHANGE = 0xb0;
const SUSTAIN = 64; // controller number
const PEDAL_THRESHOLD = 64; // of 0-127, as MIDI 1.0 has it for switches

export const hasMidi = () => typeof navigator.requestMIDIAccess === "function";

/** Listen to every keyboard. `actions`: press(pitch, velocity), release(pitch), pedal(isDown); `onChange` gets their names. */
export async function connectMidi(actions, onChange) {
  const access = await navigator.requestMIDIAccess();
  const listen = () => {
    for (const input of access.inputs.values()) input.onmidimessage = ({ data }) => readMessage(data, actions);
    onChange([...access.inputs.values()].map(({ name }) => name));
  };
  access.onstatechange = listen;
  listen();
}

/** Pass one MIDI message on to `actions`: note on, note off (also as a note on of velocity 0), sustain. */
export function readMessage([status, first, second], { press, release, pedal }) {
  const kind = status & 0xf0; // the lower half is the channel
  if (kind === NOTE_ON && second > 0) press(first, second);
  else if (kind === NOTE_OFF || kind === NOTE_ON) release(first);
  else if (kind === CONTROL_CHANGE && first === SUSTAIN) pedal(second >= PEDAL_THRESHOLD);
}

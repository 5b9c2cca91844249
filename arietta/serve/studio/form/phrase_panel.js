/**
 * The panel where a phrase is played: keys, pedal and MIDI keyboard in, a prompt out, and playback of what was played.
 */

import { byId } from "../page/dom.js";
import { decimal } from "../page/format.js";
import { translate, translateCount } from "../page/i18n.js";
import { announce, showNotice } from "../page/messages.js";
import { toSequence } from "../score/notes.js";
import { Player } from "../sound/player.js";
import { Keyboard } from "./keyboard.js";
import { connectMidi, hasMidi } from "./midi_keyboard.js";
import { Phrase } from "./phrase.js";

const clock = () => performance.now() / 1000; // goes on while the audio clock still waits for a gesture

export class PhrasePanel {
  #phrase = new Phrase();
  #voices = new Map(); // pitch -> the voice that its key holds
  #sustained = []; // voices that the pedal holds
  #isPedalDown = false;
  #output;
  #player;
  #keyboard;
  #onSound;

  /** `onSound` is called before the phrase sounds, so that a piece that is playing stops. */
  constructor(output, onSound) {
    this.#output = output;
    this.#onSound = onSound;
    this.#player = new Player(output, () => output.now);
    const actions = { press: (...key) => this.#press(...key), release: (pitch) => this.#release(pitch), pedal: (isDown) => this.#movePedal(isDown) };
    this.#keyboard = new Keyboard(byId("keys"), actions);
    byId("phrase-clear").addEventListener("click", () => this.#clear());
    byId("phrase-play").addEventListener("click", () => this.#play());
    byId("octave-down").addEventListener("click", () => this.#keyboard.shift(-1));
    byId("octave-up").addEventListener("click", () => this.#keyboard.shift(1));
    byId("midi").hidden = !hasMidi();
    byId("midi").addEventListener("click", () => this.#connectMidi(actions));
    document.addEventListener("language", () => this.#showStatus());
    this.#showStatus();
  }

  /** Whether letters are keys of the piano now. */
  set isOpen(isOpen) {
    this.#keyboard.isOpen = isOpen;
    if (!isOpen) this.#keyboard.releaseAll();
    else this.#output.resume();
  }

  /** The phrase as a prompt, or null while nothing was played. */
  prompt() {
    return this.#phrase.noteCount ? this.#phrase.prompt(clock()) : null;
  }

  stop() {
    this.#player.pause();
  }

  #press(pitch, velocity) {
    if (this.#player.isPlaying) this.#player.pause();
    if (!this.#phrase.noteCount) this.#onSound();
    this.#phrase.press(pitch, velocity, clock());
    this.#output.resume();
    this.#output.release(this.#voices.get(pitch), this.#output.now);
    this.#voices.set(pitch, this.#output.strike(pitch, velocity, this.#output.now));
    this.#keyboard.light(pitch, true);
    this.#showStatus();
  }

  #release(pitch) {
    this.#phrase.release(pitch, clock());
    const voice = this.#voices.get(pitch);
    this.#voices.delete(pitch);
    if (this.#isPedalDown) this.#sustained.push(voice);
    else this.#output.release(voice, this.#output.now);
    this.#keyboard.light(pitch, false);
    this.#showStatus();
  }

  #movePedal(isDown) {
    this.#isPedalDown = isDown;
    this.#phrase.movePedal(isDown, clock());
    if (isDown) return;
    for (const voice of this.#sustained.splice(0)) this.#output.release(voice, this.#output.now);
  }

  #clear() {
    this.#player.pause();
    this.#phrase.clear();
    this.#showStatus();
    announce(translate("phraseCleared"));
  }

  async #play() {
    const prompt = this.prompt();
    if (!prompt) return;
    this.#onSound();
    await this.#output.resume();
    this.#player.pause();
    this.#player.load(toSequence(prompt));
    this.#player.play();
  }

  async #connectMidi(actions) {
    const showNames = (names) => showNotice(names.length ? translate("midiListening", { names: names.join(", ") }) : translate("midiNone"));
    try {
      await connectMidi(actions, showNames);
    } catch {
      showNotice(translate("midiRefused"));
    }
  }

  #showStatus() {
    const { noteCount, seconds } = this.#phrase;
    const notes = translateCount("notes", noteCount);
    byId("phrase-status").textContent = noteCount ? translate("phrasePlayed", { notes, seconds: decimal(seconds) }) : translate("phraseHint");
    byId("phrase-play").disabled = byId("phrase-clear").disabled = noteCount === 0;
  }
}

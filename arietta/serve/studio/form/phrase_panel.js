/**
 * The panel where a phrase is played: keys, pedal and MIDI keyboard in, a prompt out, and what was played to be heard.
 */

import { decimal } from "../page/format.js";
import { Keyboard } from "./keyboard.js";
import { announce, showNotice } from "../page/messages.js";
import { canMidi, connectMidi } from "./midi_keyboard.js";
import { Phrase } from "./phrase.js";
import { Player } from "../sound/player.js";
import { scoreOf } from "../score/notes.js";
import { say, sayCount } from "../page/i18n.js";

const part = (id) => document.querySelector(`#${id}`);
const clock = () => performance.now() / 1000;

export class PhrasePanel {
  #phrase = new Phrase();
  #voices = new Map();
  #isPedalDown = false;
  #kept = []; // voices that the pedal keeps
  #sound;
  #player;
  #keyboard;

  /** `quiet` is called before the phrase sounds, so that a piece that is playing stops. */
  constructor(sound, instrument, quiet) {
    this.#sound = sound;
    this.#player = new Player(instrument, () => sound.now);
    const acts = { press: (...key) => this.#press(...key), release: (pitch) => this.#release(pitch), pedal: (isDown) => this.#pedal(isDown) };
    this.#keyboard = new Keyboard(part("keys"), acts);
    this.quiet = quiet;
    part("phrase-clear").addEventListener("click", () => this.#clear());
    part("phrase-hear").addEventListener("click", () => this.#hear());
    part("octave-down").addEventListener("click", () => this.#keyboard.shift(-1));
    part("octave-up").addEventListener("click", () => this.#keyboard.shift(1));
    part("midi").hidden = !canMidi();
    part("midi").addEventListener("click", () => this.#connect(acts));
    document.addEventListener("language", () => this.#tell());
    this.#tell();
  }

  /** Whether letters are keys of the piano now. */
  set isOpen(isOpen) {
    this.#keyboard.isOpen = isOpen;
    if (!isOpen) this.#keyboard.letAll();
    else this.#sound.wake();
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
    if (!this.#phrase.noteCount) this.quiet();
    this.#phrase.press(pitch, velocity, clock());
    this.#sound.wake();
    this.#sound.piano?.release(this.#voices.get(pitch), this.#sound.now);
    this.#voices.set(pitch, this.#sound.piano?.strike(pitch, velocity, this.#sound.now));
    this.#keyboard.light(pitch, true);
    this.#tell();
  }

  #release(pitch) {
    this.#phrase.release(pitch, clock());
    const voice = this.#voices.get(pitch);
    this.#voices.delete(pitch);
    if (this.#isPedalDown) this.#kept.push(voice);
    else this.#sound.piano?.release(voice, this.#sound.now);
    this.#keyboard.light(pitch, false);
    this.#tell();
  }

  #pedal(isDown) {
    this.#isPedalDown = isDown;
    this.#phrase.movePedal(isDown, clock());
    if (isDown) return;
    for (const voice of this.#kept.splice(0)) this.#sound.piano?.release(voice, this.#sound.now);
  }

  #clear() {
    this.#player.pause();
    this.#phrase.clear();
    this.#tell();
    announce(say("phraseCleared"));
  }

  async #hear() {
    const prompt = this.prompt();
    if (!prompt) return;
    this.quiet();
    await this.#sound.wake();
    this.#player.pause();
    this.#player.load(scoreOf(prompt));
    this.#player.play();
  }

  async #connect(acts) {
    try {
      await connectMidi(acts, (names) => showNotice(names.length ? say("midiHeard", { names: names.join(", ") }) : say("midiNone")));
    } catch {
      showNotice(say("midiRefused"));
    }
  }

  #tell() {
    const { noteCount, seconds } = this.#phrase;
    part("phrase-told").textContent = noteCount ? say("phraseTold", { notes: sayCount("notes", noteCount), seconds: decimal(seconds) }) : say("phraseHow");
    part("phrase-hear").disabled = part("phrase-clear").disabled = noteCount === 0;
  }
}

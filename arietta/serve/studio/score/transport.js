/**
 * Play, scrub, loop, tempo, volume, room: the row below the roll, and the strip that shows the whole piece.
 *
 * It moves the player and the sound, and follows them; the roll is told through `onLoop`.
 */

import { clockTime } from "../page/format.js";
import { recall, remember } from "../page/preferences.js";
import { drawWhole } from "./roll.js";
import { relabel, say } from "../page/i18n.js";

const REDRAW_MS = 350;
const LOOP_SECONDS = 8; // of a loop that has only one end so far
const part = (id) => document.querySelector(`#${id}`);

export class Transport {
  #player;
  #sound;
  #onLoop;
  #drawn = { score: null, version: -1, at: 0 };
  #isScrubbing = false;
  #second = -1;
  #loop = null; // remembered while the loop is off

  constructor(player, sound, onLoop) {
    this.#player = player;
    this.#sound = sound;
    this.#onLoop = onLoop;
    this.#wireButtons();
    this.#wireDials();
    player.addEventListener("change", () => this.#showPlaying());
  }

  async toggle() {
    if (this.#player.isPlaying) return this.#player.pause();
    await this.#sound.wake();
    return this.#player.play();
  }

  seekBy(seconds) {
    this.#player.seek(Math.min(this.#end, this.#player.position + seconds));
  }

  /** Loop between two moments, or not at all. */
  setLoop(loop) {
    this.#loop = loop ?? this.#loop;
    this.#player.loop = loop;
    part("loop").setAttribute("aria-pressed", String(Boolean(loop)));
    this.#onLoop(loop);
  }

  toggleLoop() {
    if (this.#player.loop) return this.setLoop(null);
    return this.#end > 0 && this.setLoop(this.#loop ?? { start: 0, end: this.#end });
  }

  forgetLoop() {
    this.setLoop(null);
    this.#loop = null;
  }

  /** Put the loop's start or end where the music is. */
  loopHere(side) {
    const here = this.#player.position;
    const { start = 0, end = this.#end } = this.#player.loop ?? {};
    if (side === "start") this.setLoop({ start: here, end: end > here + 0.1 && this.#player.loop ? end : here + LOOP_SECONDS });
    else if (here > 0.1) this.setLoop({ start: start < here - 0.1 ? start : Math.max(0, here - LOOP_SECONDS), end: here });
  }

  changeVolume(change) {
    const volume = part("volume");
    volume.value = Number(volume.value) + change;
    volume.dispatchEvent(new Event("input"));
  }

  toggleMute() {
    const volume = part("volume");
    const before = Number(volume.value);
    volume.value = before ? 0 : (volume.dataset.before ?? 80);
    volume.dataset.before = before || volume.dataset.before;
    volume.dispatchEvent(new Event("input"));
  }

  /** Show where the music is; called every frame. */
  show(position, now) {
    const { score } = this.#player;
    if (!score) return;
    this.#showOverview(score, now);
    const slider = part("position");
    if (!this.#isScrubbing) slider.value = position;
    if (Math.floor(position) === this.#second) return;
    this.#second = Math.floor(position);
    part("time").textContent = clockTime(position);
    slider.setAttribute("aria-valuetext", say("positionText", { time: clockTime(position), whole: clockTime(this.#end) }));
  }

  recolour() {
    this.#drawn.version = -1;
  }

  get #end() {
    return this.#player.score?.end ?? 0;
  }

  #showOverview(score, now) {
    const { score: before, version, at } = this.#drawn;
    if (before === score && (version === score.version || (now - at < REDRAW_MS && !score.isComplete))) return;
    this.#drawn = { score, version: score.version, at: now };
    const slider = part("position");
    slider.max = Math.max(1, score.end);
    slider.disabled = score.notes.length === 0;
    part("whole").textContent = clockTime(score.end);
    this.#second = -1;
    drawWhole(part("overview"), score);
  }

  #wireButtons() {
    const acts = {
      play: () => this.toggle(),
      "to-start": () => this.#player.seek(0),
      loop: () => this.toggleLoop(),
      "loop-from": () => this.loopHere("start"),
      "loop-to": () => this.loopHere("end"),
    };
    for (const [id, act] of Object.entries(acts)) part(id).addEventListener("click", act);
    const slider = part("position");
    slider.addEventListener("pointerdown", () => { this.#isScrubbing = true; });
    slider.addEventListener("input", () => this.#player.seek(Number(slider.value)));
    for (const kind of ["change", "pointerup"]) slider.addEventListener(kind, () => { this.#isScrubbing = false; });
  }

  #wireDials() {
    const tempo = part("tempo");
    const [volume, room] = [part("volume"), part("room")];
    volume.value = recall("volume", 80);
    room.checked = recall("room", true);
    const applied = {
      tempo: () => {
        this.#player.rate = Number(tempo.value) / 100;
        part("tempo-word").textContent = `${tempo.value} %`;
        tempo.setAttribute("aria-valuetext", `${tempo.value} %`);
      },
      volume: () => { this.#sound.volume = Number(volume.value) / 100; remember("volume", Number(volume.value)); },
      room: () => { this.#sound.hasRoom = room.checked; remember("room", room.checked); },
    };
    for (const [id, apply] of Object.entries(applied)) {
      part(id).addEventListener("input", apply);
      apply();
    }
  }

  #showPlaying() {
    const { isPlaying } = this.#player;
    relabel(part("play"), isPlaying ? "pause" : "play");
    part("play-icon").setAttribute("href", `/static/icons.svg#${isPlaying ? "pause" : "play"}`);
  }
}

/**
 * Play, scrub, loop, tempo, volume, reverb: the row below the roll, and the strip that shows the whole piece.
 *
 * It sets the player and the audio output, and follows the player; `onLoop` hears of the loop.
 */

import { byId } from "../page/dom.js";
import { clockTime } from "../page/format.js";
import { relabel, translate } from "../page/i18n.js";
import { loadPreference, savePreference } from "../page/preferences.js";
import { drawOverview } from "./overview.js";

const REDRAW_MS = 350; // while notes arrive; the strip is too small to show each
const LOOP_SECONDS = 8; // of a loop of which only one edge is set
const SHORTEST_LOOP = 0.1; // seconds

export class Transport {
  #player;
  #output;
  #onLoop;
  #drawn = { sequence: null, version: -1, at: 0 };
  #isScrubbing = false;
  #second = -1; // the last shown: the text changes once a second, not at every frame
  #loop = null; // the last one, to come back to while the loop is off

  constructor(player, output, onLoop) {
    this.#player = player;
    this.#output = output;
    this.#onLoop = onLoop;
    this.#startButtons();
    this.#startDials();
    player.addEventListener("change", () => this.#showPlaying());
  }

  async toggle() {
    if (this.#player.isPlaying) return this.#player.pause();
    await this.#output.resume();
    return this.#player.play();
  }

  seekBy(seconds) {
    this.#player.seek(Math.min(this.#end, this.#player.position + seconds));
  }

  /** Loop between two moments, or not at all. */
  setLoop(loop) {
    this.#loop = loop ?? this.#loop;
    this.#player.loop = loop;
    byId("loop").setAttribute("aria-pressed", String(Boolean(loop)));
    this.#onLoop(loop);
  }

  /** Remember a loop for when it is switched on; one that is on moves there. */
  proposeLoop(loop) {
    if (this.#player.loop) this.setLoop(loop);
    this.#loop = loop;
  }

  toggleLoop() {
    if (this.#player.loop) return this.setLoop(null);
    return this.#end > 0 && this.setLoop(this.#loop ?? { start: 0, end: this.#end });
  }

  forgetLoop() {
    this.setLoop(null);
    this.#loop = null;
  }

  /** Put an edge of the loop, "start" or "end", where the music is. */
  setLoopEdge(edge) {
    const { position } = this.#player;
    const { start = 0, end = this.#end } = this.#player.loop ?? {};
    if (edge === "start") {
      const isEndAhead = this.#player.loop && end > position + SHORTEST_LOOP;
      this.setLoop({ start: position, end: isEndAhead ? end : position + LOOP_SECONDS });
    } else if (position > SHORTEST_LOOP) {
      const isStartBehind = start < position - SHORTEST_LOOP;
      this.setLoop({ start: isStartBehind ? start : Math.max(0, position - LOOP_SECONDS), end: position });
    }
  }

  changeVolume(change) {
    const volume = byId("volume");
    volume.value = Number(volume.value) + change;
    volume.dispatchEvent(new Event("input"));
  }

  toggleMute() {
    const volume = byId("volume");
    const before = Number(volume.value);
    volume.value = before ? 0 : (volume.dataset.before ?? 80);
    volume.dataset.before = before || volume.dataset.before;
    volume.dispatchEvent(new Event("input"));
  }

  /** Show where the music is; called every frame. */
  show(position, now) {
    const { sequence } = this.#player;
    if (!sequence) return;
    this.#showOverview(sequence, now);
    const slider = byId("position");
    if (!this.#isScrubbing) slider.value = position;
    if (Math.floor(position) === this.#second) return;
    this.#second = Math.floor(position);
    byId("time").textContent = clockTime(position);
    slider.setAttribute("aria-valuetext", translate("positionText", { time: clockTime(position), total: clockTime(this.#end) }));
  }

  recolour() {
    this.#drawn.version = -1;
  }

  get #end() {
    return this.#player.sequence?.end ?? 0;
  }

  #showOverview(sequence, now) {
    const isSame = this.#drawn.sequence === sequence;
    const isTooSoon = now - this.#drawn.at < REDRAW_MS && !sequence.isComplete;
    if (isSame && (this.#drawn.version === sequence.version || isTooSoon)) return;
    this.#drawn = { sequence, version: sequence.version, at: now };
    const slider = byId("position");
    slider.max = Math.max(1, sequence.end);
    slider.disabled = sequence.notes.length === 0;
    byId("total-time").textContent = clockTime(sequence.end);
    this.#second = -1;
    drawOverview(byId("overview"), sequence);
  }

  #startButtons() {
    const clicks = {
      play: () => this.toggle(),
      "to-start": () => this.#player.seek(0),
      loop: () => this.toggleLoop(),
      "loop-from": () => this.setLoopEdge("start"),
      "loop-to": () => this.setLoopEdge("end"),
    };
    for (const [id, run] of Object.entries(clicks)) byId(id).addEventListener("click", run);
    byId("transport-more").addEventListener("click", ({ currentTarget }) => {
      const isOpen = byId("dials").classList.toggle("open");
      currentTarget.setAttribute("aria-expanded", String(isOpen));
    });
    const slider = byId("position");
    slider.addEventListener("pointerdown", () => { this.#isScrubbing = true; });
    slider.addEventListener("input", () => this.#player.seek(Number(slider.value)));
    for (const kind of ["change", "pointerup"]) slider.addEventListener(kind, () => { this.#isScrubbing = false; });
  }

  #startDials() {
    const tempo = byId("tempo");
    const [volume, reverb] = [byId("volume"), byId("reverb")];
    volume.value = loadPreference("volume", 80);
    reverb.checked = loadPreference("room", true);
    const apply = {
      tempo: () => {
        this.#player.rate = Number(tempo.value) / 100;
        byId("tempo-text").textContent = `${tempo.value} %`;
        tempo.setAttribute("aria-valuetext", `${tempo.value} %`);
      },
      volume: () => { this.#output.volume = Number(volume.value) / 100; savePreference("volume", Number(volume.value)); },
      reverb: () => { this.#output.hasReverb = reverb.checked; savePreference("room", reverb.checked); },
    };
    for (const [id, applyDial] of Object.entries(apply)) {
      byId(id).addEventListener("input", applyDial);
      applyDial();
    }
  }

  #showPlaying() {
    const { isPlaying } = this.#player;
    relabel(byId("play"), isPlaying ? "pause" : "play");
    byId("play-icon").setAttribute("href", `/static/icons.svg#${isPlaying ? "pause" : "play"}`);
  }
}

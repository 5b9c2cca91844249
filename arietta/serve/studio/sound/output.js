/**
 * What stands between the piano and the loudspeakers: a little room, the volume, and a limiter.
 *
 * The samples are fetched and decoded at once, the audio context is made when a pointer or key first goes down: so
 * the first note waits for neither. Browsers let it sound from a click on (`wake`).
 */

import { Piano, loadSamples } from "./piano.js";

const ROOM_SECONDS = 1.9;
const ROOM_LEVEL = 0.16;
const DECODER_RATE = 32000; // that of the samples: decoding leaves them as they are

export class Sound {
  context = null;
  piano = null;
  #samples;
  #volume = 0.8;
  #hasRoom = true;
  #master = null;
  #wet = null;

  /** Begin to fetch the samples; `tell` hears how many of how many are there. */
  load(tell) {
    this.#samples = loadSamples(new OfflineAudioContext(1, 1, DECODER_RATE), tell);
    return this.#samples;
  }

  /** Make everything ready that may be so before a click. */
  async prepare() {
    if (!this.context) this.#open();
    this.#samples ??= this.load();
    const samples = await this.#samples;
    if (!this.piano.isReady) this.piano.equip(samples);
  }

  /** Open the audio, from within a click or a key; resolves when the piano can be played, or never will be. */
  async wake() {
    const preparing = this.prepare().catch(() => {}); // whoever loads the samples tells what is wrong with them
    const waking = this.context.resume();
    await preparing;
    await waking;
  }

  get now() {
    return this.context?.currentTime ?? 0;
  }

  /** Seconds from the audio clock to the listener's ear. */
  get latency() {
    return this.context?.outputLatency || 0;
  }

  /** 0 is silence, 1 is full. */
  set volume(volume) {
    this.#volume = volume;
    this.#master?.gain.setTargetAtTime(volume ** 2, this.now, 0.02);
  }

  set hasRoom(hasRoom) {
    this.#hasRoom = hasRoom;
    this.#wet?.gain.setTargetAtTime(hasRoom ? ROOM_LEVEL : 0, this.now, 0.05);
  }

  #open() {
    const context = new AudioContext({ latencyHint: "interactive" });
    const limiter = new DynamicsCompressorNode(context, { threshold: -8, knee: 6, ratio: 16, attack: 0.002, release: 0.2 });
    this.#master = new GainNode(context, { gain: this.#volume ** 2 });
    this.#wet = new GainNode(context, { gain: this.#hasRoom ? ROOM_LEVEL : 0 });
    const strings = new GainNode(context);
    strings.connect(this.#master);
    strings.connect(new ConvolverNode(context, { buffer: room(context) })).connect(this.#wet).connect(this.#master);
    this.#master.connect(limiter).connect(context.destination);
    this.context = context;
    this.piano = new Piano(context, strings);
  }
}

/** The echo of a small hall: noise that dies away, darker as it does. */
function room(context) {
  const length = Math.round(ROOM_SECONDS * context.sampleRate);
  const buffer = new AudioBuffer({ length, numberOfChannels: 2, sampleRate: context.sampleRate });
  for (let side = 0; side < 2; side++) {
    const samples = buffer.getChannelData(side);
    let dark = 0;
    for (let i = 0; i < length; i++) {
      const left = 1 - i / length;
      dark += (Math.random() * 2 - 1 - dark) * (0.15 + 0.6 * left);
      samples[i] = dark * left ** 4;
    }
  }
  return buffer;
}

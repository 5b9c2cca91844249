/**
 * What stands between the piano and the loudspeakers: reverb, the volume, and a limiter.
 *
 * The samples are fetched and decoded at once, the audio context is made when a pointer or key first goes down: so
 * the first note waits for neither. Browsers let it sound from a click on (`resume`). To a player it is the
 * instrument: strike, release and silence, which do nothing until the piano is there.
 */

import { Piano, loadSamples } from "./piano.js";

const REVERB_SECONDS = 1.9;
const REVERB_LEVEL = 0.16;
const DECODER_RATE = 32000; // that of the samples: decoding leaves them as they are

export class AudioOutput {
  context = null;
  piano = null;
  #samples;
  #volume = 0.8;
  #hasReverb = true;
  #master = null;
  #reverb = null;

  /** Begin to fetch the samples; `onProgress` is called with how many of how many there are. */
  load(onProgress) {
    this.#samples = loadSamples(new OfflineAudioContext(1, 1, DECODER_RATE), onProgress);
    return this.#samples;
  }

  /** Make everything ready that a browser allows before a click. */
  async prepare() {
    if (!this.context) this.#open();
    this.#samples ??= this.load();
    const samples = await this.#samples;
    if (!this.piano.isReady) this.piano.useSamples(samples);
  }

  /** Open the audio, from within a click or a key; resolves when the piano can be played, or never will be. */
  async resume() {
    const prepared = this.prepare().catch(() => {}); // load() has said what is wrong with the samples
    const resumed = this.context.resume(); // before the first await: later it would be outside of the click
    await prepared;
    await resumed;
  }

  strike(pitch, velocity, when) {
    return this.piano?.strike(pitch, velocity, when) ?? null;
  }

  release(voice, when) {
    this.piano?.release(voice, when);
  }

  silence() {
    this.piano?.silence();
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
    this.#master?.gain.setTargetAtTime(volume ** 2, this.now, 0.02); // squared: closer to how loudness is heard
  }

  set hasReverb(hasReverb) {
    this.#hasReverb = hasReverb;
    this.#reverb?.gain.setTargetAtTime(hasReverb ? REVERB_LEVEL : 0, this.now, 0.05);
  }

  #open() {
    const context = new AudioContext({ latencyHint: "interactive" });
    const limiter = new DynamicsCompressorNode(context, { threshold: -8, knee: 6, ratio: 16, attack: 0.002, release: 0.2 });
    this.#master = new GainNode(context, { gain: this.#volume ** 2 });
    this.#reverb = new GainNode(context, { gain: this.#hasReverb ? REVERB_LEVEL : 0 });
    const dry = new GainNode(context);
    dry.connect(this.#master);
    dry.connect(new ConvolverNode(context, { buffer: impulseResponse(context) })).connect(this.#reverb).connect(this.#master);
    this.#master.connect(limiter).connect(context.destination);
    this.context = context;
    this.piano = new Piano(context, dry);
  }
}

/** The echo of a small hall: noise that dies away, darker as it does. */
function impulseResponse(context) {
  const length = Math.round(REVERB_SECONDS * context.sampleRate);
  const buffer = new AudioBuffer({ length, numberOfChannels: 2, sampleRate: context.sampleRate });
  for (let side = 0; side < 2; side++) {
    const samples = buffer.getChannelData(side);
    let dark = 0;
    for (let frame = 0; frame < length; frame++) {
      const remaining = 1 - frame / length;
      // a low-pass filter whose cutoff falls as the echo dies away
      dark += (Math.random() * 2 - 1 - dark) * (0.15 + 0.6 * remaining);
      samples[frame] = dark * remaining ** 4;
    }
  }
  return buffer;
}

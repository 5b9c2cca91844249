/**
 * The sampled piano: which recording serves which key, how loud, how bright, and how it dies away.
 *
 * It follows sounds/piano/piano.json: zones by key, loops in frames, `hold` and `decay` in seconds (the decay falls
 * by 100 dB), release by velocity. Works on any BaseAudioContext, so also on an OfflineAudioContext. It knows
 * nothing of scores and pedals.
 */

const FOLDER = "/static/sounds/piano/";
const MOST_VOICES = 72;
const LEVEL = 0.5; // of one note at full velocity, so that chords leave the limiter in peace
const PER_100_DB = Math.log(1e5); // time constants in a fall of 100 dB
const HUSH_SECONDS = 0.03;

/** Fetch and decode all samples; `tell` hears how many of how many are there. */
export async function loadSamples(context, tell = () => {}) {
  const chart = await (await fetched("piano.json")).json();
  const zones = [...chart.zones].sort((a, b) => Math.abs(a.root - 64) - Math.abs(b.root - 64)); // the middle first
  let done = 0;
  const load = async (zone) => {
    const buffer = await context.decodeAudioData(await (await fetched(zone.file)).arrayBuffer());
    tell(++done, zones.length);
    return { ...zone, buffer };
  };
  return { chart, zones: await Promise.all(zones.map(load)) };
}

async function fetched(name) {
  const answer = await fetch(FOLDER + name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer;
}

export class Piano {
  #context;
  #output;
  #chart = null;
  #zones = []; // by key
  #voices = new Set();

  constructor(context, output = context.destination) {
    this.#context = context;
    this.#output = output;
  }

  /** Take in what loadSamples gave. */
  equip({ chart, zones }) {
    this.#chart = chart;
    for (const zone of zones) {
      for (let key = zone.keys[0]; key <= zone.keys[1]; key++) this.#zones[key] = zone;
    }
  }

  get isReady() {
    return this.#chart !== null;
  }

  /** Sound a key at an audio time; returns the voice, or null while there are no samples. */
  strike(pitch, velocity, when) {
    const zone = this.#zones[pitch];
    if (!zone) return null;
    this.#makeRoom(when);
    const source = this.#source(zone, pitch);
    const filter = new BiquadFilterNode(this.#context, { type: "lowpass", Q: 0.5, frequency: this.#brightness(velocity) });
    const gain = new GainNode(this.#context, { gain: 0 });
    const peak = LEVEL * (velocity / 127) ** this.#chart.velocity_exponent;
    gain.gain.setValueAtTime(peak, when);
    gain.gain.setTargetAtTime(0, when + zone.hold, zone.decay / PER_100_DB);
    source.connect(filter).connect(gain).connect(this.#output);
    const voice = { source, gain, velocity, when };
    this.#voices.add(voice);
    source.onended = () => this.#drop(voice);
    source.start(when);
    return voice;
  }

  /** Let the damper fall on a voice at an audio time. */
  release(voice, when) {
    if (!voice) return;
    this.#fade(voice, Math.max(when, voice.when), this.#releaseSeconds(voice.velocity) / PER_100_DB);
  }

  /** Silence everything at once, also what has been planned. */
  hush() {
    const now = this.#context.currentTime;
    for (const voice of this.#voices) {
      voice.gain.gain.cancelScheduledValues(now);
      if (voice.when > now) voice.source.stop(now);
      else this.#fade(voice, now, HUSH_SECONDS);
    }
  }

  get voiceCount() {
    return this.#voices.size;
  }

  #fade(voice, when, tau) {
    voice.gain.gain.setTargetAtTime(0, when, tau);
    voice.source.stop(when + 9 * tau);
  }

  #drop(voice) {
    voice.gain.disconnect();
    this.#voices.delete(voice);
  }

  #makeRoom(when) {
    if (this.#voices.size < MOST_VOICES) return;
    const [oldest] = this.#voices;
    this.#voices.delete(oldest);
    this.#fade(oldest, when, HUSH_SECONDS);
  }

  #source(zone, pitch) {
    const rate = this.#chart.sample_rate;
    return new AudioBufferSourceNode(this.#context, {
      buffer: zone.buffer,
      playbackRate: 2 ** ((pitch - zone.root) / 12 + zone.cents / 1200),
      loop: true,
      loopStart: zone.loop[0] / rate,
      loopEnd: zone.loop[1] / rate,
    });
  }

  #brightness(velocity) {
    const { hertz, octaves } = this.#chart.brightness;
    return Math.min(hertz * 2 ** (octaves * (velocity / 127 - 1)), this.#context.sampleRate / 2);
  }

  #releaseSeconds(velocity) {
    return this.#chart.releases.find(({ velocities }) => velocity <= velocities[1])?.seconds ?? 0.5;
  }
}

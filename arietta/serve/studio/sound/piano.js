/**
 * The sampled piano: which recording serves which key, how loud, how bright, and how it dies away.
 *
 * It follows sounds/piano/piano.json: zones by key, loops in frames, `hold` and `decay` in seconds (the decay falls
 * by 100 dB), release by velocity. Works on any BaseAudioContext, so also on an OfflineAudioContext. It knows
 * nothing of pieces and pedals.
 */

const FOLDER = "/static/sounds/piano/";
const MAX_VOICES = 72; // beyond them the oldest is faded out
const LEVEL = 0.5; // of one note at full velocity, so that chords do not reach the limiter
const PER_100_DB = Math.log(1e5); // exponential time constants in a fall of 100 dB
const SILENCE_SECONDS = 0.03;

/** Fetch and decode all samples; `onProgress` is called with how many of how many there are. */
export async function loadSamples(context, onProgress = () => {}) {
  const recipe = await (await fetchFile("piano.json")).json();
  const zones = [...recipe.zones].sort((a, b) => Math.abs(a.root - 64) - Math.abs(b.root - 64)); // the middle of the keyboard first
  let done = 0;
  const load = async (zone) => {
    const buffer = await context.decodeAudioData(await (await fetchFile(zone.file)).arrayBuffer());
    onProgress(++done, zones.length);
    return { ...zone, buffer };
  };
  return { recipe, zones: await Promise.all(zones.map(load)) };
}

async function fetchFile(name) {
  const response = await fetch(FOLDER + name);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response;
}

export class Piano {
  #context;
  #output;
  #recipe = null;
  #zones = []; // by key
  #voices = new Set();

  constructor(context, output = context.destination) {
    this.#context = context;
    this.#output = output;
  }

  /** Play with what loadSamples gave. */
  useSamples({ recipe, zones }) {
    this.#recipe = recipe;
    for (const zone of zones) {
      for (let key = zone.keys[0]; key <= zone.keys[1]; key++) this.#zones[key] = zone;
    }
  }

  get isReady() {
    return this.#recipe !== null;
  }

  /** Sound a key at an audio time; returns the voice, or null while there are no samples. */
  strike(pitch, velocity, when) {
    const zone = this.#zones[pitch];
    if (!zone) return null;
    this.#limitVoices(when);
    const source = this.#createSource(zone, pitch);
    const filter = new BiquadFilterNode(this.#context, { type: "lowpass", Q: 0.5, frequency: this.#cutoff(velocity) });
    const gain = new GainNode(this.#context, { gain: 0 });
    const peak = LEVEL * (velocity / 127) ** this.#recipe.velocity_exponent;
    gain.gain.setValueAtTime(peak, when); // without a ramp: the attack is in the recording
    gain.gain.setTargetAtTime(0, when + zone.hold, zone.decay / PER_100_DB);
    source.connect(filter).connect(gain).connect(this.#output);
    const voice = { source, gain, velocity, when };
    this.#voices.add(voice);
    source.onended = () => this.#remove(voice);
    source.start(when);
    return voice;
  }

  /** Let the damper fall on a voice at an audio time. */
  release(voice, when) {
    if (!voice) return;
    this.#fade(voice, Math.max(when, voice.when), this.#releaseSeconds(voice.velocity) / PER_100_DB);
  }

  /** Silence everything at once, also what has been scheduled. */
  silence() {
    const now = this.#context.currentTime;
    for (const voice of this.#voices) {
      voice.gain.gain.cancelScheduledValues(now);
      if (voice.when > now) voice.source.stop(now);
      else this.#fade(voice, now, SILENCE_SECONDS);
    }
  }

  get voiceCount() {
    return this.#voices.size;
  }

  #fade(voice, when, tau) {
    voice.gain.gain.setTargetAtTime(0, when, tau);
    voice.source.stop(when + 9 * tau); // 78 dB lower: nobody hears it stop
  }

  #remove(voice) {
    voice.gain.disconnect();
    this.#voices.delete(voice);
  }

  #limitVoices(when) {
    if (this.#voices.size < MAX_VOICES) return;
    const [oldest] = this.#voices; // a Set remembers the order of insertion
    this.#voices.delete(oldest);
    this.#fade(oldest, when, SILENCE_SECONDS);
  }

  #createSource(zone, pitch) {
    const rate = this.#recipe.sample_rate;
    return new AudioBufferSourceNode(this.#context, {
      buffer: zone.buffer,
      playbackRate: 2 ** ((pitch - zone.root) / 12 + zone.cents / 1200),
      loop: true,
      loopStart: zone.loop[0] / rate,
      loopEnd: zone.loop[1] / rate,
    });
  }

  #cutoff(velocity) {
    const { hertz, octaves } = this.#recipe.brightness;
    return Math.min(hertz * 2 ** (octaves * (velocity / 127 - 1)), this.#context.sampleRate / 2);
  }

  #releaseSeconds(velocity) {
    return this.#recipe.releases.find(({ velocities }) => velocity <= velocities[1])?.seconds ?? 0.5;
  }
}

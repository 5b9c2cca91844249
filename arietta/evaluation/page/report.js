/**
 * Plays the rolls of a report's page: a small synthesized piano, scheduled ahead of the audio clock.
 *
 * Each .player holds its notes as JSON (onset ms, sounding ms, pitch, velocity, a list each) and its roll in systems
 * of data-seconds each. A timer schedules half a second ahead; what sounds keeps its exact moment.
 */
(() => {
  "use strict";
  const LOOKAHEAD = 0.5; // seconds scheduled ahead of the clock
  const LOOKAHEAD_HIDDEN = 1.6; // a background page's timers run once a second
  const TICK_MS = 80;
  const LEAD = 0.08; // seconds between "play" and the first note, so that it is not late itself
  const MAX_VOICES = 48; // beyond them the oldest is faded out
  const RING_OUT = 1; // seconds for the last note to fade
  const PARTIALS = 14; // of a string
  let audio = null;
  let current = null; // the player that sounds: one at a time

  /** Open the audio at the first touch, as browsers demand, with three timbres from soft to loud. */
  function openAudio() {
    if (audio) return audio;
    const context = new AudioContext();
    const master = new GainNode(context, { gain: 0.5 });
    master.connect(new DynamicsCompressorNode(context, { threshold: -16, ratio: 6 })).connect(context.destination);
    const waves = [2.1, 1.6, 1.2].map((rolloff) => {
      const real = new Float32Array(PARTIALS + 1);
      const imag = new Float32Array(PARTIALS + 1);
      for (let n = 1; n <= PARTIALS; n++) imag[n] = Math.abs(Math.sin(Math.PI * n / 8.3)) / n ** rolloff; // a hammer at an eighth of the string mutes the eighth partial
      return new PeriodicWave(context, { real, imag });
    });
    return (audio = { context, master, waves, voices: new Set() });
  }

  /** Sound one note from `when` to `until`, both in audio seconds. */
  function strike(pitch, velocity, when, until) {
    const { context, master, waves, voices } = audio;
    if (voices.size >= MAX_VOICES) silence([...voices][0], when); // a Set remembers the order of insertion: the oldest
    const hertz = 440 * 2 ** ((pitch - 69) / 12);
    const loudness = velocity / 127;
    const gain = new GainNode(context, { gain: 0 });
    const filter = new BiquadFilterNode(context, { type: "lowpass", frequency: Math.min(14000, 500 + hertz * (2 + 7 * loudness)) });
    const panner = new StereoPannerNode(context, { pan: Math.max(-0.6, Math.min(0.6, (pitch - 64) / 60)) });
    // two strings a little out of tune with each other, in cents, so that the tone lives
    const strings = [-1.2, 1.2].map((detune) => new OscillatorNode(context, { periodicWave: waves[Math.min(2, Math.floor(loudness * 3))], type: "custom", frequency: hertz, detune }));
    const level = 0.34 * loudness ** 1.5;
    const decay = 0.3 + 2.6 * 2 ** ((48 - pitch) / 20);
    gain.gain.setValueAtTime(0, when);
    gain.gain.linearRampToValueAtTime(level, when + 0.004);
    gain.gain.setTargetAtTime(level * 0.45, when + 0.004, 0.09); // the attack dies fast, the string slowly
    if (until > when + 0.25) gain.gain.setTargetAtTime(0, when + 0.25, decay);
    gain.gain.setTargetAtTime(0, Math.max(until, when + 0.05), 0.07);
    const voice = { gain, strings };
    for (const string of strings) {
      string.connect(filter);
      string.start(when);
      string.stop(Math.max(until, when + 0.05) + 0.5);
    }
    filter.connect(gain).connect(panner).connect(master);
    voices.add(voice);
    strings[1].onended = () => { voices.delete(voice); panner.disconnect(); };
  }

  function silence(voice, when) {
    audio.voices.delete(voice);
    voice.gain.gain.cancelScheduledValues(when);
    voice.gain.gain.setTargetAtTime(0, when, 0.02);
    for (const string of voice.strings) string.stop(when + 0.15);
  }

  const clockTime = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

  class Player {
    constructor(root) {
      this.root = root;
      [this.onset, this.length, this.pitch, this.velocity] = JSON.parse(root.querySelector("script").textContent);
      this.end = Number(root.dataset.end);
      this.systemSeconds = Number(root.dataset.seconds);
      this.position = 0;
      this.isPlaying = false;
      this.button = root.querySelector(".play");
      this.slider = root.querySelector("input");
      this.systems = [...root.querySelectorAll(".system")];
      this.cursor = Object.assign(document.createElement("div"), { className: "cursor" });
      root.querySelector(".controls").hidden = false;
      this.button.addEventListener("click", () => (this.isPlaying ? this.pause() : this.play()));
      this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
      this.systems.forEach((system, number) => system.querySelector("svg").addEventListener("click", (event) => {
        const box = event.currentTarget.getBoundingClientRect();
        this.seek((number + (event.clientX - box.left) / box.width) * this.systemSeconds);
      }));
      this.show();
    }

    async play() {
      current?.pause();
      current = this;
      const { context } = openAudio();
      this.isPlaying = true;
      this.showState();
      await context.resume();
      if (!this.isPlaying) return; // paused while the audio was starting
      if (this.position >= this.end) this.position = 0;
      this.schedule();
      this.drawFrame();
    }

    /** Schedule anew from the position. */
    schedule() {
      clearInterval(this.timer);
      this.startTime = audio.context.currentTime + LEAD;
      this.startPosition = this.position;
      this.next = this.onset.findIndex((onset) => onset >= 1000 * this.position);
      if (this.next < 0) this.next = this.onset.length;
      this.timer = setInterval(() => this.tick(), TICK_MS);
      this.tick();
    }

    /** Sound all notes up to the horizon. */
    tick() {
      const horizon = audio.context.currentTime + (document.hidden ? LOOKAHEAD_HIDDEN : LOOKAHEAD);
      for (; this.next < this.onset.length; this.next++) {
        const when = this.startTime + this.onset[this.next] / 1000 - this.startPosition;
        if (when > horizon) break;
        strike(this.pitch[this.next], this.velocity[this.next], Math.max(when, audio.context.currentTime), when + this.length[this.next] / 1000);
      }
      this.position = Math.max(this.startPosition, this.startPosition + audio.context.currentTime - this.startTime);
      if (this.position > this.end + RING_OUT) this.pause();
    }

    pause() {
      if (!this.isPlaying) return;
      this.isPlaying = false;
      clearInterval(this.timer);
      for (const voice of [...audio.voices]) silence(voice, audio.context.currentTime);
      this.position = Math.min(this.position, this.end);
      this.showState();
      this.show();
    }

    seek(seconds) {
      this.position = Math.max(0, Math.min(seconds, this.end));
      if (this.isPlaying) {
        for (const voice of [...audio.voices]) silence(voice, audio.context.currentTime);
        this.schedule();
      }
      this.show();
    }

    drawFrame() {
      if (!this.isPlaying) return;
      this.position = Math.max(this.startPosition, this.startPosition + audio.context.currentTime - this.startTime);
      this.show();
      requestAnimationFrame(() => this.drawFrame());
    }

    showState() {
      const verb = this.isPlaying ? "Pause" : "Play";
      this.button.setAttribute("aria-label", this.button.getAttribute("aria-label").replace(/^\w+/, verb));
      this.button.textContent = verb;
    }

    show() {
      const position = Math.min(this.position, this.end);
      const index = Math.min(Math.floor(position / this.systemSeconds), this.systems.length - 1);
      const system = this.systems[index];
      if (this.cursor.parentNode !== system) {
        system.append(this.cursor);
        if (this.isPlaying) this.reveal(system);
      }
      this.cursor.style.left = `${100 * (position / this.systemSeconds - index)}%`;
      this.slider.value = position;
      const text = `${clockTime(position)} / ${clockTime(this.end)}`;
      const time = this.root.querySelector(".time");
      if (time.textContent !== text) {
        time.textContent = text;
        this.slider.setAttribute("aria-valuetext", text.replace("/", "of"));
      }
    }

    /** Scroll the roll, and not the page, to a system. */
    reveal(system) {
      const roll = this.root.querySelector(".roll");
      const [low, high] = [system.offsetTop - roll.offsetTop, system.offsetTop - roll.offsetTop + system.offsetHeight];
      if (low < roll.scrollTop || high > roll.scrollTop + roll.clientHeight) roll.scrollTop = low;
    }
  }

  for (const root of document.querySelectorAll(".player")) {
    const player = new Player(root);
    const section = root.closest("section") ?? document;
    for (const button of section.querySelectorAll("button[data-at]")) {
      button.disabled = false;
      button.addEventListener("click", () => { player.seek(Math.max(0, Number(button.dataset.at) - 1)); player.play(); });
    }
  }
  // paper cannot be unfolded
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
})();

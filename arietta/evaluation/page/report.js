/**
 * Plays the rolls of a report's page: a small synthesized piano, planned ahead on the audio clock.
 *
 * Each .player holds its notes as JSON (onset ms, sounding ms, pitch, velocity, a list each) and systems of
 * data-seconds each. A timer plans half a second ahead; what sounds keeps its exact moment.
 */
(() => {
  "use strict";
  const AHEAD = 0.5, AHEAD_HIDDEN = 1.6, TICK_MS = 80, LEAD = 0.08, MOST_VOICES = 48, RING = 1;
  const PARTIALS = 14;
  let audio = null;
  let current = null;

  /** The audio context, made at the first touch, and three timbres from soft to loud. */
  function sound() {
    if (audio) return audio;
    const context = new AudioContext();
    const master = new GainNode(context, { gain: 0.5 });
    master.connect(new DynamicsCompressorNode(context, { threshold: -16, ratio: 6 })).connect(context.destination);
    const waves = [2.1, 1.6, 1.2].map((fall) => {
      const real = new Float32Array(PARTIALS + 1);
      const imag = new Float32Array(PARTIALS + 1);
      for (let n = 1; n <= PARTIALS; n++) imag[n] = Math.abs(Math.sin(Math.PI * n / 8.3)) / n ** fall; // struck at an eighth
      return new PeriodicWave(context, { real, imag });
    });
    return (audio = { context, master, waves, voices: new Set() });
  }

  /** Sound one note from `when` to `until`, both in audio seconds. */
  function strike(pitch, velocity, when, until) {
    const { context, master, waves, voices } = audio;
    if (voices.size >= MOST_VOICES) silence([...voices][0], when);
    const hertz = 440 * 2 ** ((pitch - 69) / 12);
    const loud = velocity / 127;
    const gain = new GainNode(context, { gain: 0 });
    const bright = new BiquadFilterNode(context, { type: "lowpass", frequency: Math.min(14000, 500 + hertz * (2 + 7 * loud)) });
    const side = new StereoPannerNode(context, { pan: Math.max(-0.6, Math.min(0.6, (pitch - 64) / 60)) });
    const strings = [-1.2, 1.2].map((detune) => new OscillatorNode(context, { periodicWave: waves[Math.min(2, Math.floor(loud * 3))], type: "custom", frequency: hertz, detune }));
    const level = 0.34 * loud ** 1.5;
    const fall = 0.3 + 2.6 * 2 ** ((48 - pitch) / 20);
    gain.gain.setValueAtTime(0, when);
    gain.gain.linearRampToValueAtTime(level, when + 0.004);
    gain.gain.setTargetAtTime(level * 0.45, when + 0.004, 0.09); // the attack dies fast, the string slowly
    if (until > when + 0.25) gain.gain.setTargetAtTime(0, when + 0.25, fall);
    gain.gain.setTargetAtTime(0, Math.max(until, when + 0.05), 0.07);
    const voice = { gain, strings };
    for (const string of strings) {
      string.connect(bright);
      string.start(when);
      string.stop(Math.max(until, when + 0.05) + 0.5);
    }
    bright.connect(gain).connect(side).connect(master);
    voices.add(voice);
    strings[1].onended = () => { voices.delete(voice); side.disconnect(); };
  }

  function silence(voice, when) {
    audio.voices.delete(voice);
    voice.gain.gain.cancelScheduledValues(when);
    voice.gain.gain.setTargetAtTime(0, when, 0.02);
    for (const string of voice.strings) string.stop(when + 0.15);
  }

  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

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
      const { context } = sound();
      this.isPlaying = true;
      this.label();
      await context.resume();
      if (!this.isPlaying) return;
      if (this.position >= this.end) this.position = 0;
      this.begin();
      this.frame();
    }

    /** Plan anew from the position. */
    begin() {
      clearInterval(this.timer);
      this.begunAt = audio.context.currentTime + LEAD;
      this.begunFrom = this.position;
      this.next = this.onset.findIndex((onset) => onset >= 1000 * this.position);
      if (this.next < 0) this.next = this.onset.length;
      this.timer = setInterval(() => this.plan(), TICK_MS);
      this.plan();
    }

    plan() {
      const horizon = audio.context.currentTime + (document.hidden ? AHEAD_HIDDEN : AHEAD);
      for (; this.next < this.onset.length; this.next++) {
        const when = this.begunAt + this.onset[this.next] / 1000 - this.begunFrom;
        if (when > horizon) break;
        strike(this.pitch[this.next], this.velocity[this.next], Math.max(when, audio.context.currentTime), when + this.length[this.next] / 1000);
      }
      this.position = Math.max(this.begunFrom, this.begunFrom + audio.context.currentTime - this.begunAt);
      if (this.position > this.end + RING) this.pause();
    }

    pause() {
      if (!this.isPlaying) return;
      this.isPlaying = false;
      clearInterval(this.timer);
      for (const voice of [...audio.voices]) silence(voice, audio.context.currentTime);
      this.position = Math.min(this.position, this.end);
      this.label();
      this.show();
    }

    seek(seconds) {
      this.position = Math.max(0, Math.min(seconds, this.end));
      if (this.isPlaying) {
        for (const voice of [...audio.voices]) silence(voice, audio.context.currentTime);
        this.begin();
      }
      this.show();
    }

    frame() {
      if (!this.isPlaying) return;
      this.position = Math.max(this.begunFrom, this.begunFrom + audio.context.currentTime - this.begunAt);
      this.show();
      requestAnimationFrame(() => this.frame());
    }

    label() {
      const word = this.isPlaying ? "Pause" : "Play";
      this.button.setAttribute("aria-label", this.button.getAttribute("aria-label").replace(/^\w+/, word));
      this.button.textContent = word;
    }

    show() {
      const position = Math.min(this.position, this.end);
      const place = Math.min(Math.floor(position / this.systemSeconds), this.systems.length - 1);
      const system = this.systems[place];
      if (this.cursor.parentNode !== system) {
        system.append(this.cursor);
        if (this.isPlaying) this.reveal(system);
      }
      this.cursor.style.left = `${100 * (position / this.systemSeconds - place)}%`;
      this.slider.value = position;
      const told = `${clock(position)} / ${clock(this.end)}`;
      const time = this.root.querySelector(".time");
      if (time.textContent !== told) {
        time.textContent = told;
        this.slider.setAttribute("aria-valuetext", told.replace("/", "of"));
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
    const part = root.closest("section") ?? document;
    for (const button of part.querySelectorAll("button[data-at]")) {
      button.disabled = false;
      button.addEventListener("click", () => { player.seek(Math.max(0, Number(button.dataset.at) - 1)); player.play(); });
    }
  }
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
})();

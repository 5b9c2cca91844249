/**
 * Plays a score in time: every note is given to the instrument ahead, with its exact moment on the audio clock.
 *
 * A timer only decides how far ahead has been planned (LOOKAHEAD); it never decides when a note sounds, so a late
 * timer is not heard. The instrument is anything with strike, release and hush; the clock is any function that
 * returns seconds. While a piece is still being written the player waits, silently, for the notes it lacks.
 */

const LOOKAHEAD = 0.4; // seconds planned ahead of the clock
const LOOKAHEAD_HIDDEN = 1.6; // a page in the background is woken once a second
const TICK_MS = 60;
const LEAD = 0.06; // seconds between "play" and the first note
const SHORTEST_LOOP = 0.05; // seconds
const LEAD_IN = 0.1; // seconds before the first note: silence before the music is not waited for
const HEADROOM = 0.4; // seconds of music that must be known before an unfinished piece begins
const HEADROOM_AGAIN = 2; // and before it goes on, where the composer is the slower one
const RING = 1.2; // seconds for the last note to fade

export class Player extends EventTarget {
  score = null;
  isPlaying = false;
  isWaiting = false;
  loop = null; // {start, end} in seconds of the piece
  /** How often the timer came too late for its plan; the rest of the piece is then moved. */
  lateCount = 0;
  #instrument;
  #now;
  #timer = 0;
  #rate = 1;
  #cursor = 0; // everything in the score before this moment is planned
  #at = 0; // the audio time of #cursor
  #headroom = HEADROOM;
  #held = []; // {voice, pitch, release}: keys down or kept by the pedal
  #anchors = [{ at: 0, position: 0, rate: 0 }]; // where the clock's seconds lie in the score

  constructor(instrument, now) {
    super();
    this.#instrument = instrument;
    this.#now = now;
  }

  /** Put a score on the stand, at `position`; a running player goes on with it. */
  load(score, position = 0) {
    this.score = score;
    this.seek(position);
  }

  play() {
    if (this.isPlaying || !this.score) return;
    const isOver = this.score.isComplete && this.#cursor >= this.score.end;
    this.isPlaying = true;
    this.#place(isOver ? (this.loop?.start ?? 0) : this.#cursor);
    this.#timer = setInterval(() => this.tick(), TICK_MS);
    this.tick();
    this.#tell();
  }

  pause() {
    if (!this.isPlaying) return;
    const position = this.position;
    clearInterval(this.#timer);
    this.isPlaying = false;
    this.#place(position);
    this.#tell();
  }

  seek(position) {
    this.#place(Math.max(0, position));
    if (this.isPlaying) this.tick();
    this.#tell();
  }

  /** 1 plays in the piece's own tempo, 0.5 at half of it; what is planned already keeps its time. */
  set rate(rate) {
    this.#rate = rate;
    if (this.isPlaying && !this.isWaiting) this.#anchor(rate);
  }

  get rate() {
    return this.#rate;
  }

  /** Where in the score the listener is now, in seconds. */
  get position() {
    return this.positionAt(this.#now());
  }

  positionAt(now) {
    const anchor = this.#anchors.findLast((one) => one.at <= now) ?? this.#anchors[0];
    return anchor.position + Math.max(0, now - anchor.at) * anchor.rate;
  }

  /** Plan everything that sounds within the lookahead. */
  tick() {
    if (!this.isPlaying) return;
    const now = this.#now();
    const horizon = now + (globalThis.document?.hidden ? LOOKAHEAD_HIDDEN : LOOKAHEAD);
    if (this.isWaiting) this.#goOn(now);
    if (!this.isWaiting && this.#at < now) this.#catchUp(now);
    while (!this.isWaiting && this.#at < horizon) this.#advance(horizon);
    this.#forget(now);
    if (this.#isOver(now)) this.#finish();
  }

  /** Stop everything and stand at `position`. */
  #place(position) {
    this.#instrument.hush();
    this.#held = [];
    this.#headroom = HEADROOM;
    this.#cursor = position;
    this.#at = this.#now() + LEAD;
    this.#anchors = [{ at: 0, position, rate: 0 }];
    this.isWaiting = this.isPlaying;
  }

  /** Start, or start again after waiting, if enough of the music is known. */
  #goOn(now) {
    this.#cursor = Math.max(this.#cursor, (this.score.notes[0]?.onset ?? 0) - LEAD_IN);
    const known = this.score.frontier - this.#cursor;
    if (known < this.#headroom * this.#rate) return;
    this.#headroom = HEADROOM_AGAIN;
    this.isWaiting = false;
    this.#at = Math.max(this.#at, now + LEAD);
    this.#anchor(this.#rate);
    this.#tell();
  }

  #catchUp(now) {
    this.lateCount++;
    this.#at = now + LEAD;
    this.#anchor(this.#rate);
  }

  #anchor(rate) {
    this.#anchors.push({ at: this.#at, position: this.#cursor, rate });
  }

  /** Plan up to the horizon, or to where the music turns: the loop's end, the last known note, the end. */
  #advance(horizon) {
    const isLooping = this.loop && this.#cursor < this.loop.end && this.loop.end - this.loop.start > SHORTEST_LOOP;
    const edge = Math.min(isLooping ? this.loop.end : Infinity, this.score.frontier);
    const until = Math.min(edge, this.#cursor + (horizon - this.#at) * this.#rate);
    this.#strike(until);
    this.#damp(until);
    this.#at = until < edge ? horizon : this.#when(until); // adding up could round to just below the horizon, for ever
    this.#cursor = until;
    if (until < edge) return;
    if (isLooping && until >= this.loop.end) this.#turnBack();
    else this.#wait();
  }

  #when(time) {
    return this.#at + (time - this.#cursor) / this.#rate;
  }

  #strike(until) {
    const { notes } = this.score;
    for (let i = this.score.indexFrom(this.#cursor); i < notes.length && notes[i].onset < until; i++) {
      const { onset, pitch, velocity, release } = notes[i];
      this.#letGo((key) => key.pitch === pitch, onset);
      const voice = this.#instrument.strike(pitch, velocity, this.#when(onset));
      this.#held.push({ voice, pitch, release });
    }
  }

  /** Let go what is released before `until`, as late as the pedal keeps it. */
  #damp(until) {
    this.#letGo((key) => this.score.dampedAt(key.release) < until, until);
  }

  /** Release the keys that `isMeant`, at their own time and at `latest` by then. */
  #letGo(isMeant, latest) {
    this.#held = this.#held.filter((key) => {
      if (!isMeant(key)) return true;
      const time = Math.min(latest, this.score.dampedAt(key.release));
      this.#instrument.release(key.voice, this.#when(Math.max(time, this.#cursor)));
      return false;
    });
  }

  #turnBack() {
    this.#letGo(() => true, this.loop.end);
    this.#cursor = this.loop.start;
    this.#anchor(this.#rate);
  }

  #wait() {
    this.isWaiting = true;
    this.#anchor(0);
    this.#tell();
  }

  #isOver(now) {
    const { isComplete, end } = this.score;
    return isComplete && !this.loop && this.#cursor >= end + RING && this.positionAt(now) >= end + RING / 2;
  }

  #finish() {
    clearInterval(this.#timer);
    this.isPlaying = false;
    this.#place(this.score.end);
    this.#tell();
  }

  #forget(now) {
    const current = this.#anchors.findLastIndex((one) => one.at <= now);
    if (current > 0) this.#anchors.splice(0, current);
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

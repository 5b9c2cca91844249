/**
 * Plays notes in time: each is scheduled ahead of the clock, for its exact moment on the audio clock.
 *
 * A timer only decides how far ahead has been scheduled (LOOKAHEAD); it never decides when a note sounds, so a late
 * timer is not heard. The instrument is anything with strike, release and silence; the clock is any function that
 * returns seconds. While a piece is still being composed the player waits, silently, for the notes it lacks.
 */

const LOOKAHEAD = 0.4; // seconds scheduled ahead of the clock: a page that is busy for less is not heard
const LOOKAHEAD_HIDDEN = 1.6; // a background page's timers run once a second
const TICK_MS = 60;
const LEAD = 0.06; // seconds between "play" and the first note, so that it is not late itself
const SHORTEST_LOOP = 0.05; // seconds
const LEAD_IN = 0.1; // seconds before the first note: silence before the music is not waited for
const HEADROOM = 0.4; // seconds of music that must be known before an unfinished piece begins
const HEADROOM_AGAIN = 2; // and before it goes on, where the composer is the slower one
const RING_OUT = 1.2; // seconds for the last note to fade

export class Player extends EventTarget {
  sequence = null;
  isPlaying = false;
  isWaiting = false;
  loop = null; // {start, end} in seconds of the piece
  /** How often the timer came after the last scheduled note; the rest of the piece is then moved. */
  lateCount = 0;
  #instrument;
  #now;
  #timer = 0;
  #rate = 1;
  #cursor = 0; // position up to which everything is scheduled
  #cursorTime = 0; // the audio time of #cursor
  #headroom = HEADROOM;
  #sounding = []; // {voice, pitch, release}: keys that are down or sustained by the pedal
  #anchors = [{ time: 0, position: 0, rate: 0 }]; // from audio time to position: each holds until the next

  constructor(instrument, now) {
    super();
    this.#instrument = instrument;
    this.#now = now;
  }

  /** Play another sequence from `position`; a running player goes on with it. */
  load(sequence, position = 0) {
    this.sequence = sequence;
    this.seek(position);
  }

  /** Go on in a changed version of the sequence, without a break; what is scheduled already still sounds. */
  swap(sequence) {
    this.sequence = sequence;
    this.#notify();
  }

  play() {
    if (this.isPlaying || !this.sequence) return;
    const isOver = this.sequence.isComplete && this.#cursor >= this.sequence.end;
    this.isPlaying = true;
    this.#moveTo(isOver ? (this.loop?.start ?? 0) : this.#cursor);
    this.#timer = setInterval(() => this.tick(), TICK_MS);
    this.tick();
    this.#notify();
  }

  pause() {
    if (!this.isPlaying) return;
    const position = this.position;
    clearInterval(this.#timer);
    this.isPlaying = false;
    this.#moveTo(position);
    this.#notify();
  }

  seek(position) {
    this.#moveTo(Math.max(0, position));
    if (this.isPlaying) this.tick();
    this.#notify();
  }

  /** 1 plays in the piece's own tempo, 0.5 at half of it; what is scheduled already keeps its time. */
  set rate(rate) {
    this.#rate = rate;
    if (this.isPlaying && !this.isWaiting) this.#addAnchor(rate);
  }

  get rate() {
    return this.#rate;
  }

  /** Where in the piece the listener is now, in seconds. */
  get position() {
    return this.positionAt(this.#now());
  }

  positionAt(now) {
    const anchor = this.#anchors.findLast((anchor) => anchor.time <= now) ?? this.#anchors[0];
    return anchor.position + Math.max(0, now - anchor.time) * anchor.rate;
  }

  /** Schedule everything that sounds within the lookahead. */
  tick() {
    if (!this.isPlaying) return;
    const now = this.#now();
    const horizon = now + (globalThis.document?.hidden ? LOOKAHEAD_HIDDEN : LOOKAHEAD);
    if (this.isWaiting) this.#startWhenReady(now);
    if (!this.isWaiting && this.#cursorTime < now) this.#skipLateness(now);
    while (!this.isWaiting && this.#cursorTime < horizon) this.#schedule(horizon);
    this.#dropPastAnchors(now);
    if (this.#isOver(now)) this.#finish();
  }

  /** Silence everything and continue from `position`. */
  #moveTo(position) {
    this.#instrument.silence();
    this.#sounding = [];
    this.#headroom = HEADROOM;
    this.#cursor = position;
    this.#cursorTime = this.#now() + LEAD;
    this.#anchors = [{ time: 0, position, rate: 0 }];
    this.isWaiting = this.isPlaying;
  }

  /** Start, or start again after waiting, if enough of the music is known. */
  #startWhenReady(now) {
    this.#cursor = Math.max(this.#cursor, (this.sequence.notes[0]?.onset ?? 0) - LEAD_IN);
    const headroom = this.sequence.frontier - this.#cursor;
    if (headroom < this.#headroom * this.#rate) return;
    this.#headroom = HEADROOM_AGAIN;
    this.isWaiting = false;
    this.#cursorTime = Math.max(this.#cursorTime, now + LEAD);
    this.#addAnchor(this.#rate);
    this.#notify();
  }

  /** The timer came too late: move what is left of the piece, so that no notes are crowded together. */
  #skipLateness(now) {
    this.lateCount++;
    this.#cursorTime = now + LEAD;
    this.#addAnchor(this.#rate);
  }

  #addAnchor(rate) {
    this.#anchors.push({ time: this.#cursorTime, position: this.#cursor, rate });
  }

  /** Schedule up to the horizon, or to where the music cannot simply go on: the loop's end, or the last known note. */
  #schedule(horizon) {
    const isLooping = this.loop && this.#cursor < this.loop.end && this.loop.end - this.loop.start > SHORTEST_LOOP;
    const edge = Math.min(isLooping ? this.loop.end : Infinity, this.sequence.frontier);
    if (edge < this.#cursor) return this.#startWaiting(); // another sequence, of which less is known so far
    const until = Math.min(edge, this.#cursor + (horizon - this.#cursorTime) * this.#rate);
    this.#scheduleNotes(until);
    this.#scheduleReleases(until);
    // A computed time could round to just below the horizon, for ever, and the loop in tick() would not end.
    this.#cursorTime = until < edge ? horizon : this.#timeOf(until);
    this.#cursor = until;
    if (until < edge) return;
    if (isLooping && until >= this.loop.end) this.#repeatLoop();
    else this.#startWaiting();
  }

  /** The audio time of a position. */
  #timeOf(position) {
    return this.#cursorTime + (position - this.#cursor) / this.#rate;
  }

  #scheduleNotes(until) {
    const { notes } = this.sequence;
    for (let i = this.sequence.indexFrom(this.#cursor); i < notes.length && notes[i].onset < until; i++) {
      const { onset, pitch, velocity, release } = notes[i];
      this.#release((key) => key.pitch === pitch, onset); // a string struck again stops what it sounded
      const voice = this.#instrument.strike(pitch, velocity, this.#timeOf(onset));
      this.#sounding.push({ voice, pitch, release });
    }
  }

  /** Release the keys that are let go before `until`; the pedal sustains them until it comes up. */
  #scheduleReleases(until) {
    this.#release((key) => this.sequence.dampedAt(key.release) < until, until);
  }

  /** Release the sounding keys that pass `filter`, each at its own time but at `latest`. */
  #release(filter, latest) {
    this.#sounding = this.#sounding.filter((key) => {
      if (!filter(key)) return true;
      const time = Math.min(latest, this.sequence.dampedAt(key.release));
      this.#instrument.release(key.voice, this.#timeOf(Math.max(time, this.#cursor)));
      return false;
    });
  }

  #repeatLoop() {
    this.#release(() => true, this.loop.end);
    this.#cursor = this.loop.start;
    this.#addAnchor(this.#rate);
  }

  #startWaiting() {
    this.isWaiting = true;
    this.#addAnchor(0);
    this.#notify();
  }

  #isOver(now) {
    const { isComplete, end } = this.sequence;
    return isComplete && !this.loop && this.#cursor >= end + RING_OUT && this.positionAt(now) >= end + RING_OUT / 2;
  }

  #finish() {
    clearInterval(this.#timer);
    this.isPlaying = false;
    this.#moveTo(this.sequence.end);
    this.#notify();
  }

  #dropPastAnchors(now) {
    const current = this.#anchors.findLastIndex((anchor) => anchor.time <= now);
    if (current > 0) this.#anchors.splice(0, current);
  }

  #notify() {
    this.dispatchEvent(new Event("change"));
  }
}

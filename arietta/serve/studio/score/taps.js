/**
 * Beats that a musician taps along with the music, with a key or a button: their moments in the piece, until it pauses.
 */

const FEWEST = 2; // that make a beat
const SAME = 0.1; // seconds: a second tap so soon after one is the same

export class Taps {
  #times = [];
  #player;
  #heard;
  #onCount;
  #onDone;

  /** `heard` gives the moment that is heard now; `onCount` hears how many there are, `onDone` gets them all. */
  constructor(player, { heard, onCount, onDone }) {
    this.#player = player;
    this.#heard = heard;
    this.#onCount = onCount;
    this.#onDone = onDone;
    player.addEventListener("change", () => !player.isPlaying && this.#end());
  }

  /** Take a beat as tapped now. Who has gone back taps from there anew. Returns whether the music plays. */
  tap() {
    if (!this.#player.isPlaying) return false;
    const time = this.#heard();
    this.#times = [...this.#times.filter((earlier) => earlier < time - SAME), time];
    this.#onCount(this.#times.length);
    return true;
  }

  /** Forget what was tapped. */
  cancel() {
    this.#times = [];
    this.#onCount(0);
  }

  #end() {
    if (!this.#times.length) return;
    const times = this.#times;
    this.cancel();
    if (times.length >= FEWEST) this.#onDone(times);
  }
}

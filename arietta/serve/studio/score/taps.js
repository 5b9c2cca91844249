/**
 * Beats that a musician taps along with the music, with a key or a button: their moments in the piece, until it pauses.
 */

const FEWEST = 2; // that make a beat
const SHORTEST = 0.15; // seconds: a second tap so soon after one is the same; as music.correction.SHORTEST_TAP of the server
const LONGEST = 6; // seconds between two taps; as music.correction.LONGEST_TAP

export class Taps {
  #times = [];
  #isNew = false; // whether there are taps that were not sent yet
  #player;
  #heard;
  #onCount;
  #onDone;

  /**
   * `heard` gives the moment that is heard now; `onCount` hears how many there are. `onDone` gets them all, and promises
   * to say whether they were taken.
   */
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
    // Kept ones that were refused lead to new ones only where these go on from them.
    if (!this.#isNew && time - (this.#times.at(-1) ?? time) > LONGEST) this.#times = [];
    this.#times = [...this.#times.filter((earlier) => earlier < time - SHORTEST), time];
    this.#isNew = true;
    this.#onCount(this.#times.length);
    return true;
  }

  /** Forget what was tapped. */
  cancel() {
    this.#times = [];
    this.#isNew = false;
    this.#onCount(0);
  }

  /** Hand them over; those that are refused are kept, for who goes back taps from there anew. */
  async #end() {
    if (!this.#isNew) return;
    const times = this.#times;
    this.cancel();
    if (times.length < FEWEST) return;
    const none = this.#times;
    const isTaken = await this.#onDone(times);
    if (isTaken || this.#times !== none) return; // or others were tapped, or another piece was chosen
    this.#times = times;
    this.#onCount(times.length);
  }
}

/**
 * The score on the page: engraved by the server, a page at a time; what sounds stands in the colour of the accent.
 *
 * It follows the player as the roll does, and a click on a note goes there.
 */

import { readScore } from "../api.js";
import { translate } from "../page/i18n.js";
import { showError } from "../page/messages.js";
import { firstWhere } from "./notes.js";

const CALM = 1000; // milliseconds without a change before the score is engraved anew

export class ScoreView {
  isOpen = false;
  #elements;
  #save;
  #key = null; // id of the piece that is to be shown
  #score = null;
  #shown = { moment: -1, page: -1 };
  #number = 0; // of the reading under way: answers to earlier ones are dropped
  #timer = 0;

  /** `elements`: toggle, panel, page and text. `save` stores changes first; `onSeek` is called with a moment. */
  constructor(elements, { save, onSeek }) {
    this.#elements = elements;
    this.#save = save;
    elements.toggle.addEventListener("click", () => this.#toggle());
    elements.page.addEventListener("click", ({ target }) => {
      const ids = new Set();
      for (let node = target; node && node !== elements.page; node = node.parentNode) ids.add(node.id);
      const moment = this.#score?.moments.find((candidate) => candidate.ids.some((id) => ids.has(id)));
      if (moment) onSeek(moment.seconds);
    });
  }

  /** Take up a finished piece, by its id; null where there is none. */
  open(key) {
    if (key === this.#key) return;
    this.#key = key;
    this.#forget();
    if (this.isOpen) this.#load();
  }

  /** The piece or its bars have changed. */
  refresh() {
    if (!this.isOpen || !this.#key) return this.#forget();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#load(), CALM);
  }

  /** Show what sounds at `position`, on its page. */
  draw(position) {
    if (!this.isOpen || !this.#score) return;
    const { moments } = this.#score;
    const moment = firstWhere(moments.length, (index) => moments[index].seconds > position + 0.001) - 1;
    if (moment === this.#shown.moment) return;
    this.#mark(moments[this.#shown.moment], false);
    this.#turnTo(moments[Math.max(0, moment)]?.page ?? 0);
    this.#mark(moments[moment], true);
    this.#shown.moment = moment;
  }

  #toggle() {
    const { toggle, panel } = this.#elements;
    this.isOpen = !this.isOpen;
    toggle.setAttribute("aria-pressed", String(this.isOpen));
    panel.hidden = !this.isOpen;
    if (this.isOpen && !this.#score) this.#load();
  }

  #forget() {
    clearTimeout(this.#timer);
    this.#number++;
    this.#score = null;
    this.#shown = { moment: -1, page: -1 };
    this.#elements.page.replaceChildren();
    this.#elements.text.textContent = "";
  }

  async #load() {
    if (!this.#key) return;
    this.#forget();
    const number = this.#number;
    this.#elements.text.textContent = translate("scoreLoading");
    try {
      await this.#save();
      const score = await readScore(this.#key);
      if (number !== this.#number) return;
      const parser = new DOMParser();
      score.pages = score.pages.map((page) => document.importNode(parser.parseFromString(page, "image/svg+xml").documentElement, true));
      this.#score = score;
      this.#turnTo(0);
    } catch (error) {
      if (number !== this.#number) return;
      this.#elements.text.textContent = error.message;
      showError(error);
    }
  }

  #turnTo(page) {
    if (page === this.#shown.page) return;
    this.#shown.page = page;
    this.#elements.page.replaceChildren(this.#score.pages[page]);
    this.#elements.text.textContent = translate("scorePage", { page: page + 1, pages: this.#score.pages.length });
  }

  #mark(moment, isSounding) {
    for (const id of moment?.ids ?? []) this.#score.pages[moment.page].querySelector(`#${CSS.escape(id)}`)?.classList.toggle("sounding", isSounding);
  }
}

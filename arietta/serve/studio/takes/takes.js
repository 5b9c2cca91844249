/**
 * The takes of one request, side by side: each with its little roll, to choose, to keep or to discard.
 *
 * A single take needs no cards: the stage shows it.
 */

import { drawWhole } from "../score/roll.js";
import { stateLine } from "./status.js";
import { relabel, say } from "../page/i18n.js";

const REDRAW_MS = 400;

export class Takes {
  takes = [];
  current = null;
  #list;
  #acts;
  #cards = new Map();

  /** `acts`: choose(take), keep(take), discard(take). */
  constructor(list, acts) {
    this.#list = list;
    this.#acts = acts;
  }

  show(takes) {
    for (const take of this.takes) if (!takes.includes(take)) take.leave();
    this.takes = takes;
    this.current = takes[0] ?? null;
    this.#cards = new Map(takes.map((take, i) => [take, this.#card(take, i)]));
    this.#list.replaceChildren(...[...this.#cards.values()].map((card) => card.root));
    this.#list.hidden = takes.length < 2;
    this.refresh();
  }

  /** Bring states, names and marks up to date. */
  refresh() {
    if (this.#list.hidden) return;
    this.takes.forEach((take, i) => {
      const { choose, about, mark, keep, title } = this.#cards.get(take);
      title.textContent = say("take", { number: i + 1 });
      choose.setAttribute("aria-pressed", String(take === this.current));
      about.textContent = stateLine(take);
      mark.textContent = isNearest(take) ? say("nearest") : "";
      keep.setAttribute("aria-pressed", String(take.piece.is_favourite));
      relabel(keep, take.piece.is_favourite ? "kept" : "keep");
    });
  }

  remove(take) {
    take.leave();
    const left = this.takes.filter((other) => other !== take);
    const next = this.current === take ? left[0] : this.current;
    this.show(left);
    this.current = next ?? null;
    this.refresh();
    return this.current;
  }

  /** Redraw the little rolls whose notes have changed. */
  draw(now) {
    if (this.#list.hidden) return;
    for (const [take, card] of this.#cards) {
      const isDue = now - card.drawnAt > REDRAW_MS || take.score.isComplete;
      if (take.score.version === card.version || !isDue) continue;
      Object.assign(card, { version: take.score.version, drawnAt: now });
      drawWhole(card.canvas, take.score);
    }
  }

  recolour() {
    for (const card of this.#cards.values()) card.version = -1;
  }

  /** The number of the take that the server found nearest to real music; 0 as long as there is none. */
  get nearest() {
    return this.takes.findIndex(isNearest) + 1;
  }

  #card(take) {
    const root = document.createElement("li");
    root.className = "take";
    const title = document.createElement("strong");
    const [about, mark] = ["take-about", "take-mark"].map((style) => Object.assign(document.createElement("span"), { className: style }));
    const canvas = document.createElement("canvas");
    canvas.setAttribute("aria-hidden", "true");
    const choose = button("take-choose", () => this.#acts.choose(take));
    choose.append(title, about, mark, canvas);
    const keep = button("quiet", () => this.#acts.keep(take), "keep");
    const discard = button("quiet", () => this.#acts.discard(take), "discard");
    const acts = document.createElement("div");
    acts.className = "take-acts";
    acts.append(keep, discard);
    root.append(choose, acts);
    return { root, choose, title, about, mark, canvas, keep, version: -1, drawnAt: 0 };
  }
}

function isNearest({ piece }) {
  return Boolean(piece.figures?.choice?.is_chosen);
}

function button(style, act, key = null) {
  const made = Object.assign(document.createElement("button"), { type: "button", className: style });
  if (key) {
    made.dataset.say = key;
    made.textContent = say(key);
  }
  made.addEventListener("click", act);
  return made;
}

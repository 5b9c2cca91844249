/**
 * The takes of one request as cards, side by side: each with its little roll, to choose, to keep or to discard.
 *
 * A single take needs no card: the stage shows it.
 */

import { create } from "../page/dom.js";
import { relabel, translate } from "../page/i18n.js";
import { drawOverview } from "../score/overview.js";
import { statusLine } from "./status.js";

const REDRAW_MS = 400; // notes arrive by the hundred a second; a small picture need not follow each

export class TakeCards {
  #list;
  #actions;
  #cards = new Map(); // take -> its elements, and what its picture shows

  /** `actions`: choose(take), toggleFavourite(take), discard(take). */
  constructor(list, actions) {
    this.#list = list;
    this.#actions = actions;
  }

  show(takes, current) {
    this.#cards = new Map(takes.map((take) => [take, this.#card(take)]));
    this.#list.replaceChildren(...[...this.#cards.values()].map((card) => card.root));
    this.#list.hidden = takes.length < 2;
    this.refresh(current);
  }

  /** Bring states, names and marks up to date. */
  refresh(current) {
    if (this.#list.hidden) return;
    this.#cards.forEach(({ choose, status, mark, keep, title }, take) => {
      title.textContent = translate("take", { number: take.number });
      choose.setAttribute("aria-pressed", String(take === current));
      status.textContent = statusLine(take);
      mark.textContent = isNearest(take) ? translate("nearest") : "";
      keep.setAttribute("aria-pressed", String(take.piece.is_favourite));
      relabel(keep, take.piece.is_favourite ? "kept" : "keep");
    });
  }

  /** Redraw the little rolls whose notes have changed. */
  draw(now) {
    if (this.#list.hidden) return;
    for (const [{ sequence }, card] of this.#cards) {
      const isDue = now - card.drawnAt > REDRAW_MS || sequence.isComplete;
      if (sequence.version === card.version || !isDue) continue;
      Object.assign(card, { version: sequence.version, drawnAt: now });
      drawOverview(card.canvas, sequence);
    }
  }

  recolour() {
    for (const card of this.#cards.values()) card.version = -1;
  }

  #card(take) {
    const root = create("li", { className: "take" });
    const title = create("strong");
    const status = create("span", { className: "take-status" });
    const mark = create("span", { className: "take-mark" });
    const canvas = create("canvas");
    canvas.setAttribute("aria-hidden", "true");
    const choose = createButton("take-choose", () => this.#actions.choose(take));
    choose.append(title, status, mark, canvas);
    const keep = createButton("quiet", () => this.#actions.toggleFavourite(take), "keep");
    const discard = createButton("quiet", () => this.#actions.discard(take), "discard");
    const actions = create("div", { className: "take-actions" });
    actions.append(keep, discard);
    root.append(choose, actions);
    return { root, choose, title, status, mark, canvas, keep, version: -1, drawnAt: 0 };
  }
}

/** Whether the server ranked the take nearest to real music among those of its request. */
export function isNearest({ piece }) {
  return Boolean(piece.figures?.choice?.is_chosen);
}

function createButton(className, onClick, key = null) {
  const button = create("button", { type: "button", className });
  if (key) {
    button.dataset.i18n = key;
    button.textContent = translate(key);
  }
  button.addEventListener("click", onClick);
  return button;
}

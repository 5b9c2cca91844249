/**
 * The pieces kept by the server, newest first: open, rename in place, mark as a favourite, delete.
 */

import { listPieces } from "../api.js";
import { lengthName, since, styleName } from "../page/format.js";
import { askName } from "./rename.js";
import { pieceName } from "./status.js";
import { say } from "../page/i18n.js";

export class History {
  #pieces = [];
  #next = null;
  #rows;
  #empty;
  #more;
  #filter;
  #acts;
  #current = null;

  /** `elements`: rows, empty, more, filter; `acts`: open(piece), change(piece, changes), remove(piece), fail(error). */
  constructor(elements, acts) {
    [this.#rows, this.#empty, this.#more, this.#filter] = elements;
    this.#acts = acts;
    this.#more.addEventListener("click", () => this.#load(this.#next));
    this.#filter.addEventListener("change", () => this.refresh());
    document.addEventListener("language", () => this.#draw());
  }

  refresh() {
    return this.#load(null);
  }

  /** Show what the server just said of a piece; new ones come to the top. */
  put(piece) {
    const place = this.#pieces.findIndex(({ id }) => id === piece.id);
    if (place >= 0) this.#pieces[place] = piece;
    else if (!this.#filter.checked || piece.is_favourite) this.#pieces.unshift(piece);
    this.#draw();
  }

  drop(id) {
    this.#pieces = this.#pieces.filter((piece) => piece.id !== id);
    this.#draw();
  }

  /** Mark the piece on the stage. */
  mark(id) {
    if (this.#current === id) return;
    this.#current = id;
    this.#draw();
  }

  async #load(before) {
    try {
      const { pieces, next } = await listPieces({ before, favourites: this.#filter.checked });
      this.#pieces = before ? [...this.#pieces, ...pieces] : pieces;
      this.#next = next;
      this.#draw();
    } catch (error) {
      this.#acts.fail(error, () => this.#load(before));
    }
  }

  #draw() {
    if (this.#rows.querySelector(".renaming")) return; // not under the musician's hands
    const focused = document.activeElement?.dataset?.key;
    this.#rows.replaceChildren(...this.#pieces.map((piece) => this.#row(piece)));
    if (focused) this.#rows.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    this.#empty.hidden = this.#pieces.length > 0;
    this.#empty.textContent = say(this.#filter.checked ? "noFavourites" : "noHistory");
    this.#more.hidden = !this.#next;
  }

  #row(piece) {
    const row = Object.assign(document.createElement("li"), { className: "kept" });
    const open = this.#button("kept-open", piece, "open", () => this.#acts.open(piece));
    open.setAttribute("aria-current", String(piece.id === this.#current));
    open.append(line("kept-name", pieceName(piece)), line("kept-about", about(piece)));
    const heart = this.#icon("heart", piece, "favourite", () => this.#acts.change(piece, { is_favourite: !piece.is_favourite }));
    heart.setAttribute("aria-pressed", String(piece.is_favourite));
    const pen = this.#icon("pen", piece, "rename", () => this.#rename(open, piece));
    const bin = this.#icon("bin", piece, "delete", () => this.#acts.remove(piece));
    row.append(open, heart, pen, bin);
    return row;
  }

  async #rename(open, piece) {
    const name = await askName(open, pieceName(piece));
    this.#rows.querySelector(`[data-key="${CSS.escape(`rename ${piece.id}`)}"]`)?.focus();
    if (name) await this.#acts.change(piece, { name });
    else this.#draw();
  }

  #button(style, piece, act, onClick) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: style });
    button.dataset.key = `${act} ${piece.id}`;
    button.addEventListener("click", onClick);
    return button;
  }

  #icon(icon, piece, act, onClick) {
    const button = this.#button("round", piece, act, onClick);
    button.setAttribute("aria-label", say(`${act}Named`, { name: pieceName(piece) }));
    button.title = say(act);
    button.append(iconOf(icon));
    return button;
  }
}

function about({ request, created, state }) {
  const parts = [styleName(request.style), lengthName(request), since(created)];
  if (state !== "done") parts.push(say(`state.${state}`));
  return parts.join(" · ");
}

function line(style, text) {
  return Object.assign(document.createElement("span"), { className: style, textContent: text });
}

/** An icon of the sprite, for decoration. */
export function iconOf(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

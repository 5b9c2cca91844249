/**
 * The pieces that the server stores, newest first: open, rename in place, mark as a favourite, delete.
 */

import { listPieces } from "../api.js";
import { create, createIcon } from "../page/dom.js";
import { styleName, timeAgo } from "../page/format.js";
import { translate } from "../page/i18n.js";
import { askName } from "./rename.js";
import { pieceName, sizeLine } from "./status.js";

export class History {
  #pieces = [];
  #next = null; // where the following page begins; null on the last
  #elements;
  #actions;
  #current = null;

  /** `elements`: rows, empty, more, filter; `actions`: open(piece), change(piece, changes), remove(piece), fail(error, retry). */
  constructor(elements, actions) {
    this.#elements = elements;
    this.#actions = actions;
    elements.more.addEventListener("click", () => this.#load(this.#next));
    elements.filter.addEventListener("change", () => this.refresh());
    document.addEventListener("language", () => this.#draw());
  }

  refresh() {
    return this.#load(null);
  }

  /** Show what the server just said about a piece; a new one comes to the top. */
  put(piece) {
    const index = this.#pieces.findIndex(({ id }) => id === piece.id);
    if (index >= 0) this.#pieces[index] = piece;
    else if (!this.#elements.filter.checked || piece.is_favourite) this.#pieces.unshift(piece);
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
      const { pieces, next } = await listPieces({ before, favourites: this.#elements.filter.checked });
      this.#pieces = before ? [...this.#pieces, ...pieces] : pieces;
      this.#next = next;
      this.#draw();
    } catch (error) {
      this.#actions.fail(error, () => this.#load(before));
    }
  }

  /** Takes of passages are with their piece, and have no row. */
  #draw() {
    const { rows, empty, more, filter } = this.#elements;
    if (rows.querySelector(".renaming")) return; // never under the musician's hands
    const focused = document.activeElement?.dataset?.key;
    rows.replaceChildren(...this.#pieces.filter(({ request }) => !request.given).map((piece) => this.#row(piece)));
    if (focused) this.#focus(focused);
    empty.hidden = this.#pieces.length > 0;
    empty.textContent = translate(filter.checked ? "noFavourites" : "noHistory");
    more.hidden = !this.#next;
  }

  #focus(key) {
    this.#elements.rows.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }

  #row(piece) {
    const row = create("li", { className: "piece-row" });
    const open = this.#button("piece-open", piece, "open", () => this.#actions.open(piece));
    open.setAttribute("aria-current", String(piece.id === this.#current));
    open.append(
      create("span", { className: "piece-name", textContent: pieceName(piece) }),
      create("span", { className: "piece-details", textContent: details(piece) }),
    );
    const toggle = () => this.#actions.change(piece, { is_favourite: !piece.is_favourite });
    const favourite = this.#iconButton("heart", piece, "favourite", toggle);
    favourite.setAttribute("aria-pressed", String(piece.is_favourite));
    const rename = this.#iconButton("pen", piece, "rename", () => this.#rename(open, piece));
    const remove = this.#iconButton("bin", piece, "delete", () => this.#actions.remove(piece));
    row.append(open, favourite, rename, remove);
    return row;
  }

  async #rename(open, piece) {
    const name = await askName(open, pieceName(piece));
    this.#focus(`rename ${piece.id}`);
    if (name) await this.#actions.change(piece, { name });
    else this.#draw(); // what came in the meantime was not drawn
  }

  /** A button whose data-key finds it again when the rows are drawn anew. */
  #button(className, piece, action, onClick) {
    const button = create("button", { type: "button", className });
    button.dataset.key = `${action} ${piece.id}`;
    button.addEventListener("click", onClick);
    return button;
  }

  #iconButton(icon, piece, action, onClick) {
    const button = this.#button("round", piece, action, onClick);
    button.setAttribute("aria-label", translate(`${action}Named`, { name: pieceName(piece) }));
    button.title = translate(action);
    button.append(createIcon(icon));
    return button;
  }
}

function details(piece) {
  const { request, created, state } = piece;
  const parts = [sizeLine(piece), timeAgo(created)];
  if (request.style) parts.unshift(styleName(request.style));
  if (state !== "done") parts.push(translate(`state.${state}`));
  return parts.join(" · ");
}

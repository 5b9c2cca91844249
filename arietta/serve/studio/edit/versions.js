/**
 * The versions of the piece as a list, the newest first: return to one, give it a name.
 */

import { byId, create } from "../page/dom.js";
import { timeAgo } from "../page/format.js";
import { translate, translateCount } from "../page/i18n.js";
import { showError } from "../page/messages.js";
import { askName } from "../takes/rename.js";

/** What made a revision, in the page's words where they know it. */
function causeName(cause) {
  const key = `cause.${cause}`;
  const text = translate(key);
  return text === key ? cause : text;
}

const MOST_SHOWN = 60; // newer than which every version has a row; those with names have one whatever their age

export class Versions {
  #editor;

  constructor(editor) {
    this.#editor = editor;
    editor.addEventListener("change", () => this.#draw());
    document.addEventListener("language", () => this.#draw());
    byId("versions").addEventListener("toggle", () => this.#draw());
  }

  #draw() {
    const list = byId("version-list");
    const { tree, isOpen } = this.#editor;
    byId("versions").hidden = !isOpen || tree.revisions.length < 2;
    if (byId("versions").hidden || !byId("versions").open || list.querySelector(".renaming")) return;
    const focused = document.activeElement?.dataset?.version;
    const newest = tree.revisions.length - MOST_SHOWN;
    const shown = tree.revisions.filter(({ name, number }, index) => name || number === tree.head || index >= newest);
    list.replaceChildren(...shown.reverse().map((revision) => this.#row(revision, revision.number === tree.head)));
    if (focused) list.querySelector(`[data-version="${focused}"]`)?.focus();
  }

  #row(revision, isCurrent) {
    const row = create("li", { className: "piece-row" });
    const open = create("button", { type: "button", className: "piece-open" });
    open.dataset.version = revision.number;
    open.setAttribute("aria-current", String(isCurrent));
    const cause = causeName(revision.cause);
    open.append(
      create("span", { className: "piece-name", textContent: (revision.number && revision.name) || cause }),
      create("span", { className: "piece-details", textContent: this.#details(revision, cause) }),
    );
    open.addEventListener("click", () => this.#editor.returnTo(revision.number));
    row.append(open);
    if (revision.number) row.append(this.#nameButton(open, revision));
    return row;
  }

  #details({ number, parent, name, created, note_count: count }, cause) {
    const parts = [translate("version", { number }), translateCount("notes", count), timeAgo(created)];
    if (name && number) parts.unshift(cause);
    if (parent !== null && parent !== number - 1) parts.push(translate("madeFrom", { number: parent }));
    return parts.join(" · ");
  }

  #nameButton(open, revision) {
    const button = create("button", { type: "button", className: "quiet", textContent: translate("nameVersion") });
    button.setAttribute("aria-label", translate("nameVersionNumber", { number: revision.number }));
    button.addEventListener("click", async () => {
      const name = await askName(open, revision.name);
      try {
        if (name !== null) await this.#editor.tree.rename(revision.number, name);
      } catch (error) {
        showError(error);
      }
      this.#draw();
    });
    return button;
  }
}

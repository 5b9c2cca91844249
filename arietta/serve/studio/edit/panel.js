/**
 * The tools above the roll, and below them what can be done with what is chosen: buttons for all that pointer and keys
 * can do, so that nobody needs either.
 */

import { byId } from "../page/dom.js";
import { clockTime } from "../page/format.js";
import { relabel, translate, translateCount } from "../page/i18n.js";
import { announce } from "../page/messages.js";

const STEP = 8; // of velocity
const LENGTH_STEP = 0.1; // seconds

export class EditPanel {
  #editor;
  #gestures;
  #spoken = "";

  /** `actions`: zoomRows(factor), colourBy(what), redraw(). */
  constructor(editor, gestures, actions) {
    this.#editor = editor;
    this.#gestures = gestures;
    for (const radio of document.querySelectorAll("[name=tool]")) radio.addEventListener("change", () => this.useTool(radio.value));
    byId("hands").addEventListener("change", ({ target }) => actions.colourBy(target.checked ? "hands" : "loudness"));
    const clicks = {
      "undo": () => editor.undo(),
      "redo": () => editor.redo(),
      "select-all": () => editor.chooseAll(),
      "paste": () => editor.paste(),
      "rows-taller": () => actions.zoomRows(1.3),
      "rows-flatter": () => actions.zoomRows(1 / 1.3),
      "edit-cut": () => editor.cut(),
      "edit-copy": () => editor.copy(),
      "edit-duplicate": () => editor.duplicate(),
      "edit-delete": () => editor.change("delete", "remove"),
      "edit-softer": () => editor.change("loudness", "louden", -STEP),
      "edit-louder": () => editor.change("loudness", "louden", STEP),
      "edit-shorter": () => editor.change("lengthen", "lengthen", -LENGTH_STEP),
      "edit-longer": () => editor.change("lengthen", "lengthen", LENGTH_STEP),
      "edit-lock": () => editor.change("lock", "lock", !this.#isLocked),
      "edit-pedal-down": () => this.#pedal("pressPedal"),
      "edit-pedal-up": () => this.#pedal("liftPedal"),
      "edit-clear": () => editor.clear(),
    };
    for (const [id, run] of Object.entries(clicks)) byId(id).addEventListener("click", run);
    editor.addEventListener("change", () => { this.#show(); actions.redraw(); });
    document.addEventListener("language", () => this.#show());
    this.#show();
  }

  /** Take a tool into the hand: "hand", "select" or "draw". */
  useTool(tool) {
    this.#gestures.tool = tool;
    byId("roll").dataset.tool = tool;
    document.querySelector(`[name=tool][value=${tool}]`).checked = true;
  }

  get #isLocked() {
    const { chosen } = this.#editor;
    return chosen.size > 0 && [...chosen].every(({ isLocked }) => isLocked);
  }

  #pedal(change) {
    const { span } = this.#editor;
    if (span) this.#editor.changePiece("pedal", change, span.start, span.end);
  }

  #show() {
    const { chosen, span, isOpen, tree, hasCopy } = this.#editor;
    byId("tools").disabled = !isOpen;
    byId("undo").disabled = !tree?.canUndo;
    byId("redo").disabled = !tree?.canRedo;
    byId("paste").disabled = !hasCopy;
    byId("selection").hidden = !span || !isOpen;
    byId("saved").textContent = isOpen && tree.isUnsaved ? translate("saving") : "";
    relabel(byId("edit-lock"), this.#isLocked ? "unlock" : "lock");
    for (const button of document.querySelectorAll("[data-needs=notes]")) button.disabled = chosen.size === 0;
    const text = span ? translate("chosen", { notes: translateCount("notes", chosen.size), from: clockTime(span.start), to: clockTime(span.end) }) : "";
    byId("selection-text").textContent = text;
    if (text && text !== this.#spoken) announce(text);
    this.#spoken = text;
  }
}

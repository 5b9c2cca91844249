/**
 * Below the roll: buttons that have what is selected written anew, and the takes of that as small tabs.
 */

import { preparePrompt } from "../api.js";
import { byId, create } from "../page/dom.js";
import { clockTime, decimal } from "../page/format.js";
import { translate, translateCount } from "../page/i18n.js";
import { showNotice } from "../page/messages.js";
import { statusLine } from "../takes/status.js";
import { planExtension, planPassage } from "./plan.js";

const REST_SECONDS = 0.3; // that a selection stays as it is before the server prepares for it

export class PassagePanel {
  #editor;
  #takes;
  #actions;
  #shown = -1; // how many takes have a tab
  #prepared = null; // the request that the server was last told of
  #timer = 0;

  /** `actions`: settings() of the form at the top, position() of the music. */
  constructor(editor, takes, actions) {
    this.#editor = editor;
    this.#takes = takes;
    this.#actions = actions;
    const clicks = {
      "again": () => this.write("regenerate"),
      "vary": () => this.write("vary"),
      "accompany": () => this.write("accompany"),
      "extend": () => this.extend(),
      "compare": () => takes.compare(),
      "more-takes": () => takes.add(),
      "keep-take": () => takes.keep(),
      "discard-takes": () => takes.discard(),
    };
    for (const [id, run] of Object.entries(clicks)) byId(id).addEventListener("click", run);
    byId("strength").addEventListener("input", () => this.#showStrength());
    for (const source of [editor, takes]) source.addEventListener("change", () => this.#show());
    editor.addEventListener("change", () => this.#prepareSoon());
    document.addEventListener("language", () => { this.#shown = -1; this.#showStrength(); this.#show(); });
    this.#showStrength();
    this.#show();
  }

  /** Have what is selected written anew, or what goes with it. */
  write(verb) {
    if (!this.#editor.isOpen) return null;
    if (!this.#editor.span) return showNotice(translate("selectFirst"));
    const how = { ...this.#how(), ...(verb === "vary" && { strength: Number(byId("strength").value) }) };
    return this.#takes.write(planPassage(this.#editor, verb, how));
  }

  /** Go on from the end of what is selected, or from where the music stands. */
  extend() {
    if (!this.#editor.isOpen) return null;
    const seconds = Number(byId("extend-seconds").value);
    if (!(seconds >= 1)) return showNotice(translate("lengthInvalid"));
    const at = this.#editor.span?.end ?? this.#actions.position();
    return this.#takes.write(planExtension(this.#editor, at, { ...this.#how(), seconds }));
  }

  #prepareSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#prepare(), 1000 * REST_SECONDS);
  }

  /** Have the server take in what is around the selection, so that Again begins at once. */
  #prepare() {
    const { isOpen, span, tree } = this.#editor;
    if (!isOpen || !span || tree.isUnsaved) return; // once it is saved, there is another change
    const request = { ...planPassage(this.#editor, "regenerate", this.#how()).request, count: 1 };
    const prepared = JSON.stringify([tree.head, request]);
    if (prepared === this.#prepared) return;
    this.#prepared = prepared;
    preparePrompt(request).catch(() => {}); // it was only to be quicker
  }

  #how() {
    return { ...this.#actions.settings(), count: Number(document.querySelector("[name=passage-count]:checked").value) };
  }

  #showStrength() {
    const { value } = byId("strength");
    const text = `${Math.round(100 * value)} %`;
    byId("strength-text").textContent = text;
    byId("strength").setAttribute("aria-valuetext", text);
  }

  #show() {
    const { isOpen, span } = this.#editor;
    for (const id of ["rewrite", "wishes"]) byId(id).hidden = !isOpen;
    byId("curve").hidden = !byId("wishes").open;
    for (const id of ["again", "vary", "accompany"]) byId(id).disabled = !span;
    byId("passage").hidden = !this.#takes.isOpen;
    byId("keep-take").disabled = !this.#takes.canKeep;
    byId("more-takes").disabled = !this.#takes.canAdd;
    if (!this.#takes.isOpen) {
      this.#shown = -1;
      return;
    }
    this.#showTabs();
    byId("passage-text").textContent = this.#text();
  }

  #showTabs() {
    const { takes, number } = this.#takes;
    const tabs = byId("passage-tabs");
    if (this.#shown !== takes.length) {
      const hadFocus = this.#shown < 0 || tabs.contains(document.activeElement);
      tabs.replaceChildren(...Array.from({ length: takes.length + 1 }, (_, index) => this.#tab(index)));
      if (hadFocus) tabs.querySelectorAll("input")[number].focus({ preventScroll: true });
      this.#shown = takes.length;
    }
    tabs.querySelectorAll("input").forEach((input, index) => { input.checked = index === number; });
    tabs.querySelectorAll("label").forEach((label, index) => label.classList.toggle("running", Boolean(takes[index - 1]?.take.isRunning)));
  }

  #tab(index) {
    const label = create("label");
    const input = create("input", { type: "radio", name: "passage-take", value: index });
    input.setAttribute("aria-label", index ? translate("take", { number: index }) : translate("asItWas"));
    input.addEventListener("change", () => this.#takes.chooseNumber(index));
    label.append(input, create("span", { textContent: index || translate("asItWas") }));
    return label;
  }

  /** Where the passage is, and how the take that is heard stands. */
  #text() {
    const { plan, current } = this.#takes;
    const parts = [translate(`cause.${plan.cause}`), translate("fromTo", { from: clockTime(plan.start), to: clockTime(plan.end) })];
    if (!current) return parts.join(" · ");
    if (current.take.isDone && current.take.piece.figures) parts.push(translateCount("newOnes", current.take.piece.figures.notes));
    else if (current.take.isRunning) parts.push(translateCount("newOnes", current.take.sequence.notes.filter(({ isGiven }) => !isGiven).length), translate("composing"));
    else parts.push(statusLine(current.take));
    const nats = likelihood(current);
    if (nats !== null) parts.push(translate(current.take.piece.figures.nats_per_token ? "natsPerToken" : "natsPerNote", { count: decimal(nats, 2) }));
    const measured = this.#takes.takes.map(likelihood).filter((count) => count !== null);
    if (measured.length > 1 && nats === Math.min(...measured)) parts.push(translate("likeliestTake"));
    return parts.join(" · ");
  }
}

/** By what takes are ranked, fewer being likelier: nats per token of a passage, of an extension per note. */
function likelihood({ take }) {
  const { figures } = take.piece;
  return figures?.nats_per_token?.both ?? figures?.nll_per_note ?? null;
}

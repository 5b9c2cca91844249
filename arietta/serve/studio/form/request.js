/**
 * The form that asks for a piece: composer, length, mood of the dice, takes, seed, model, and what to begin with.
 *
 * `read` gives what the HTTP API takes; `use` fills the form with the request of a piece there is.
 */

import { fullName, moodName, surnameFirst } from "../page/format.js";
import { recall, remember } from "../page/preferences.js";
import { say } from "../page/i18n.js";

const LENGTHS = { notes: 300, seconds: 60 };
const LARGEST_SEED = 2 ** 32;
const REMEMBERED = ["style", "unit", "extent", "mood", "model", "guidance"];
const PANELS = { nothing: null, file: "begin-file", phrase: "begin-phrase", piece: null };

export class RequestForm {
  #form;
  #fields;
  #models = [];
  #sampling = null; // of the request in use, exactly, until the mood or the manner is moved

  /** `onCompose` is called when the musician asks; `onBeginning` when what to begin with changes. */
  constructor(form, { onCompose, onBeginning }) {
    this.#form = form;
    this.#fields = form.elements;
    form.addEventListener("submit", (event) => { event.preventDefault(); onCompose(); });
    form.addEventListener("change", (event) => this.#changed(event, onBeginning));
    form.mood.addEventListener("input", () => { this.#sampling = null; this.#showMood(); });
    form.querySelector("#dice").addEventListener("click", () => this.rollDice());
    document.addEventListener("language", () => this.#localise());
  }

  /** Offer the server's models, and the composers that the chosen one knows. */
  offer(models) {
    this.#models = models;
    this.#fields.model.replaceChildren(...models.map(({ name, title }) => new Option(title || name, name)));
    const usual = models.find(({ is_default: isDefault }) => isDefault) ?? models[0];
    this.#fields.model.value = usual.name;
    this.#recall();
    this.#localise();
  }

  get beginning() {
    return this.#fields.beginning.value;
  }

  set beginning(beginning) {
    this.#fields.beginning.value = beginning;
    this.#showBeginning();
  }

  /** What to ask of the server, without what to begin with. Raises RangeError with words where a number is missing. */
  read() {
    const { style, model, unit, mood, guidance, seed, count } = this.#fields;
    const length = Number(this.#fields.extent.value);
    if (!(length >= 1)) throw this.#wrong("extent", "lengthWrong");
    if (seed.value !== "" && !(seed.validity.valid && Number.isInteger(Number(seed.value)))) throw this.#wrong("seed", "seedWrong");
    return {
      [unit.value]: length,
      style: style.value,
      model: model.value,
      ...(this.#sampling ?? { temperature: Number(mood.value), guidance: Number(guidance.value) }),
      count: Number(count.value),
      ...(Number(count.value) > 1 && { best: 1 }),
      ...(seed.value !== "" && { seed: Number(seed.value) }),
    };
  }

  /** Fill the form with the request of a piece, so that composing gives it again. */
  use(request) {
    const unit = request.notes ? "notes" : "seconds";
    if (this.#models.some(({ name }) => name === request.model)) this.#fields.model.value = request.model;
    this.#showModel();
    Object.assign(this.#fields.unit, { value: unit });
    Object.assign(this.#fields.extent, { value: request[unit] });
    Object.assign(this.#fields.mood, { value: request.temperature });
    const { temperature, top_p, min_p, guidance } = request;
    this.#sampling = { temperature, top_p, min_p, guidance };
    this.#showGuidance(guidance);
    Object.assign(this.#fields.seed, { value: request.seed });
    this.#fields.count.value = "1";
    this.#choose(this.#fields.style, fullName(request.style));
    this.#showStyle();
    this.#form.querySelector("#more").open = true;
    this.#showMood();
  }

  rollDice() {
    this.#form.querySelector("#more").open = true;
    this.#fields.seed.value = Math.floor(Math.random() * LARGEST_SEED);
  }

  /** Say whether the piece on the stage can be gone on from. */
  allowPiece(isAllowed) {
    const piece = this.#form.querySelector("[name=beginning][value=piece]");
    piece.disabled = !isAllowed || !this.#canContinue;
    if (piece.disabled && piece.checked) this.beginning = "nothing";
  }

  get #model() {
    return this.#models.find(({ name }) => name === this.#fields.model.value);
  }

  get #canContinue() {
    return this.#model?.can_continue ?? true;
  }

  #changed({ target }, onBeginning) {
    if (target.name === "model") this.#showModel();
    if (target.name === "guidance") this.#sampling = null;
    if (target.name === "style") this.#showStyle();
    if (target.name === "unit") this.#fields.extent.value = LENGTHS[target.value];
    if (target.name === "beginning") this.#showBeginning();
    target.removeAttribute("aria-invalid");
    for (const name of REMEMBERED) remember(`request.${name}`, this.#fields[name].value);
    if (["beginning", "model"].includes(target.name)) onBeginning(this.beginning);
  }

  #recall() {
    const model = recall("request.model", "");
    if (this.#models.some(({ name }) => name === model)) this.#fields.model.value = model;
    this.#showModel();
    for (const name of REMEMBERED) {
      const value = recall(`request.${name}`, null);
      if (value !== null && name !== "model") this.#choose(this.#fields[name], value);
    }
  }

  /** Choose a value, where there is such an option. */
  #choose(field, value) {
    if (!field.options || [...field.options].some((option) => option.value === value)) field.value = value;
  }

  #localise() {
    this.#showModel();
    this.#showMood();
    this.#showBeginning();
  }

  /** In no composer's manner there is none to follow. */
  #showStyle() {
    this.#fields.guidance.disabled = this.#fields.style.value === "any";
  }

  /** Choose a strength of the manner; one that no option has gets its own. */
  #showGuidance(guidance) {
    const { options } = this.#fields.guidance;
    if (![...options].some(({ value }) => Number(value) === guidance)) options.add(new Option(guidance, guidance));
    this.#fields.guidance.value = guidance;
  }

  #showMood() {
    const word = moodName(Number(this.#fields.mood.value));
    this.#form.querySelector("#mood-word").textContent = word;
    this.#fields.mood.setAttribute("aria-valuetext", word);
  }

  #showModel() {
    const model = this.#model;
    if (!model) return;
    const { style, unit } = this.#fields;
    const chosen = style.value;
    const names = [...model.styles].sort((a, b) => surnameFirst(a).localeCompare(surnameFirst(b)));
    style.replaceChildren(new Option(say("anyComposer"), "any"), ...names.map((name) => new Option(surnameFirst(name), name)));
    this.#choose(style, chosen || "any");
    style.disabled = names.length === 0;
    this.#showStyle();
    unit.options[1].disabled = !model.can_continue;
    if (!model.can_continue && unit.value === "seconds") Object.assign(unit, { value: "notes" });
    for (const radio of this.#fields.beginning) if (radio.value !== "nothing" && radio.value !== "piece") radio.disabled = !model.can_continue;
    if (!model.can_continue) this.beginning = "nothing";
    this.#form.querySelector("#model-note").textContent = [model.summary, model.licence].filter(Boolean).join(" ");
  }

  #showBeginning() {
    for (const [beginning, id] of Object.entries(PANELS)) {
      if (id) this.#form.querySelector(`#${id}`).hidden = beginning !== this.beginning;
    }
  }

  #wrong(name, key) {
    const field = this.#fields[name];
    field.setAttribute("aria-invalid", "true");
    if (name === "seed") this.#form.querySelector("#more").open = true;
    field.focus();
    return new RangeError(say(key));
  }
}

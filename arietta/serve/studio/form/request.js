/**
 * The form that asks for a piece: style, length, tempo and metre, temperature, takes, seed, model, guidance, and what to begin with.
 *
 * `read` gives what the HTTP API takes; `use` fills the form with the request of a piece.
 */

import { fullName, surnameFirst, temperatureName } from "../page/format.js";
import { translate } from "../page/i18n.js";
import { loadPreference, savePreference } from "../page/preferences.js";

const DEFAULT_LENGTHS = { notes: 300, seconds: 60, bars: 16 };
const SEED_COUNT = 2 ** 32; // seeds are 32 bits wide
// Fields that are saved, with the names they have in storage, which stay so that no musician loses a choice.
const SAVED_AS = { style: "style", unit: "unit", extent: "extent", bpm: "bpm", metre: "metre", temperature: "mood", model: "model", guidance: "guidance" };
const PANELS = { "begin-file": ["file"], "begin-phrase": ["phrase"], "begin-at": ["file", "piece"] };

export class RequestForm {
  #form;
  #fields;
  #models = [];
  #sampling = null; // of the request in use, exactly, until temperature or guidance are changed

  /** `onCompose` is called when the musician asks; `onBeginning` when what to begin with changes. */
  constructor(form, { onCompose, onBeginning }) {
    this.#form = form;
    this.#fields = form.elements;
    form.addEventListener("submit", (event) => { event.preventDefault(); onCompose(); });
    form.addEventListener("change", (event) => this.#handleChange(event, onBeginning));
    form.temperature.addEventListener("input", () => { this.#sampling = null; this.#showTemperature(); });
    form.querySelector("#random-seed").addEventListener("click", () => this.drawSeed());
    document.addEventListener("language", () => this.#show());
  }

  /** Offer the server's models, and the composers that the chosen one knows. */
  offer(models) {
    this.#models = models;
    this.#fields.model.replaceChildren(...models.map(({ name, title }) => new Option(title || name, name)));
    const defaultModel = models.find(({ is_default: isDefault }) => isDefault) ?? models[0];
    this.#fields.model.value = defaultModel.name;
    this.#restore();
    this.#show();
  }

  get beginning() {
    return this.#fields.beginning.value;
  }

  set beginning(beginning) {
    this.#fields.beginning.value = beginning;
    this.#showBeginning();
  }

  /** What to ask of the server, without what to begin with. Throws a RangeError with a sentence where a number is missing. */
  read() {
    const { style, model, unit, seed, count } = this.#fields;
    const length = Number(this.#fields.extent.value);
    if (!(length >= 1)) throw this.#reject("extent", "lengthInvalid");
    if (seed.value !== "" && !(seed.validity.valid && Number.isInteger(Number(seed.value)))) throw this.#reject("seed", "seedInvalid");
    return {
      [unit.value]: length,
      ...this.#pulse(),
      style: style.value,
      model: model.value,
      ...(this.#sampling ?? this.#chosenSampling()),
      count: Number(count.value),
      ...(Number(count.value) > 1 && { best: 1 }),
      ...(seed.value !== "" && { seed: Number(seed.value) }),
    };
  }

  /** What of the form holds for passages too: the model, and a seed where there is one. */
  passageSettings() {
    const { model, seed } = this.#fields;
    return { model: model.value, ...(seed.value !== "" && seed.validity.valid && { seed: Number(seed.value) }) };
  }

  /** Fill the form with the request of a piece, so that composing gives it again. */
  use(request) {
    const unit = request.notes ? "notes" : request.bars ? "bars" : "seconds";
    if (this.#models.some(({ name }) => name === request.model)) this.#fields.model.value = request.model;
    this.#showModel();
    const { temperature, top_p, min_p, guidance } = request;
    this.#sampling = { temperature, top_p, min_p, guidance }; // the slider has steps, and top-p no field
    this.#fields.unit.value = unit;
    this.#fields.extent.value = request[unit];
    this.#fields.bpm.value = request.bpm ?? "";
    this.#offer(this.#fields.metre, request.metre ?? "");
    this.#fields.temperature.value = temperature;
    this.#fields.seed.value = request.seed;
    this.#showGuidance(guidance);
    this.#fields.count.value = "1";
    this.#choose(this.#fields.style, fullName(request.style));
    this.#showStyle();
    this.#form.querySelector("#more").open = true;
    this.#showTemperature();
  }

  /** Fill in a random seed, which the musician can note down. */
  drawSeed() {
    this.#form.querySelector("#more").open = true;
    this.#fields.seed.value = Math.floor(Math.random() * SEED_COUNT);
  }

  /** Set whether the piece on the stage can be continued. */
  allowContinuing(isAllowed) {
    const piece = this.#form.querySelector("[name=beginning][value=piece]");
    piece.disabled = !isAllowed || !this.#canContinue;
    if (piece.disabled && piece.checked) this.beginning = "nothing";
  }

  /** What was moved from where it begins: all else is left to the model, which has its own best values. */
  #chosenSampling() {
    const { temperature, guidance } = this.#fields;
    const isGuided = guidance.value !== "" && !guidance.disabled;
    return {
      ...(temperature.value !== temperature.defaultValue && { temperature: Number(temperature.value) }),
      ...(isGuided && { guidance: Number(guidance.value) }),
    };
  }

  /** Tempo and metre, where music is asked for in them; what is given has its own. */
  #pulse() {
    const { bpm, metre, unit } = this.#fields;
    if (bpm.disabled || (bpm.value === "" && bpm.validity.valid && metre.value === "")) return {};
    if (!bpm.validity.valid) throw this.#reject("bpm", "bpmInvalid");
    if (bpm.value === "") throw this.#reject("bpm", "pulseIncomplete");
    if (metre.value === "") throw this.#reject("metre", "pulseIncomplete");
    if (unit.value === "seconds") throw this.#reject("unit", "pulseSeconds");
    return { bpm: Number(bpm.value), metre: metre.value };
  }

  get #model() {
    return this.#models.find(({ name }) => name === this.#fields.model.value);
  }

  get #canContinue() {
    return this.#model?.can_continue ?? true;
  }

  #handleChange({ target }, onBeginning) {
    if (target.name === "model") this.#showModel();
    if (target.name === "guidance") this.#sampling = null;
    if (target.name === "style") this.#showStyle();
    if (target.name === "unit") this.#fields.extent.value = DEFAULT_LENGTHS[target.value];
    if (target.name === "beginning") this.#showBeginning();
    target.removeAttribute("aria-invalid");
    for (const [name, key] of Object.entries(SAVED_AS)) savePreference(`request.${key}`, this.#fields[name].value);
    if (["beginning", "model"].includes(target.name)) onBeginning(this.beginning);
  }

  #restore() {
    const model = loadPreference("request.model", "");
    if (this.#models.some(({ name }) => name === model)) this.#fields.model.value = model;
    this.#showModel();
    for (const [name, key] of Object.entries(SAVED_AS)) {
      const saved = loadPreference(`request.${key}`, null);
      if (saved !== null && name !== "model") this.#choose(this.#fields[name], saved);
    }
  }

  /** Choose a value, where there is such an option. */
  #choose(field, value) {
    if (!field.options || [...field.options].some((option) => option.value === value)) field.value = value;
  }

  #show() {
    this.#showModel();
    this.#showTemperature();
    this.#showBeginning();
  }

  /** Guidance follows a style: there is none where any composer will do. */
  #showStyle() {
    this.#fields.guidance.disabled = this.#fields.style.value === "any";
  }

  /** Choose a guidance; one that no option has, asked for by another client, gets its own. */
  #showGuidance(guidance) {
    const { options } = this.#fields.guidance;
    if (![...options].some(({ value }) => Number(value) === guidance)) options.add(new Option(guidance, guidance));
    this.#fields.guidance.value = guidance;
  }

  /** Choose a text, which is offered from then on. */
  #offer(field, text) {
    if (![...field.options].some(({ value }) => value === text)) field.options.add(new Option(text, text));
    field.value = text;
  }

  #showTemperature() {
    const name = temperatureName(Number(this.#fields.temperature.value));
    this.#form.querySelector("#temperature-text").textContent = name;
    this.#fields.temperature.setAttribute("aria-valuetext", name);
  }

  #showModel() {
    const model = this.#model;
    if (!model) return;
    const { style, unit } = this.#fields;
    const chosen = style.value;
    const names = [...model.styles].sort((a, b) => surnameFirst(a).localeCompare(surnameFirst(b)));
    style.replaceChildren(new Option(translate("anyComposer"), "any"), ...names.map((name) => new Option(surnameFirst(name), name)));
    this.#choose(style, chosen || "any");
    style.disabled = names.length === 0;
    this.#showStyle();
    for (const option of unit.options) option.disabled = option.value !== "notes" && !model.can_continue;
    if (!model.can_continue) unit.value = "notes";
    for (const radio of this.#fields.beginning) if (["file", "phrase"].includes(radio.value)) radio.disabled = !model.can_continue;
    if (!model.can_continue) this.beginning = "nothing";
    this.#form.querySelector("#model-note").textContent = [model.summary, model.licence].filter(Boolean).join(" ");
  }

  #showBeginning() {
    for (const [id, beginnings] of Object.entries(PANELS)) {
      this.#form.querySelector(`#${id}`).hidden = !beginnings.includes(this.beginning);
    }
    for (const name of ["bpm", "metre"]) this.#fields[name].disabled = this.beginning !== "nothing";
  }

  #reject(name, key) {
    const field = this.#fields[name];
    field.setAttribute("aria-invalid", "true");
    if (name === "seed") this.#form.querySelector("#more").open = true;
    field.focus();
    return new RangeError(translate(key));
  }
}

/**
 * The page's text in the musician's language: `translate("progressNotes", { done: 10, total: 300 })`.
 *
 * Markup names its text by attributes: data-i18n (text), data-i18n-label (aria-label), data-i18n-title,
 * data-i18n-placeholder. A language is a file in strings/; what is counted has a form for one and a form for others.
 */

import en from "./strings/en.js";
import es from "./strings/es.js";
import { loadPreference, savePreference } from "./preferences.js";

export const LANGUAGES = { en, es };
const ATTRIBUTES = { "label": "aria-label", "title": "title", "placeholder": "placeholder" };
let language = "en";

export const currentLanguage = () => language;

/** Choose the saved language, or else the browser's first that there is; `select` changes it. */
export function startLanguage(select) {
  const wanted = [loadPreference("language", ""), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  setLanguage(wanted.find((tag) => tag in LANGUAGES) ?? "en");
  select.value = language;
  select.addEventListener("change", () => {
    savePreference("language", select.value);
    setLanguage(select.value);
  });
}

function setLanguage(tag) {
  language = tag;
  document.documentElement.lang = tag; // screen readers choose their voice by it
  translateMarkup();
  document.dispatchEvent(new Event("language"));
}

/** The text for a key, its {fields} filled in. */
export function translate(key, values = {}) {
  const text = LANGUAGES[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** The text for a number of something: its keys end in `.one` and `.other`. */
export function translateCount(key, count) {
  // A language may have more forms than the two that the strings know; all but "one" share a text.
  const form = new Intl.PluralRules(language).select(count) === "one" ? "one" : "other";
  return translate(`${key}.${form}`, { count: new Intl.NumberFormat(language).format(count) });
}

function translateMarkup() {
  for (const element of document.querySelectorAll("[data-i18n]")) element.textContent = translate(element.dataset.i18n);
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    const marker = `data-i18n-${name}`;
    for (const element of document.querySelectorAll(`[${marker}]`)) {
      element.setAttribute(attribute, translate(element.getAttribute(marker)));
    }
  }
}

/** Put another key on an element that is marked already. */
export function relabel(element, key) {
  if (element.hasAttribute("data-i18n-label")) {
    element.setAttribute("data-i18n-label", key);
    element.setAttribute("aria-label", translate(key));
  } else {
    element.dataset.i18n = key;
    element.textContent = translate(key);
  }
}

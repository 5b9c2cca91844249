/**
 * The page's words in the musician's language: `say("stop")`, `say("progressNotes", {done: 10, whole: 300})`.
 *
 * Markup names its words by attributes: data-say (text), data-say-label (aria-label), data-say-title, data-say-hint
 * (placeholder). A language is a file in strings/; what it counts has a form for one and a form for others.
 */

import en from "./strings/en.js";
import es from "./strings/es.js";
import { recall, remember } from "./preferences.js";

export const LANGUAGES = { en, es };
const ATTRIBUTES = { sayLabel: "aria-label", sayTitle: "title", sayHint: "placeholder" };
let language = "en";

export const currentLanguage = () => language;

/** Choose the language remembered, or the browser's first that there is. */
export function startWords() {
  const wished = [recall("language", ""), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  useLanguage(wished.find((tag) => tag in LANGUAGES) ?? "en");
}

export function useLanguage(tag) {
  language = tag;
  document.documentElement.lang = tag;
  applyWords(document);
  document.dispatchEvent(new Event("language"));
}

export function chooseLanguage(tag) {
  remember("language", tag);
  useLanguage(tag);
}

/** The words for a key, its {places} filled in. */
export function say(key, values = {}) {
  const words = LANGUAGES[language][key] ?? key;
  return words.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** The words for so many of something: keys end in `.one` and `.other`. */
export function sayCount(key, count) {
  const form = new Intl.PluralRules(language).select(count) === "one" ? "one" : "other";
  return say(`${key}.${form}`, { count: new Intl.NumberFormat(language).format(count) });
}

/** Fill in the words of all marked elements below `root`. */
export function applyWords(root) {
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    const selector = `[data-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}]`;
    for (const element of root.querySelectorAll(selector)) element.setAttribute(attribute, say(element.dataset[name]));
  }
}

/** Put a new key on an element that is marked already. */
export function relabel(element, key) {
  const name = "sayLabel" in element.dataset ? "sayLabel" : "say";
  element.dataset[name] = key;
  if (name === "say") element.textContent = say(key);
  else element.setAttribute("aria-label", say(key));
}

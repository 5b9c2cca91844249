/**
 * Puts music's numbers into words: keys, times, composers, dates, what a piece was asked to be.
 */

import { currentLanguage, say, sayCount } from "./i18n.js";

const LETTERS = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const PARTICLES = new Set(["van", "von", "de", "di", "da", "del"]);

/** Middle C, key 60, is C4. */
export const keyName = (pitch) => `${LETTERS[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

export const isBlack = (pitch) => [1, 3, 6, 8, 10].includes(pitch % 12);

/** 75.4 -> "1:15". */
export function clockTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function decimal(value, digits = 1) {
  return new Intl.NumberFormat(currentLanguage(), { maximumFractionDigits: digits }).format(value);
}

/** "Ludwig van Beethoven" -> "Beethoven, Ludwig van": sorted and found by surname. */
export function surnameFirst(name) {
  if (name.includes("/")) return name;
  const words = name.split(" ");
  const surname = words.pop();
  return words.length ? `${surname}, ${words.join(" ")}` : surname;
}

let composers = [];

/** Learn the composers that there are, so that pieces asked for as "chopin" are told as Frédéric Chopin's. */
export function learnComposers(names) {
  composers = names;
}

/** The composer's full name, for one that was asked for by surname or without accents. */
export function fullName(style) {
  const wished = folded(style);
  return composers.find((name) => folded(name) === wished || (!name.includes("/") && folded(surname(name)) === wished)) ?? style;
}

const folded = (name) => name.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** "Ludwig van Beethoven" -> "Beethoven". */
export function surname(name) {
  const words = name.split(" ").filter((word) => !PARTICLES.has(word));
  return name.includes("/") ? name : (words.at(-1) ?? name);
}

export function styleName(style) {
  return !style || style === "any" ? say("anyComposer") : fullName(style);
}

/** "300 notes" or "60 seconds". */
export function lengthName({ notes, seconds }) {
  return notes ? sayCount("notes", notes) : sayCount("seconds", seconds);
}

/** "5 minutes ago". */
export function since(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  if (unit === "second") return say("justNow");
  return new Intl.RelativeTimeFormat(currentLanguage(), { numeric: "auto" }).format(Math.round(seconds / size), unit);
}

export function fullDate(iso) {
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "long", timeStyle: "short" }).format(new Date(iso));
}

const MOODS = [[0.72, "calm"], [0.87, "gentle"], [1.02, "free"], [1.17, "bold"]];

/** The mood of the dice in a word, for a temperature. */
export const moodName = (temperature) => say(`mood.${MOODS.find(([most]) => temperature <= most)?.[1] ?? "daring"}`);

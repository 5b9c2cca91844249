/**
 * Formats music's numbers and names as text: keys, times, composers, dates, what a piece was asked to be.
 */

import { currentLanguage, translate, translateCount } from "./i18n.js";

const PITCH_NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const BLACK_KEYS = [1, 3, 6, 8, 10]; // semitones above C
const PARTICLES = new Set(["van", "von", "de", "di", "da", "del"]);

/** Middle C, key 60, is C4. */
export const keyName = (pitch) => `${PITCH_NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

export const isBlack = (pitch) => BLACK_KEYS.includes(pitch % 12);

/** 75.4 -> "1:15". */
export function clockTime(seconds) {
  const wholeSeconds = Math.max(0, Math.floor(seconds));
  return `${Math.floor(wholeSeconds / 60)}:${String(wholeSeconds % 60).padStart(2, "0")}`;
}

export function decimal(number, digits = 1) {
  return new Intl.NumberFormat(currentLanguage(), { maximumFractionDigits: digits }).format(number);
}

/** "Ludwig van Beethoven" -> "Beethoven, Ludwig van": the order in which one looks for a composer. */
export function surnameFirst(name) {
  if (name.includes("/")) return name; // a name with a slash is no single person's
  const words = name.split(" ");
  const surname = words.pop();
  return words.length ? `${surname}, ${words.join(" ")}` : surname;
}

let composers = [];

/** Set the composers that there are, so that a piece asked for as "chopin" is shown as Frédéric Chopin's. */
export function setComposers(names) {
  composers = names;
}

/** The composer's full name, for one that was asked for by surname or without accents. */
export function fullName(style) {
  const wanted = fold(style);
  return composers.find((name) => fold(name) === wanted || (!name.includes("/") && fold(surname(name)) === wanted)) ?? style;
}

/** Without accents and capitals. */
const fold = (name) => name.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** "Ludwig van Beethoven" -> "Beethoven". */
export function surname(name) {
  const words = name.split(" ").filter((word) => !PARTICLES.has(word));
  return name.includes("/") ? name : (words.at(-1) ?? name);
}

export function styleName(style) {
  return !style || style === "any" ? translate("anyComposer") : fullName(style);
}

/** "300 notes", "60 seconds", also of a passage, or "16 bars". */
export function lengthName({ notes, seconds: asked, passage, bars }) {
  if (bars) return translateCount("barsAsked", bars);
  const seconds = asked ?? Math.round(passage ? passage.to - passage.from : 0);
  return notes ? translateCount("notes", notes) : translateCount("seconds", seconds);
}

/** "5 minutes ago". */
export function timeAgo(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const largest = units.find(([, size]) => Math.abs(seconds) >= size);
  if (!largest) return translate("justNow");
  const [unit, size] = largest;
  return new Intl.RelativeTimeFormat(currentLanguage(), { numeric: "auto" }).format(Math.round(seconds / size), unit);
}

export function fullDate(iso) {
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "long", timeStyle: "short" }).format(new Date(iso));
}

// Halfway between the slider's 0.6 and 1.3, 0.95 is the default and lies in the middle of "balanced".
const TEMPERATURES = [[0.72, "careful"], [0.87, "gentle"], [1.02, "balanced"], [1.17, "bold"]];

/** A sampling temperature as a word from "careful" to "daring". */
export function temperatureName(temperature) {
  const name = TEMPERATURES.find(([highest]) => temperature <= highest)?.[1] ?? "daring";
  return translate(`temperature.${name}`);
}

/**
 * Light or dark: as the system has it, until the musician says otherwise.
 *
 * The dark colours are a style sheet of their own, whose `media` is switched; so nothing flashes while the page loads.
 */

import { recall, remember } from "./preferences.js";

const SYSTEM = "(prefers-color-scheme: dark)";
const system = matchMedia(SYSTEM);
const sheet = document.querySelector("#dark-sheet");

const isDark = () => (recall("theme", "") || (system.matches ? "dark" : "light")) === "dark";

export function startTheme() {
  apply();
  system.addEventListener("change", apply);
}

export function switchTheme() {
  remember("theme", isDark() ? "light" : "dark");
  apply();
}

function apply() {
  const chosen = recall("theme", "");
  sheet.media = { dark: "all", light: "not all" }[chosen] ?? SYSTEM;
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  requestAnimationFrame(() => document.dispatchEvent(new Event("theme")));
}

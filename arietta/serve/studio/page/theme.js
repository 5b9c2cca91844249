/**
 * Light or dark: as the system has it, until the musician chooses.
 *
 * The dark colours are a style sheet of their own, whose `media` is switched; so nothing flashes while the page loads.
 */

import { byId } from "./dom.js";
import { loadPreference, savePreference } from "./preferences.js";

const DARK = "(prefers-color-scheme: dark)";
const system = matchMedia(DARK);

const isDark = () => (loadPreference("theme", "") || (system.matches ? "dark" : "light")) === "dark";

export function startTheme(button) {
  applyTheme();
  system.addEventListener("change", applyTheme);
  button.addEventListener("click", switchTheme);
}

export function switchTheme() {
  savePreference("theme", isDark() ? "light" : "dark");
  applyTheme();
}

function applyTheme() {
  const chosen = loadPreference("theme", "");
  byId("dark-sheet").media = { dark: "all", light: "not all" }[chosen] ?? DARK;
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  // Canvases read their colours from the style sheet, which is applied by the next frame.
  requestAnimationFrame(() => document.dispatchEvent(new Event("theme")));
}

/**
 * Saves a musician's choices on this machine: language, light or dark, volume, reverb, what was asked for last.
 *
 * Where a browser forbids storage the choices last as long as the page.
 */

const PREFIX = "arietta."; // other pages of the same origin share the storage
const unsaved = new Map();

export function savePreference(name, value) {
  unsaved.set(name, value);
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // a private window or a full disk: `unsaved` has it until the page is closed
  }
}

export function loadPreference(name, fallback) {
  if (unsaved.has(name)) return unsaved.get(name);
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? fallback;
  } catch {
    return fallback; // storage is forbidden, or another program wrote what is no JSON
  }
}

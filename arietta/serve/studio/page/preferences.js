/**
 * Remembers a musician's choices on this machine: language, light or dark, volume, tempo of work.
 *
 * Where a browser forbids storage the choices last as long as the page.
 */

const PREFIX = "arietta.";
const fallback = new Map();

export function remember(name, value) {
  fallback.set(name, value);
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // kept in `fallback`
  }
}

export function recall(name, otherwise) {
  if (fallback.has(name)) return fallback.get(name);
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

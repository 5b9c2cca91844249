/**
 * What the page says to the musician: a notice that stays until it is closed, a toast that offers to undo, and
 * announcements that screen readers speak. Errors become sentences here; the server's own sentence is shown as it is.
 */

import { Refusal, Unreachable } from "../api.js";
import { byId } from "./dom.js";
import { translate } from "./i18n.js";

const TOAST_SECONDS = 10;
const TOAST_EXTENSION_SECONDS = 3; // while the pointer or the focus is on it
let closeToast = () => {};

export function startMessages() {
  byId("notice-close").addEventListener("click", hideNotice);
  addEventListener("pagehide", () => closeToast());
}

/** Have a screen reader say something when it has finished its sentence. */
export function announce(text) {
  byId("live").textContent = text;
}

/** Show a notice; `action` is {key, run} for its button. */
export function showNotice(text, action = null) {
  byId("notice-text").textContent = text;
  const button = byId("notice-action");
  button.hidden = !action;
  if (action) {
    button.textContent = translate(action.key);
    button.onclick = () => { hideNotice(); action.run(); };
  }
  byId("notice").hidden = false;
}

export function hideNotice() {
  byId("notice").hidden = true;
}

/** Say what went wrong, and offer to try again where that may help. */
export function showError(error, retry = null) {
  const isExpected = error instanceof Refusal || error instanceof Unreachable;
  if (!isExpected) console.error(error); // a bug of the page: the console has the line
  showNotice(errorText(error), retry && { key: "tryAgain", run: retry });
}

function errorText(error) {
  if (error instanceof Unreachable) return translate("unreachable");
  if (!(error instanceof Refusal)) return translate("unexpected", { detail: error.message });
  if (error.status === 404) return translate("notFound");
  if (error.status === 429) return translate("busy", { seconds: error.retrySeconds ?? 5 });
  return translate("refused", { detail: error.detail });
}

/** Say for a while that something went well. */
export const showSuccess = (text) => showToast(text, null);

/** Offer to undo something for a while; `commit` runs when that time is over, also when the page is left. */
export function showToast(text, undo, commit = () => {}) {
  closeToast(); // commits what the toast before was about
  let timer = 0;
  const closeAfter = (seconds) => {
    const isInUse = () => byId("toast").matches(":hover, :focus-within");
    timer = setTimeout(() => (isInUse() ? closeAfter(TOAST_EXTENSION_SECONDS) : closeToast()), 1000 * seconds);
  };
  closeToast = (isUndone = false) => {
    clearTimeout(timer);
    closeToast = () => {};
    byId("toast").hidden = true;
    (isUndone ? undo : commit)();
  };
  byId("toast-text").textContent = text;
  byId("toast").hidden = false;
  byId("toast-undo").hidden = !undo;
  byId("toast-undo").onclick = () => closeToast(true);
  // The button that was pressed is often gone with what it removed; a keyboard would start from the top again.
  if (undo && document.activeElement === document.body) byId("toast-undo").focus();
  closeAfter(TOAST_SECONDS);
  announce(text);
}

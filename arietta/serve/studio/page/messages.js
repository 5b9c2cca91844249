/**
 * What the page tells: a notice that stays until it is dealt with, a toast that offers to undo, and what a screen
 * reader hears. Errors are said in words; the server's own sentence is shown as it is.
 */

import { Refusal, Unreachable } from "../api.js";
import { say } from "./i18n.js";

const TOAST_SECONDS = 10;
const part = (id) => document.querySelector(`#${id}`);
let forgetToast = () => {};

/** Say something aloud in a screen reader, politely. */
export function announce(text) {
  part("live").textContent = text;
}

/** Show a notice; `act` is {key, run} for its button. */
export function showNotice(text, act = null) {
  part("notice-text").textContent = text;
  const button = part("notice-act");
  button.hidden = !act;
  if (act) {
    button.textContent = say(act.key);
    button.onclick = () => { hideNotice(); act.run(); };
  }
  part("notice").hidden = false;
}

export function hideNotice() {
  part("notice").hidden = true;
}

/** Say what went wrong, and offer to try again where that may help. */
export function showError(error, again = null) {
  const isOurs = error instanceof Refusal || error instanceof Unreachable;
  if (!isOurs) console.error(error);
  const act = again && { key: "tryAgain", run: again };
  showNotice(errorText(error), act);
}

function errorText(error) {
  if (error instanceof Unreachable) return say("unreachable");
  if (!(error instanceof Refusal)) return say("unexpected", { detail: error.message });
  if (error.status === 404) return say("notFound");
  if (error.status === 429) return say("busy", { seconds: error.retrySeconds ?? 5 });
  return say("refused", { detail: error.detail });
}

/** Offer to undo something for a while; `settle` runs when that time is over, also when the page is left. */
export function showToast(text, undo, settle) {
  forgetToast();
  let timer = 0;
  const leave = (seconds) => { timer = setTimeout(() => (part("toast").matches(":hover, :focus-within") ? leave(3) : forgetToast()), 1000 * seconds); };
  forgetToast = (isUndone = false) => {
    clearTimeout(timer);
    forgetToast = () => {};
    part("toast").hidden = true;
    (isUndone ? undo : settle)();
  };
  part("toast-text").textContent = text;
  part("toast").hidden = false;
  part("toast-undo").onclick = () => forgetToast(true);
  if (document.activeElement === document.body) part("toast-undo").focus();
  leave(TOAST_SECONDS);
  announce(text);
}

export function startMessages() {
  part("notice-close").addEventListener("click", hideNotice);
  addEventListener("pagehide", () => forgetToast());
}

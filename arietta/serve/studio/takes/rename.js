/**
 * Renames in place: a name turns into a field; Enter or leaving it keeps the new name, Escape the old one.
 */

import { say } from "../page/i18n.js";

const LONGEST_NAME = 120;

/** Put a field where `element` is; resolves with the new name, or null where it stays as it was. */
export function askName(element, name) {
  const field = Object.assign(document.createElement("input"), { type: "text", value: name, maxLength: LONGEST_NAME, className: "renaming" });
  field.setAttribute("aria-label", say("newName"));
  element.hidden = true;
  element.after(field);
  field.focus();
  field.select();
  return new Promise((resolve) => {
    const finish = (isKept) => {
      field.onblur = null;
      const written = field.value.trim();
      field.remove();
      element.hidden = false;
      resolve(isKept && written && written !== name ? written : null);
    };
    field.onblur = () => finish(true);
    field.onkeydown = (event) => {
      if (!["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      finish(event.key === "Enter");
    };
  });
}

/**
 * Renames in place: a name turns into a field; Enter or leaving the field takes the new name, Escape keeps the old.
 */

import { create } from "../page/dom.js";
import { translate } from "../page/i18n.js";

const MAX_NAME_LENGTH = 120; // the server's limit

/** Put a field in the place of `element`; resolves with the new name, or null where it stays as it was. */
export function askName(element, name) {
  const field = create("input", { type: "text", value: name, maxLength: MAX_NAME_LENGTH, className: "renaming" });
  field.setAttribute("aria-label", translate("newName"));
  element.hidden = true;
  element.after(field);
  field.focus();
  field.select();
  return new Promise((resolve) => {
    const finish = (isAccepted) => {
      field.onblur = null; // removing the field blurs it
      const entered = field.value.trim();
      field.remove();
      element.hidden = false;
      resolve(isAccepted && entered && entered !== name ? entered : null);
    };
    field.onblur = () => finish(true);
    field.onkeydown = (event) => {
      if (!["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault();
      event.stopPropagation(); // Escape would also stop composing
      finish(event.key === "Enter");
    };
  });
}

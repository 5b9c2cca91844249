/**
 * Finds and makes elements of the page: a shorthand for what every other module does with the DOM.
 */

export const byId = (id) => document.getElementById(id);

/** Make an element; `properties` are assigned to it. */
export const create = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);

/** Make an icon of the sprite icons.svg, hidden from screen readers: the control around it has the label. */
export function createIcon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

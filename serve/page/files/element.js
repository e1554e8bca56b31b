// Elements made and found; text is always set as text, never as markup.

/** The element of an id in the page. */
export const byId = (id) => document.getElementById(id);

/** A new element: properties, among them `aria` and `data` as objects, then children. */
export function element(tag, { aria = {}, data = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(aria)) made.setAttribute(`aria-${name}`, value);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

/** Set a toggle button, and say which state it has now. */
export function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
  return pressed;
}

export const isPressed = (button) => button.getAttribute("aria-pressed") === "true";

/** A share, 0 to 1, as per cent: three digits at most. */
export function percent(share) {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  return `${(100 * share).toFixed(share >= 0.9995 ? 0 : 1)} %`;
}

/** Milliseconds: a digit after the point, as long as it says anything. */
export const milliseconds = (ms) => `${ms.toFixed(ms < 99.95 ? 1 : 0)} ms`;

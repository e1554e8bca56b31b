// One line about what is wrong, in the server's own words where they are its words.

import { byId } from "./element.js";

let origin = null;
let retry = null;

/** Show `text`; a new one replaces the old one. With `again`, a button calls it. */
export function notice(text, { from = null, again = null } = {}) {
  origin = from;
  retry = again;
  if (byId("message-text").textContent !== text) byId("message-text").textContent = text;
  byId("again").hidden = !again;
  byId("message").hidden = false;
}

/** Take the line away; with `from` only if it came from there. */
export function clearNotice(from = null) {
  if (from !== null && origin !== from) return;
  byId("message").hidden = true;
  byId("message-text").textContent = "";
}

/** What is wrong, and that the page does something about it; the server's words may say so already. */
export function tryingAgain(reason) {
  return reason.endsWith("again") ? `${reason} …` : `${reason.replace(/\.$/, "")}. Trying again …`;
}

/** For screen readers only. */
export function say(text) {
  byId("status").textContent = text;
}

byId("again").addEventListener("click", () => {
  const call = retry;
  clearNotice();
  call?.();
});
byId("dismiss").addEventListener("click", () => clearNotice());

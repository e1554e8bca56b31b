// The dialog that asks for the server's key. It is kept for this tab, until the tab is closed.

import { byId } from "./element.js";

/** The key that the person gives, or null. `reason` are the server's words. */
export function askForKey(reason) {
  const dialog = byId("key-dialog");
  byId("key-detail").textContent = reason;
  byId("key").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue || null), { once: true });
  });
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  byId("key-dialog").close(byId("key").value.trim());
});
byId("key-cancel").addEventListener("click", () => byId("key-dialog").close(""));

// The classes with their colours and shares; each can be hidden, and stands out while it is pointed at.

import { element, percent } from "./element.js";

export class Legend {
  #rows = new Map(); // name -> { row, box, shares: one element a model, bars }

  constructor({ list, columns, all }, classes, changed) {
    Object.assign(this, { list, columns, all, classes, changed });
    all.addEventListener("click", () => {
      classes.toggleAll(classes.allHidden);
      for (const [name, { box }] of this.#rows) box.checked = !classes.hidden.has(name);
      this.#toggled();
    });
  }

  /** Begin anew with the classes of these models. */
  build(models) {
    this.#rows.clear();
    this.list.replaceChildren(...[...this.classes.colours].map(([name, colour]) => this.#row(name, colour, models.length)));
    this.columns.replaceChildren(...models.map((name) => element("span", { title: name }, name)));
    this.columns.hidden = models.length === 1;
    this.#toggled();
  }

  /** @param each the shares of the classes by name, a map for each model */
  show(each) {
    for (const [name, { row, values, bars }] of this.#rows) {
      const found = each.map((shares) => shares?.get(name) ?? 0);
      row.classList.toggle("absent", found.every((share) => share === 0));
      found.forEach((share, model) => {
        values[model].textContent = share ? percent(share) : "–";
        bars[model].style.setProperty("width", `${100 * share}%`);
      });
    }
  }

  /** The largest first, by the shares of one model. */
  sort(shares) {
    const order = [...this.#rows].sort(([a], [b]) => (shares.get(b) ?? 0) - (shares.get(a) ?? 0));
    const focused = document.activeElement;
    this.list.append(...order.map(([, { row }]) => row));
    if (this.list.contains(focused)) focused.focus();
  }

  #row(name, [red, green, blue], models) {
    const box = element("input", { type: "checkbox", checked: !this.classes.hidden.has(name) });
    const swatch = element("span", { className: "swatch" });
    const values = Array.from({ length: models }, () => element("span", { className: "share" }));
    const bars = values.map(() => element("span", { className: "bar" }));
    const label = element("label", {}, box, swatch, element("span", { className: "name" }, name), ...values);
    const row = element("li", {}, label, element("div", { className: "bars", aria: { hidden: "true" } }, ...bars));
    row.style.setProperty("--colour", `rgb(${red} ${green} ${blue})`);
    box.addEventListener("change", () => {
      this.classes.toggle(name, box.checked);
      this.#toggled();
    });
    for (const [event, pointed] of [["pointerenter", name], ["pointerleave", null], ["focusin", name], ["focusout", null]]) {
      row.addEventListener(event, (happened) => happened.pointerType !== "touch" && this.#point(pointed, event));
    }
    this.#rows.set(name, { row, box, values, bars });
    return row;
  }

  /** Focus counts only where the keyboard brought it, or a click would dim all others for good. */
  #point(name, event) {
    if (event === "focusin" && !document.activeElement.matches(":focus-visible")) return;
    this.classes.pointed = name === null || this.classes.hidden.has(name) ? null : name;
    this.changed();
  }

  #toggled() {
    this.all.textContent = this.classes.allHidden ? "Show all" : "Hide all";
    this.classes.pointed = null;
    this.changed();
  }
}

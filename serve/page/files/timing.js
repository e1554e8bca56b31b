// Where the time goes: a bar of the server's stages and of the way there and back.

import { element, milliseconds } from "./element.js";

const MEMORY = 0.85; // of the running mean: a stream's numbers can be read
const ELSEWHERE = "transfer"; // the way there and back, and the browser

export class Timing {
  #mean = null;

  constructor(name) {
    this.total = element("strong");
    this.bar = element("div", { className: "stages", aria: { hidden: "true" } });
    this.list = element("dl", { className: "times" });
    this.head = element("p", { className: "total" }, element("span", {}, name), this.total);
    this.element = element("div", { className: "timing" }, this.head, this.bar, this.list);
  }

  reset() {
    this.#mean = null;
  }

  /** Take in one answer's times; `draw` shows the mean of the last ones. */
  take(times, roundTrip) {
    const known = Object.values(times).reduce((sum, ms) => sum + ms, 0);
    const stages = { ...times, [ELSEWHERE]: Math.max(0, roundTrip - known) };
    const before = this.#mean ?? stages;
    this.#mean = Object.fromEntries(
      Object.entries(stages).map(([stage, ms]) => [stage, MEMORY * (before[stage] ?? ms) + (1 - MEMORY) * ms]),
    );
  }

  draw() {
    const stages = Object.entries(this.#mean ?? {});
    const total = stages.reduce((sum, [, ms]) => sum + ms, 0);
    this.total.textContent = milliseconds(total);
    this.bar.replaceChildren(...stages.map(([stage, ms]) => {
      const part = element("span", { data: { stage }, title: `${stage} ${milliseconds(ms)}` });
      part.style.setProperty("flex-grow", ms / total);
      return part;
    }));
    this.list.replaceChildren(...stages.map(([stage, ms]) =>
      element("div", {}, element("dt", { data: { stage } }, stage), element("dd", {}, milliseconds(ms))),
    ));
  }
}

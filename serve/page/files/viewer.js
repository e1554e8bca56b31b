// The models that are looked through, what is looked at, and what comes of it.

import { Backoff, sleep } from "./backoff.js";
import { shares } from "./classes.js";
import { describe } from "./card.js";
import { byId, percent } from "./element.js";
import { Live } from "./live.js";
import { clearNotice, notice, say, tryingAgain } from "./notice.js";
import { Pane } from "./pane.js";
import { passes } from "./server.js";
import { Timing } from "./timing.js";

const REFRESH_MS = 250; // numbers that change faster cannot be read
const NAMED = 4; // classes in the description of a picture

export class Viewer {
  panes = [];
  source = null;
  smoothing = 0;
  #ending = new AbortController();
  #drawn = 0;

  constructor(server, classes, legend) {
    Object.assign(this, { server, classes, legend });
  }

  /** Look through these models, side by side. */
  through(cards) {
    this.#end();
    this.classes.take(cards);
    this.panes = cards.map((card) => Object.assign(new Pane(card, this.classes, say), { timing: new Timing(card.name) }));
    byId("panes").replaceChildren(...this.panes.map((pane) => pane.element));
    byId("panes").dataset.count = cards.length;
    byId("latency").replaceChildren(...this.panes.map((pane) => pane.timing.element));
    byId("latency").dataset.count = cards.length;
    byId("cards").replaceChildren(...cards.flatMap((card) => describe(card, cards.length === 1)));
    this.legend.build(cards.map((card) => card.name));
    this.#begin();
  }

  /** Look at something else; null: at nothing. */
  look(source) {
    this.#end();
    this.source?.close();
    this.source = source;
    clearNotice();
    for (const pane of this.panes) pane.clear();
    this.#begin();
  }

  /** The same again: after a mistake, or with another smoothing. */
  again() {
    this.#end();
    this.#begin();
  }

  repaint() {
    for (const pane of this.panes) pane.paint();
  }

  #end() {
    this.#ending.abort();
    for (const pane of this.panes) pane.live?.stop();
  }

  #begin() {
    this.#ending = new AbortController();
    byId("notes").textContent = "";
    for (const pane of this.panes) {
      Object.assign(pane, { shares: null, sorted: false, frames: [], live: null });
      pane.timing.reset();
      if (this.source?.shown) pane.show(this.source.shown);
      if (this.source?.live) this.#stream(pane);
      else if (this.source?.kind === "still") this.#segment(pane, this.#ending.signal);
    }
    this.#draw();
  }

  async #segment(pane, signal) {
    pane.element.classList.add("busy");
    for (const backoff = new Backoff(); !signal.aborted; ) {
      try {
        const answer = await this.server.segment(pane.name, this.source.file, signal);
        clearNotice(pane.name);
        byId("notes").textContent = answer.notes;
        this.#answered(pane, answer);
        break;
      } catch (error) {
        if (signal.aborted) return;
        if (!passes(error)) {
          notice(error.message, { from: pane.name, again: () => this.again() });
          break;
        }
        notice(tryingAgain(error.message), { from: pane.name });
        await sleep(Math.max(backoff.wait(), 1000 * (error.retryAfter ?? 0)));
      }
    }
    pane.element.classList.remove("busy");
  }

  #stream(pane) {
    const { video } = this.source;
    pane.show(video, video.videoWidth, video.videoHeight);
    pane.live = new Live(this.server, pane.name, this.source, this.smoothing, {
      hello: (hello) => {
        clearNotice(pane.name);
        pane.element.classList.remove("waiting");
        if (String(hello.classes) !== String(pane.names)) this.#renew();
      },
      answer: (answer, picture) => {
        pane.show(picture);
        pane.frames.push(performance.now());
        pane.dropped = answer.dropped;
        this.#answered(pane, { ...answer, times: answer.times_ms });
        clearNotice(`${pane.name}, frame`);
      },
      problem: (text) => notice(text, { from: `${pane.name}, frame` }),
      waiting: (text) => {
        pane.element.classList.add("waiting");
        pane.frames = [];
        notice(tryingAgain(text), { from: pane.name });
        this.#draw();
      },
      failed: (text) => notice(text, { from: pane.name, again: () => this.again() }),
    });
  }

  /** Another bundle is served under the same name. */
  async #renew() {
    this.through(await Promise.all(this.panes.map((pane) => this.server.card(pane.name))));
  }

  #answered(pane, answer) {
    pane.segmented(answer);
    pane.timing.take(answer.times, answer.roundTrip);
    const now = performance.now();
    if (pane.live && pane.shares && now - this.#drawn < REFRESH_MS) return;
    this.#drawn = now;
    for (const each of this.panes) each.shares = each.ids && shares(each.ids, each.names);
    this.#draw();
    if (pane === this.panes[0] && !pane.sorted) {
      pane.sorted = true;
      this.legend.sort(pane.shares);
      say(`Segmented. ${summary(pane.shares)}`);
    }
  }

  #draw() {
    this.legend.show(this.panes.map((pane) => pane.shares));
    byId("latency-section").hidden = !this.panes.some((pane) => pane.shares);
    for (const pane of this.panes) {
      pane.describe(pane.shares ? summary(pane.shares) : "");
      if (pane.shares) pane.timing.draw();
    }
    byId("rate").textContent = this.source?.live ? this.#rate() : "";
  }

  #rate() {
    const rates = this.panes.map((pane) => {
      const now = performance.now();
      pane.frames = pane.frames.filter((time) => now - time < 1000);
      return `${pane.frames.length} frames/s${pane.dropped ? `, ${pane.dropped} dropped` : ""}`;
    });
    return rates.join(" · ");
  }
}

function summary(found) {
  const largest = [...found].filter(([, share]) => share > 0).sort(([, a], [, b]) => b - a).slice(0, NAMED);
  return largest.map(([name, share]) => `${name} ${percent(share)}`).join(", ") + ".";
}

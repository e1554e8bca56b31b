// How long to wait before the next attempt.

const FIRST_MS = 250;
const LONGEST_MS = 2000;

/** Doubles from a quarter of a second to two, less up to a quarter by chance, so that not all come back at once. */
export class Backoff {
  #next = FIRST_MS;

  wait() {
    const ms = this.#next * (1 - Math.random() / 4);
    this.#next = Math.min(2 * this.#next, LONGEST_MS);
    return ms;
  }

  reset() {
    this.#next = FIRST_MS;
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

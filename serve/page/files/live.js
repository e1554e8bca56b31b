// A stream of frames to one model and its class maps back, over a WebSocket that comes back by itself.

import { readAnswer } from "./answer.js";
import { Backoff } from "./backoff.js";
import { Problem } from "./server.js";

const IN_FLIGHT = 2; // one in work, one on its way: the network never waits, and no frame grows old
const SILENCE_MS = 10_000; // a connection that has answered nothing for so long is dead
const SILENT = "The server has not answered for a while.";
const GOING_AWAY = "The server has ended the stream.";
const HOPELESS = new Map([
  [1003, "The server does not understand this page."],
  [1008, "The server refuses these frames."],
  [1009, "The frames are too large for the server."],
]);

/**
 * Callbacks: `hello(message)`, `answer(answer, picture)`, `problem(text)` of one frame, `waiting(text)` while there is no
 * connection, `failed(text)` when there will be none.
 */
export class Live {
  #flight = new Map(); // frame number -> { picture, sent }
  #backoff = new Backoff();
  #sent = 0;
  #seen = null;
  #grabbing = false;
  #socket = null;
  #idle = false;
  #stopped = false;
  #watchdog = 0;

  constructor(server, model, source, smoothing, callbacks) {
    Object.assign(this, { server, model, source, smoothing, on: callbacks });
    source.listeners.add(this.#pump);
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    this.source.listeners.delete(this.#pump);
    this.#forget();
    this.#socket?.close(1000);
  }

  #connect() {
    this.#idle = false;
    const socket = this.server.socket(this.model, this.smoothing);
    let opened = false;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { opened = true; };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = (event) => this.#closed(event, opened);
    this.#socket = socket;
  }

  #receive(data) {
    if (this.#stopped) return;
    if (typeof data !== "string") this.#answered(readAnswer(data));
    else this.#told(JSON.parse(data));
    this.#pump();
  }

  #told(message) {
    if (message.type === "hello") {
      this.size = { height: message.height, width: message.width };
      this.#backoff.reset();
      this.on.hello(message);
    } else if (message.type === "problem") {
      this.#land(message.frame);
      this.on.problem(message.detail);
    }
  }

  #answered(answer) {
    const landed = this.#land(answer.frame);
    if (!landed) return;
    this.on.answer({ ...answer, roundTrip: performance.now() - landed.sent }, landed.picture);
    landed.picture.close();
  }

  /** Take a frame out of flight, and those before it, which were superseded. */
  #land(number) {
    const landed = this.#flight.get(number);
    for (const [earlier, { picture }] of this.#flight) {
      if (earlier < number) picture.close();
      if (earlier <= number) this.#flight.delete(earlier);
    }
    clearTimeout(this.#watchdog);
    if (this.#flight.size) this.#watch();
    return landed;
  }

  #pump = async () => {
    if (this.#idle) this.#connect();
    const socket = this.#socket;
    const fresh = this.source.frame !== this.#seen;
    if (!this.size || socket?.readyState !== WebSocket.OPEN || this.#grabbing || !fresh) return;
    if (this.#flight.size >= IN_FLIGHT) return;
    this.#grabbing = true;
    this.#seen = this.source.frame;
    const grabbed = await this.source.grab(this.size).catch(() => null);
    this.#grabbing = false;
    if (!grabbed) return;
    if (socket !== this.#socket || socket.readyState !== WebSocket.OPEN) return grabbed.picture.close();
    socket.send(grabbed.jpeg);
    this.#flight.set(this.#sent++, { picture: grabbed.picture, sent: performance.now() });
    this.#watch();
    this.#pump();
  };

  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#abandon(), SILENCE_MS);
  }

  /** Wait for no farewell: over a line that is dead, a browser does for a minute. */
  #abandon() {
    Object.assign(this.#socket, { onmessage: null, onclose: null });
    this.#socket.close();
    this.#closed({ code: 1006, reason: SILENT }, true);
  }

  /** Nothing of this connection counts any more; the next one begins with the present frame. */
  #forget() {
    clearTimeout(this.#watchdog);
    for (const { picture } of this.#flight.values()) picture.close();
    this.#flight.clear();
    this.#sent = 0;
    this.#seen = null;
    this.size = null;
  }

  async #closed({ code, reason }, opened) {
    if (this.#stopped) return;
    const last = this.source.frame;
    this.#forget();
    if (code === 1000) { // nothing to see for long: the next new frame begins anew
      this.#seen = last;
      this.#idle = true;
    } else if (HOPELESS.has(code)) {
      this.on.failed(reason || HOPELESS.get(code));
    } else {
      await this.#comeBack(opened ? reason || GOING_AWAY : null);
    }
  }

  async #comeBack(reason) {
    let words = reason;
    if (!words) {
      try {
        await this.server.check();
        words = "The server takes no live stream at the moment.";
      } catch (error) {
        words = error.message;
        if (error instanceof Problem && [401, 404].includes(error.status)) return this.on.failed(words);
      }
    }
    if (this.#stopped) return;
    this.on.waiting(words);
    setTimeout(() => this.#stopped || this.#connect(), this.#backoff.wait());
  }
}

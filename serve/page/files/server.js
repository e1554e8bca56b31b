// The server's HTTP interface: models, pictures, videos; problems as errors; the key where one is asked for.

const STILL_TIMEOUT_MS = 60_000;
const CHECK_TIMEOUT_MS = 5000;
const UPGRADE_REQUIRED = 426; // the only objection to a request that is no WebSocket

/** What the server answered in place of what was asked for; `detail` are its own words. */
export class Problem extends Error {
  constructor(status, detail, retryAfter = null) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** No answer at all: the server is away, or the way to it is cut. */
export class Unreachable extends Error {
  constructor() {
    super("The server cannot be reached.");
  }
}

/** Whether the same request may be answered later: the server is away, or has said when to come again. */
export const passes = (error) => error instanceof Unreachable || Boolean(error.retryAfter);

export class Server {
  #key = sessionStorage.getItem("segdistill.key");
  #asking = null;

  /** @param askForKey called with the server's words; gives the key, or null if the person has none */
  constructor(askForKey) {
    this.askForKey = askForKey;
  }

  /** Whether it has asked for a key, and got one. */
  get guarded() {
    return Boolean(this.#key);
  }

  /** The card of each model, the default one first. */
  async cards() {
    const { models } = await (await this.ask("models")).json();
    return Promise.all(models.map((name) => this.card(name)));
  }

  async card(name) {
    return (await this.ask(`model?${new URLSearchParams({ model: name })}`)).json();
  }

  /** Class ids of a picture at the network's size, the milliseconds of each stage, and what was done to the picture. */
  async segment(model, picture, signal) {
    const start = performance.now();
    const query = new URLSearchParams({ model, size: "network" });
    const answer = await this.ask(`segment?${query}`, {
      method: "POST",
      body: picture,
      headers: { Accept: "application/octet-stream", "Content-Type": picture.type || "application/octet-stream" },
      signal: AbortSignal.any([signal, AbortSignal.timeout(STILL_TIMEOUT_MS)]),
    });
    const ids = new Uint8Array(await answer.arrayBuffer());
    const [height, width] = answer.headers.get("Segdistill-Shape").split(",").map(Number);
    const times = serverTiming(answer.headers.get("Server-Timing") ?? "");
    const notes = answer.headers.get("Segdistill-Notes") ?? "";
    return { ids, height, width, times, notes, roundTrip: performance.now() - start };
  }

  /** The video with the classes' colours over it, as MP4; `progress` is called with the bytes that have come. */
  async annotated(model, video, progress, signal) {
    const answer = await this.ask(`segment/video?${new URLSearchParams({ model })}`, {
      method: "POST",
      body: video,
      headers: { Accept: "video/mp4", "Content-Type": video.type || "application/octet-stream" },
      signal,
    });
    const parts = [];
    let bytes = 0;
    for (const reader = answer.body.getReader(); ; ) {
      const { done, value } = await reader.read().catch(() => { throw new Unreachable(); });
      if (done) return new Blob(parts, { type: "video/mp4" });
      parts.push(value);
      progress((bytes += value.length));
    }
  }

  /** A WebSocket of the live protocol. It cannot have headers, so the key goes as a subprotocol. */
  socket(model, smoothing) {
    const url = new URL(`segment/live?${new URLSearchParams({ model, smoothing })}`, document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    const protocols = ["segdistill.v1"];
    if (this.#key) protocols.push(`segdistill.key.${base64url(this.#key)}`);
    return new WebSocket(url, protocols);
  }

  /** Why a WebSocket was refused, which a browser does not tell. Returns if there seems to be no reason any more. */
  async check() {
    try {
      await this.ask("segment/live", { signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) });
    } catch (error) {
      if (error.status !== UPGRADE_REQUIRED) throw error;
    }
  }

  /** The answer to any request, with the key where there is one. Throws a `Problem` or `Unreachable`. */
  async ask(path, options = {}) {
    for (;;) {
      const headers = { ...options.headers, ...(this.#key && { Authorization: `Bearer ${this.#key}` }) };
      const answer = await reached(fetch(path, { ...options, headers }));
      if (answer.ok) return answer;
      const problem = await problemOf(answer);
      if (answer.status !== 401 || !(await this.#newKey(problem.message))) throw problem;
    }
  }

  /** Ask once, however many requests wait for the key. */
  async #newKey(reason) {
    this.#asking ??= this.askForKey(reason).finally(() => { this.#asking = null; });
    const key = await this.#asking;
    if (!key) return false;
    this.#key = key;
    sessionStorage.setItem("segdistill.key", key);
    return true;
  }
}

async function reached(request) {
  try {
    return await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable();
  }
}

async function problemOf(answer) {
  const text = await answer.text().catch(() => "");
  let detail = `${answer.status} ${answer.statusText}`;
  try {
    detail = JSON.parse(text).detail ?? detail;
  } catch {
    // a proxy's page, not the server's problem
  }
  return new Problem(answer.status, detail, Number(answer.headers.get("Retry-After")) || null);
}

function serverTiming(header) {
  const entries = header.split(",").map((entry) => entry.trim().match(/^([^;]+);dur=([\d.]+)/));
  return Object.fromEntries(entries.filter(Boolean).map(([, stage, ms]) => [stage, Number(ms)]));
}

function base64url(text) {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

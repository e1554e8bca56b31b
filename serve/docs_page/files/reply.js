// What came back: how long it took, and the answer as far as a browser can show it.

import { element, milliseconds } from "../page/element.js";

const LONGEST = 4000; // characters shown

/** Ask, and show the answer in `place`. */
export async function drawReply(place, asking, server, id) {
  const start = performance.now();
  place.hidden = false;
  place.replaceChildren(line("Waiting…"));
  try {
    const answer = await server.ask(asking.address, asking.options());
    const blob = await answer.blob();
    const kind = answer.headers.get("Content-Type") ?? "";
    const taken = milliseconds(performance.now() - start);
    const stages = (answer.headers.get("Server-Timing") ?? "").replaceAll(";dur=", " ");
    const notes = answer.headers.get("Segdistill-Notes") ?? "";
    place.replaceChildren(
      line(`${answer.status}, ${kind}, ${size(blob.size)}, ${taken}`),
      ...[stages && `ms by stage: ${stages}`, notes].filter(Boolean).map((text) => element("p", { className: "muted" }, text)),
      await content(blob, kind, asking.output),
    );
  } catch (error) {
    place.replaceChildren(line(`${error.status ?? "No answer"}: ${error.message}`, "failure"));
  }

  function line(text, className = "") {
    return element("p", { id: `${id}-reply`, className, role: "status" }, text);
  }
}

async function content(blob, kind, output) {
  if (kind.startsWith("image/")) {
    return element("img", { src: URL.createObjectURL(blob), alt: "The answer" });
  }
  if (kind.includes("json") || kind.startsWith("text/")) {
    const text = pretty(await blob.text());
    const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… ${size(blob.size)} in all` : text;
    return element("pre", { tabIndex: 0, ariaLabel: "Answer" }, shown);
  }
  return element("a", { className: "button", href: URL.createObjectURL(blob), download: output ?? "answer" }, "Save the answer");
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // lines of JSON, or none
  }
}

function size(bytes) {
  return bytes < 1000 ? `${bytes} bytes` : `${(bytes / 1000).toFixed(1)} kB`;
}

// What a model is, and what is proven of it.

import { element } from "./element.js";

/** A description list of a model card as the server gives it. */
export function describe(card, alone) {
  const { engine, manifest } = card;
  const record = manifest.files[engine.role];
  const accuracy = record?.accuracy;
  const rows = [
    ["Proof", proof(card.verified, accuracy)],
    ["Accuracy", score(accuracy)],
    ["Classes", String(manifest.classes.length)],
    ["Input", `${manifest.input.width} × ${manifest.input.height} pixels`],
    ["Precision", engine.precision],
    ["Engine", `${engine.runtime} on ${engine.device}${engine.device === "cpu" ? `, ${plural(engine.threads, "thread")}` : ""}`],
    ["Passed over", passedOver(engine.passed_over)],
    ["Size", size(manifest.student, record)],
    ["Trained on", manifest.dataset],
    ["Licence note", manifest.licence_note],
    ["Newer bundle", card.reload_error],
  ];
  const list = element("dl", { className: "card" }, ...rows.filter(([, value]) => value).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value)),
  ));
  return alone ? [element("h3", {}, card.name), list] : [folded(card.name, list)];
}

function folded(name, list) {
  return element("details", {}, element("summary", {}, name), list);
}

function passedOver(reasons) {
  if (!reasons.length) return "";
  const lines = reasons.map((reason) => element("p", {}, reason));
  return element("details", { className: "more" }, element("summary", {}, plural(reasons.length, "better engine")), ...lines);
}

function proof(verified, accuracy) {
  const mark = element("span", { className: verified ? "verified" : "unverified" }, verified ? "Verified" : "Not verified");
  if (!verified || !accuracy) return mark;
  const pictures = plural(accuracy.images, "picture");
  const agreement = accuracy.agreement === 1 ? "no pixel differs" : `${floor(accuracy.agreement)} of the pixels agree`;
  return element("span", {}, mark, ` against PyTorch on ${pictures}: ${agreement}`);
}

function score(accuracy) {
  if (accuracy?.miou_bundle == null) return "";
  return `mIoU ${accuracy.miou_bundle.toFixed(3)} on ${accuracy.dataset} ${accuracy.split}`;
}

function size(student, record) {
  const parts = [];
  if (student.parameters) parts.push(`${(student.parameters / 1e6).toFixed(2)} M parameters`);
  if (record) parts.push(`${(record.size_bytes / 2 ** 20).toFixed(1)} MiB`);
  return parts.join(", ");
}

/** Never rounded up: only what is equal everywhere agrees to 100 %. */
const floor = (share) => `${(Math.floor(share * 1e6) / 1e4).toFixed(4)} %`;

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

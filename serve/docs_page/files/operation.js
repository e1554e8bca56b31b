// An operation: what it does, what it takes, what it gives, how it is asked, and a form to ask it.

import { element } from "../page/element.js";
import { Asking } from "./asking.js";
import { drawExamples } from "./examples.js";
import { Form } from "./form.js";
import { drawReply } from "./reply.js";
import { blocks, inline } from "./text.js";

/** The section of an operation of openapi.json. */
export function drawOperation(operation, schemas, server) {
  const { method, path, operationId, description } = operation;
  const heading = element("h2", { id: `${operationId}-heading` });
  heading.append(element("span", { className: "method", data: { method } }, method.toUpperCase()), " ", element("code", {}, path));
  const words = element("div", { className: "about" }, ...blocks(description), ...parameters(operation, schemas), ...answers(operation, schemas));
  const section = element("section", { id: operationId, className: "operation", aria: { labelledby: heading.id } });
  section.append(heading, element("div", { className: "halves" }, words, tryIt(operation, schemas, server)));
  return section;
}

function parameters(operation, schemas) {
  const rows = (operation.parameters ?? []).map(({ name, in: place, schema, description }) => {
    const resolved = schemas.resolve(schema);
    const preset = resolved.default ?? schema.default;
    const kind = [schemas.kind(resolved).replace(" or null", ""), place, preset === undefined || preset === "" || preset === null ? null : `default ${preset}`];
    return field(place === "header" ? "Accept" : name, kind.filter(Boolean).join(", "), description);
  });
  if (operation.requestBody) rows.unshift(field("body", Object.keys(operation.requestBody.content).join(", "), operation.requestBody.description));
  return rows.length ? [element("h3", {}, "Request"), element("ul", { className: "fields" }, ...rows)] : [];
}

function field(name, kind, words) {
  return element("li", {},
    element("code", { className: "field" }, name), " ", element("span", { className: "type" }, kind),
    element("span", { className: "words" }, ...inline(words ?? "")),
  );
}

function answers({ responses }, schemas) {
  const { 200: good, ...others } = responses;
  const fields = Object.entries(good.content ?? {}).map(([kind, { schema }]) => [kind, schemas.fields(schema)]).filter(([, list]) => list);
  const shapes = fields.map(([kind, list]) => element("details", { className: "shape" }, element("summary", {}, "Fields of ", element("code", {}, kind)), list));
  const headers = Object.entries(good.headers ?? {}).map(([name, { schema, description }]) => field(name, schemas.kind(schema), description));
  const problems = Object.entries(others).flatMap(([status, { description }]) => [
    element("dt", {}, status), element("dd", {}, ...inline(description)),
  ]);
  const words = good.description === "Successful Response" ? [] : blocks(good.description);
  if (!words.length && !shapes.length && !problems.length) return [];
  return [
    element("h3", {}, "Answer"), ...words, ...shapes,
    ...(headers.length ? [element("details", { className: "shape" }, element("summary", {}, "Headers"), element("ul", { className: "fields" }, ...headers))] : []),
    ...(problems.length ? [element("details", { className: "shape" }, element("summary", {}, "Problems"), element("dl", { className: "problems" }, ...problems))] : []),
  ];
}

function tryIt(operation, schemas, server) {
  const reply = element("div", { className: "reply", hidden: true });
  const form = new Form(operation, schemas, (asking) => drawReply(reply, asking, server, operation.operationId));
  const examples = drawExamples(operation.operationId);
  form.changed = () => examples.show(new Asking(operation, form.values(), server.guarded));
  form.changed();
  return element("div", { className: "doing" }, examples.panel, form.element, reply);
}

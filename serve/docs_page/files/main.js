// The page: reads openapi.json, and draws an operation after the other.

import { byId, element } from "../page/element.js";
import { askForKey } from "../page/key.js";
import { Server } from "../page/server.js";
import { drawOperation } from "./operation.js";
import { drawProblems } from "./problems.js";
import { Schemas } from "./schema.js";

const server = new Server(askForKey);

async function show() {
  try {
    draw(await (await server.ask("openapi.json")).json());
  } catch (error) {
    const again = element("button", { className: "button", type: "button", onclick: show }, "Try again");
    byId("operations").replaceChildren(element("p", { className: "failure", role: "alert" }, error.message), again);
  }
}

function draw(description) {
  const schemas = new Schemas(description);
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
  );
  operations.sort((one, other) => Boolean(other.requestBody) - Boolean(one.requestBody)); // what a server is for
  byId("contents").replaceChildren(...operations.map(entry), problemsEntry());
  byId("operations").replaceChildren(
    ...operations.map((operation) => drawOperation(operation, schemas, server)),
    drawProblems(operations, schemas),
  );
  byId("status").textContent = `${operations.length} operations`;
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

function entry({ method, path, operationId }) {
  const link = element("a", { href: `docs#${operationId}` });
  link.append(element("span", { className: "method", data: { method } }, method.toUpperCase()), element("code", {}, path));
  return element("li", {}, link);
}

function problemsEntry() {
  return element("li", {}, element("a", { href: "docs#problems" }, "Problems"));
}

show();

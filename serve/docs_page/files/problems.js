// What every answer says that is not 200.

import { element } from "../page/element.js";
import { inline } from "./text.js";

const KIND = "application/problem+json";

/** The section of problems, of the first operation that describes their shape. */
export function drawProblems(operations, schemas) {
  const all = operations.flatMap(({ responses }) => Object.values(responses));
  const schema = all.map(({ content }) => content?.[KIND]?.schema).find(Boolean);
  const section = element("section", { id: "problems", className: "operation", aria: { labelledby: "problems-heading" } });
  section.append(
    element("h2", { id: "problems-heading" }, "Problems"),
    element("p", {}, ...inline(`What cannot be done is answered with one line that says why, as \`${KIND}\`:`)),
    schemas.fields(schema ?? {}) ?? "",
  );
  return section;
}

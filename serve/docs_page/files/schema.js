// Shapes of JSON, as lists of fields that open.

import { element } from "../page/element.js";
import { inline } from "./text.js";

const DEEPEST = 6; // a shape may contain itself

export class Schemas {
  constructor(description) {
    this.components = description.components?.schemas ?? {};
  }

  /** A schema without its references; of something that may be null, what it is otherwise. */
  resolve(schema = {}) {
    if (schema.$ref) return this.resolve(this.components[schema.$ref.split("/").pop()]);
    const some = schema.anyOf?.filter((one) => one.type !== "null");
    if (some?.length === 1) return { ...this.resolve(some[0]), description: schema.description ?? some[0].description, nullable: true };
    return schema;
  }

  /** The fields of a schema, each with those below it; null if it has none. */
  fields(schema, depth = 0) {
    const resolved = this.resolve(schema);
    if (resolved.type === "array") return this.fields(resolved.items, depth);
    if (resolved.anyOf) return this.fields(resolved.anyOf.find((one) => this.fields(one, DEEPEST)) ?? {}, depth);
    const properties = Object.entries(resolved.properties ?? {});
    if (!properties.length) return null;
    if (depth >= DEEPEST) return element("p", {}, "…");
    const required = new Set(resolved.required);
    return element("ul", { className: "fields" }, ...properties.map(([name, property]) =>
      this.#field(name, property, required.has(name), depth),
    ));
  }

  #field(name, property, required, depth) {
    const resolved = this.resolve(property);
    const line = [
      element("code", { className: "field" }, name), " ",
      element("span", { className: "type" }, this.kind(resolved) + (required ? "" : ", optional")),
    ];
    const words = resolved.description ? element("span", { className: "words" }, ...inline(resolved.description)) : "";
    const inner = this.fields(property, depth + 1);
    if (!inner) return element("li", {}, ...line, words);
    return element("li", {}, element("details", {}, element("summary", {}, ...line, words), inner));
  }

  /** What a value is, in words. */
  kind(schema) {
    const resolved = this.resolve(schema);
    const or = resolved.nullable ? " or null" : "";
    if (resolved.enum) return resolved.enum.join(" | ") + or;
    if (resolved.anyOf) return resolved.anyOf.map((one) => this.kind(one)).join(" or ");
    if (resolved.type === "array") return `array${resolved.items ? ` of ${this.kind(resolved.items)}` : ""}${or}`;
    return (resolved.format === "binary" ? "file" : resolved.type ?? "any") + or;
  }
}

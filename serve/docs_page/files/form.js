// The form that asks an operation: a control for each parameter.

import { element } from "../page/element.js";
import { Asking, fieldOf } from "./asking.js";

export class Form {
  /** Called whenever a value changes. */
  changed = () => {};

  /** @param send called with an `Asking`; the button is off until it is done */
  constructor(operation, schemas, send) {
    this.operation = operation;
    this.schemas = schemas;
    this.send = send;
    this.controls = [];
    this.file = operation.requestBody ? this.#fileControl() : null;
    this.accept = null;
    const rows = [...(this.file ? [this.#row("file", this.file)] : []), ...this.#acceptRow()];
    const queries = (operation.parameters ?? []).filter((parameter) => parameter.in === "query");
    rows.push(...queries.map((parameter) => this.#queryRow(parameter)));
    this.button = element("button", { className: "button main", type: "submit" }, "Send");
    this.element = element("form", { className: "try", aria: { label: `Try ${operation.method.toUpperCase()} ${operation.path}` } });
    this.element.append(element("h3", {}, "Try it"), ...rows, this.button);
    this.element.addEventListener("input", () => this.changed());
    this.element.addEventListener("submit", (event) => this.#submit(event));
  }

  /** What is filled in; what is left as it was is left out. */
  values() {
    const query = this.controls.map(({ name, control }) => [name, valueOf(control), control]);
    return {
      query: query.filter(([, value, control]) => value !== "" && value !== control.dataset.preset).map(([name, value]) => [name, value]),
      accept: this.accept?.value ?? "",
      files: [...(this.file?.files ?? [])],
    };
  }

  async #submit(event) {
    event.preventDefault();
    this.button.disabled = true;
    try {
      await this.send(new Asking(this.operation, this.values()));
    } finally {
      this.button.disabled = false;
    }
  }

  #fileControl() {
    const { content } = this.operation.requestBody;
    const field = content["multipart/form-data"].schema.properties[fieldOf(this.operation.requestBody)];
    const accept = Object.keys(content).filter((kind) => kind.endsWith("/*")).join(",");
    return element("input", { type: "file", required: true, accept, multiple: this.schemas.resolve(field).type === "array" });
  }

  #acceptRow() {
    const kinds = Object.keys(this.operation.responses[200].content ?? {});
    if (!(this.operation.parameters ?? []).some(({ in: place }) => place === "header") || kinds.length < 2) return [];
    this.accept = element("select", {}, ...kinds.map((kind) => element("option", { value: kind }, kind)));
    return [this.#row("Accept", this.accept)];
  }

  #queryRow({ name, schema, description }) {
    const control = this.#control(this.schemas.resolve(schema));
    const preset = schema.default ?? "";
    control.dataset.preset = String(preset ?? "");
    this.controls.push({ name, control });
    return this.#row(name, control, description);
  }

  #control(schema) {
    if (schema.enum) return element("select", {}, ...schema.enum.map((value) => element("option", { value }, value)));
    if (schema.type === "boolean") return element("input", { type: "checkbox" });
    if (schema.type === "number" || schema.type === "integer") {
      const step = schema.type === "integer" ? "1" : "any";
      return element("input", { type: "number", min: schema.minimum ?? "", max: schema.maximum ?? "", step, placeholder: schema.default ?? "" });
    }
    return element("input", { type: "text", autocomplete: "off", spellcheck: false });
  }

  #row(name, control, description = "") {
    control.id = `${this.operation.operationId}-${name}`;
    const label = element("label", { htmlFor: control.id, title: description }, name);
    return element("div", { className: "row" }, label, control);
  }
}

function valueOf(control) {
  return control.type === "checkbox" ? String(control.checked) : control.value.trim();
}

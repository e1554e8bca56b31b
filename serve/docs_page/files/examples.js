// The same request in curl and in Python.

import { element, press } from "../page/element.js";

const WRITERS = { curl, Python: python };

/** A panel with a button for each language; `show` writes them for a request. */
export function drawExamples(id) {
  let asking = null;
  let language = "curl";
  const code = element("code", {});
  const text = element("pre", { id: `${id}-example`, tabIndex: 0, aria: { label: "Example" } }, code);
  const choices = Object.keys(WRITERS).map((name) => element("button", { type: "button", className: "tab", onclick: () => choose(name) }, name));
  const copy = element("button", { type: "button", className: "tab copy", onclick: () => copyText(copy, code.textContent) }, "Copy");
  const panel = element("div", { className: "example" });
  panel.append(element("div", { className: "tabs", role: "group", ariaLabel: "Language of the example" }, ...choices, copy), text);

  function choose(name) {
    language = name;
    choices.forEach((choice) => press(choice, choice.textContent === name));
    if (asking) code.textContent = WRITERS[language](asking);
  }

  choose(language);
  return {
    panel,
    show(next) {
      asking = next;
      choose(language);
    },
  };
}

async function copyText(button, text) {
  await navigator.clipboard.writeText(text);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function curl(asking) {
  const parts = [`curl ${shell(asking.url)}`];
  if (asking.accept) parts.push(`-H ${shell(`Accept: ${asking.accept}`)}`);
  if (asking.guarded) parts.push('-H "Authorization: Bearer $API_KEY"');
  for (const name of asking.names) parts.push(`-F ${shell(`${asking.field}=@${name}`)}`);
  if (asking.output) parts.push(`-o ${asking.output}`);
  return parts.join(" \\\n  ");
}

function python(asking) {
  const given = [`    ${string(new URL(asking.path.slice(1), document.baseURI).href)},`];
  if (asking.query.length) given.push(`    params={${asking.query.map(([name, value]) => `${string(name)}: ${string(value)}`).join(", ")}},`);
  const headers = [];
  if (asking.accept) headers.push(`"Accept": ${string(asking.accept)}`);
  if (asking.guarded) headers.push('"Authorization": f"Bearer {os.environ[\'API_KEY\']}"');
  if (headers.length) given.push(`    headers={${headers.join(", ")}},`);
  const files = asking.names.map((name) => `(${string(asking.field)}, open(${string(name)}, "rb"))`);
  if (files.length) given.push(`    files=[${files.join(", ")}],`);
  if (files.length) given.push("    timeout=60,");
  const save = asking.output ? `open("${asking.output}", "wb").write(answer.content)` : "print(answer.text)";
  const imports = asking.guarded ? ["import os", "", "import httpx"] : ["import httpx"];
  return [...imports, "", `answer = httpx.${asking.method.toLowerCase()}(`, ...given, ")", "answer.raise_for_status()", save].join("\n");
}

const shell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const string = (text) => JSON.stringify(text);

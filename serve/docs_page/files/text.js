// Descriptions: paragraphs, lists and `code`, as the server writes them.

import { element } from "../page/element.js";

/** The elements of a description. */
export function blocks(text) {
  return (text ?? "").trim().split(/\n\s*\n/).filter(Boolean).map((block) => {
    const lines = block.split("\n").map((line) => line.trim());
    if (!lines[0].startsWith("- ")) return element("p", {}, ...inline(lines.join(" ")));
    const items = lines.join(" ").replace(/^- /, "").split(/ - (?=`)/);
    return element("ul", {}, ...items.map((item) => element("li", {}, ...inline(item))));
  });
}

/** Text with its `code` as such. */
export function inline(text) {
  return text.split("`").map((part, number) => (number % 2 ? element("code", {}, part) : part)).filter((part) => part !== "");
}

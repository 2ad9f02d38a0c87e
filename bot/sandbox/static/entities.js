// Telegram describes formatting beside the text, as ranges in UTF-16 units; here the ranges become nodes.
// Only http and https addresses become links: anything else stays words.

import { element } from "./element.js";
import { safeAddress } from "./link.js";

const TAGS = {
  bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre",
  blockquote: "blockquote", expandable_blockquote: "blockquote.expandable", spoiler: "span.spoiler", hashtag: "span.tag",
};
const BLOCKS = new Set(["pre", "blockquote", "expandable_blockquote"]);

/** `onCommand(text)` is called when a person clicks a /command. */
export function richText(text, entities = [], onCommand = null) {
  const ranges = entities
    .map((entity) => ({ ...entity, end: entity.offset + entity.length }))
    .filter((entity) => entity.length > 0 && entity.offset >= 0 && entity.end <= text.length)
    .sort((one, other) => one.offset - other.offset || other.length - one.length);
  return fill(document.createDocumentFragment(), text, 0, text.length, ranges, onCommand);
}

function fill(parent, text, start, end, ranges, onCommand) {
  let at = start;
  let rest = ranges;
  while (rest.length) {
    const [entity, ...later] = rest;
    if (entity.offset < at || entity.end > end) { rest = later; continue; }   // crossing ranges: the first wins
    parent.append(text.slice(at, entity.offset));
    const inner = later.filter((other) => other.offset >= entity.offset && other.end <= entity.end);
    const node = nodeOf(entity, text.slice(entity.offset, entity.end), onCommand);
    parent.append(fill(node, text, entity.offset, entity.end, inner, onCommand));
    at = entity.end;
    if (BLOCKS.has(entity.type) && text[at] === "\n") at += 1;               // the block already ends its line
    rest = later.filter((other) => other.offset >= entity.end);
  }
  parent.append(text.slice(at, end));
  return parent;
}

function nodeOf(entity, words, onCommand) {
  if (entity.type === "text_link" || entity.type === "url") {
    const address = safeAddress(entity.type === "url" && !/^\w+:/.test(words) ? `https://${words}` : entity.url ?? words);
    if (address) return element("a", { href: address, target: "_blank", rel: "noopener noreferrer" });
  }
  if (entity.type === "bot_command" && onCommand) {
    return element("button.command", { type: "button", onclick: () => onCommand(words) });
  }
  if (entity.type === "spoiler") {
    return element("span.spoiler", { onclick: (event) => event.currentTarget.classList.add("shown") });
  }
  return element(TAGS[entity.type] ?? "span");
}

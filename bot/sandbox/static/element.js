// Everything on the page is built from nodes, never from markup: what people write can then not become markup.

const SVG = "http://www.w3.org/2000/svg";

/** element("p.note", {title: "…"}, child, "text") – a null or false child is left out. */
export function element(kind, attributes = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.classList.add(...classes);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** The round sign with a first character that stands for a person or a chat; its hue follows from the id. */
export function face(id, name, kind = "span.face") {
  const sign = element(kind, { "aria-hidden": "true" }, firstSign(name));
  sign.dataset.hue = hue(id);
  return sign;
}

export const hue = (id) => Math.abs(Number(id)) % 7;
export const firstSign = (name) => [...(name || "?").trim()][0]?.toUpperCase() ?? "?";
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

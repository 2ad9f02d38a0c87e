// The small lists behind a button: samples, places, what else a chat can do. One is open at a time.

import { element } from "./element.js";

let closeOpen = () => {};

/** `itemsOf()` is asked each time the menu opens: [{label, sign?, checked?, testid?, act}]. */
export function menu(button, itemsOf) {
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => {
    const wasOpen = button.getAttribute("aria-expanded") === "true";
    closeOpen();
    if (!wasOpen) open(button, itemsOf());
  });
}

function open(button, items) {
  const list = element("div.menu", { role: "menu", "aria-label": button.getAttribute("aria-label") });
  for (const item of items) {
    const checkable = item.checked !== undefined;
    list.append(element("button.menu-item", {
      type: "button", tabindex: "-1",
      role: checkable ? "menuitemcheckbox" : "menuitem",
      "aria-checked": checkable ? String(item.checked) : null,
      "data-testid": item.testid,
      onclick: () => { close(true); item.act(); },
    }, item.sign ? element("span.menu-sign", { "aria-hidden": "true" }, item.sign) : null, element("span", {}, item.label)));
  }
  button.after(list);
  button.setAttribute("aria-expanded", "true");

  const entries = [...list.children];
  const step = (by) => entries.at((entries.indexOf(document.activeElement) + by) % entries.length).focus();
  const onKey = (event) => {
    const moves = { ArrowDown: () => step(1), ArrowUp: () => step(-1), Home: () => entries[0].focus(), End: () => entries.at(-1).focus(),
      Escape: () => close(true), Tab: () => close(false) };
    if (!moves[event.key]) return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
    moves[event.key]();
  };
  const onOutside = (event) => {
    if (!list.contains(event.target) && !button.contains(event.target)) close(false);
  };
  function close(refocus) {
    list.remove();
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", onOutside);
    closeOpen = () => {};
    if (refocus) button.focus();
  }
  list.addEventListener("keydown", onKey);
  document.addEventListener("pointerdown", onOutside);
  closeOpen = () => close(false);
  entries[0]?.focus();
}

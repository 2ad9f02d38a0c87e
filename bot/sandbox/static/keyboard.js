// The buttons under the bot's messages. A press waits for the bot's answer; an address opens in a new tab,
// save the bot's own deep links, which would lead out of the sandbox to the real Telegram.

import { element, icon } from "./element.js";
import { safeAddress } from "./entities.js";

export function keyboard(markup, onPress) {
  const board = element("div.keyboard");
  for (const row of markup.inline_keyboard ?? []) {
    board.append(element("div.keyboard-row", {}, ...row.map((button) => key(button, onPress))));
  }
  return board;
}

function key(button, onPress) {
  const address = button.url ? safeAddress(button.url) : null;
  const attributes = { "data-testid": "button", "data-style": button.style };
  if (address && !deepLink(address)) {
    return element("a.inline", { ...attributes, href: address, target: "_blank", rel: "noopener noreferrer" },
      element("span", {}, button.text), icon("open"));
  }
  const node = element("button.inline", { ...attributes, type: "button", disabled: Boolean(button.disabled) },
    element("span", {}, button.text), address ? icon("open") : null);
  node.addEventListener("click", async () => {
    if (node.ariaBusy) return;
    node.ariaBusy = node.ariaDisabled = "true";      // not `disabled`: that would take the focus away
    await onPress(button);
    node.ariaBusy = node.ariaDisabled = null;
  });
  return node;
}

/** `https://t.me/name?start=payload` → {name, start?, startgroup?}, else null. */
export function deepLink(address) {
  const url = new URL(address);
  if (url.hostname !== "t.me" && url.hostname !== "telegram.me") return null;
  const [start, startgroup] = [url.searchParams.get("start"), url.searchParams.get("startgroup")];
  return start === null && startgroup === null ? null : { name: url.pathname.slice(1), start, startgroup };
}

// The buttons under the bot's messages. A press waits for the bot's answer; an address opens in a new tab.

import { element, icon } from "./element.js";
import { safeAddress } from "./link.js";

export function keyboard(markup, onPress) {
  const board = element("div.keyboard");
  for (const row of markup.inline_keyboard) {
    board.append(element("div.keyboard-row", {}, ...row.map((button) => key(button, onPress))));
  }
  return board;
}

function key(button, onPress) {
  const address = button.url ? safeAddress(button.url) : null;
  const attributes = { "data-testid": "button", "data-style": button.style };
  if (address) {
    return element("a.inline", { ...attributes, href: address, target: "_blank", rel: "noopener noreferrer" },
      element("span", {}, button.text), icon("open"));
  }
  const node = element("button.inline", { ...attributes, type: "button", disabled: Boolean(button.disabled) },
    element("span", {}, button.text));
  node.addEventListener("click", async () => {
    if (node.ariaBusy) return;
    node.ariaBusy = node.ariaDisabled = "true";      // not `disabled`: that would take the focus away
    await onPress(button);
    node.ariaBusy = node.ariaDisabled = null;
  });
  return node;
}

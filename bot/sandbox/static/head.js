// The head of a pane: which chat it shows and who one is there, both to be chosen.

import { element, firstSign, hue } from "./element.js";
import { role, word } from "./words.js";

const KIND_WORDS = {
  district: "kindDistrict", unit: "kindUnit", office: "kindOffice", other: "kindOther", private: "kindPrivate",
};

/** Draws the head of `pane`; the chats of the pane's own kind stand first in the list. */
export function drawHead(pane) {
  const { world, chat, me, kind } = pane;
  const sign = pane.node.querySelector(".face-chat");
  sign.textContent = firstSign(world.titleOf(chat));
  sign.dataset.hue = hue(chat);
  const kinds = [kind, ...Object.keys(KIND_WORDS).filter((other) => other !== kind)];
  offer(pane.chatPick, kinds.map((each) => chatsOf(world, each)).filter(Boolean), chat);
  offer(pane.whoPick, world.membersOf(chat).map((person) =>
    element("option", { value: person.id }, [person.first_name, role(person.role)].filter(Boolean).join(" · "))), me);
}

function chatsOf(world, kind) {
  const chats = world.open().filter((chat) => world.kindOf(chat) === kind);
  if (!chats.length) return null;
  return element("optgroup", { label: word(KIND_WORDS[kind]) }, ...chats.map((chat) => element("option", { value: chat },
    kind === "private" ? word("privateWith", world.titleOf(chat)) : world.titleOf(chat))));
}

/** Gives a chooser its choices; one that is just open is not disturbed when they are the same as before. */
function offer(select, choices, chosen) {
  const same = choices.length === select.children.length
    && choices.every((choice, at) => choice.isEqualNode(select.children[at]));
  if (!same) select.replaceChildren(...choices);
  select.value = chosen;
}

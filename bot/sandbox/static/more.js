// What else can be done to a chat: the bot leaves or joins it, a group becomes a supergroup, one speaks for the group.

import * as api from "./api.js";
import { word } from "./words.js";

/** The items of a pane's menu, as its chat stands now. */
export function moreItems(pane) {
  const { chat, me: as } = pane;
  const become = (status) => pane.attempt(() => api.membership({ chat, as, status }));
  if (pane.isPrivate) {
    const blocked = pane.found.bot_status === "kicked";
    const label = word(blocked ? "unblock" : "block");
    return [{ label, testid: "block", act: () => become(blocked ? "member" : "kicked") }];
  }
  const presence = pane.botIsAway
    ? { label: word("botJoins"), testid: "bot-join-item", act: () => letJoin(pane) }
    : { label: word("botLeaves"), testid: "bot-leave", act: () => become("left") };
  return [
    presence,
    { label: word("migrate"), testid: "migrate", act: () => pane.attempt(() => api.migrate(chat)) },
    { label: word("asAnonymous"), testid: "anonymous", checked: pane.anonymous, act: () => pane.speakAnonymously(!pane.anonymous) },
  ];
}

/** The bot comes into `chat` as administrator, brought by the person of the pane; `payload` is that of a deep link. */
export function letJoin(pane, chat = pane.chat, payload = undefined) {
  return pane.attempt(() => api.join({ chat, as: pane.me, admin: true, payload }));
}

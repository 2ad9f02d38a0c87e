// One row of a timeline: a message, or the several messages of an album, as a bubble; a service message as a centred line.

import { attachments, summary } from "./attachment.js";
import { momentOf, timeOf } from "./clock.js";
import { element, face, hue, icon } from "./element.js";
import { richText } from "./entities.js";
import { keyboard } from "./keyboard.js";
import { word } from "./words.js";

/** Who stands over a message: {id, name, bot, anonymous}; a group speaks for its anonymous admins. */
export function senderOf({ sender_chat: group, from }) {
  if (group) return { id: group.id, name: group.title ?? word("anonymous"), anonymous: true };
  return { id: from?.id ?? 0, name: [from?.first_name, from?.last_name].filter(Boolean).join(" "), bot: from?.is_bot };
}

/** The words of a service message, or null for one that people wrote. */
export function serviceWords(message) {
  const name = (user) => user.first_name;
  if (message.new_chat_members) return word("joined", message.new_chat_members.map(name).join(" · "));
  if (message.left_chat_member) return word("left", name(message.left_chat_member));
  if (message.group_chat_created || message.supergroup_chat_created) return word("created");
  if (message.migrate_to_chat_id) return word("upgraded");
  if (message.migrate_from_chat_id) return word("upgradedFrom");
  if (message.new_chat_title) return word("titled", message.new_chat_title);
  if (message.pinned_message) return `${senderOf(message).name} ${word("pinned")}`;
  if (message.forum_topic_created) return word("topic", message.forum_topic_created.name);
  return null;
}

/**
 * `row`: {messages, follows} – follows: the sender is that of the row above.
 * `context`: {me, bot, isPrivate, original(message) → message or null, topic(message) → name or null,
 *            reply, edit, press, jump, command}: what a person can do with it.
 */
export function messageRow({ messages, follows }, context) {
  const first = messages[0];
  const spoken = messages.find((message) => message.text ?? message.caption) ?? first;
  const service = serviceWords(first);
  const attributes = {
    "data-testid": "message", "data-message-id": first.message_id, "data-ephemeral-id": first.ephemeral_message_id,
  };
  if (service) return element("div.service", attributes, element("span", {}, service));

  const sender = senderOf(first);
  const mine = sender.id === context.me;
  const ephemeral = Boolean(first.receiver_user);
  const named = !mine && !follows && !context.isPrivate;
  const topic = follows ? null : context.topic(first);
  const parts = attachments(messages);
  const words = spoken.text ?? spoken.caption;
  const entities = spoken.entities ?? spoken.caption_entities;

  const bubble = element("div.bubble", {},
    named ? element("div.name", { "data-hue": hue(sender.id) }, sender.name, tag(sender)) : null,
    ephemeral ? element("div.only-you", {}, word("onlyYou")) : null,
    topic ? element("div.topic", {}, `# ${topic}`) : null,
    first.forward_origin ? element("div.forwarded", {}, word("forwarded", origin(first.forward_origin))) : null,
    first.reply_to_message ? quote(first.reply_to_message, context) : null,
    ...(spoken.show_caption_above_media ? [] : parts),
    words ? element("div.words", { lang: "zh-Hans" }, richText(words, entities, context.command)) : null,
    ...(spoken.show_caption_above_media ? parts : []),
    !words && !parts.length ? element("div.words.faint", {}, word("otherMessage")) : null,
    foot(first, spoken, { mine, ephemeral, words, messages }, context));

  const reactions = messages.flatMap((message) => message.reactions ?? []);
  const body = element("div.body", {}, bubble,
    reactions.length ? element("div.reactions", { role: "group", "aria-label": word("reactions") },
      ...reactions.map((sign) => element("span.reaction", { "data-testid": "reaction" }, sign))) : null,
    first.reply_markup?.inline_keyboard?.length
      ? keyboard(first.reply_markup, (button) => context.press(first, button)) : null);

  const row = element("article.message", attributes,
    mine || context.isPrivate ? null : follows ? element("span.face.face-none") : faceOf(sender, context), body);
  row.classList.toggle("mine", mine);
  row.classList.toggle("from-bot", Boolean(sender.bot));
  row.classList.toggle("follows", follows);
  row.classList.toggle("ephemeral", ephemeral);
  return row;
}

const faceOf = (sender, context) => (sender.id === context.bot
  ? element("img.face", { src: "/sandbox/static/icon.svg", alt: "", width: 32, height: 32 }) : face(sender.id, sender.name));

function tag(sender) {
  const text = sender.anonymous ? word("anonymous") : sender.bot ? word("bot") : null;
  return text ? element("span.name-tag", {}, text) : null;
}

const origin = (from) => from.sender_user?.first_name ?? from.sender_user_name ?? from.sender_chat?.title ?? from.chat?.title ?? "";

function quote(target, context) {
  const current = context.original(target);
  return element("button.quote", { type: "button", "data-hue": hue(senderOf(target).id), onclick: () => context.jump(target) },
    element("b", {}, senderOf(target).name),
    element("span", {}, current ? summary(current) : word("gone")));
}

function foot(first, spoken, { mine, ephemeral, words, messages }, context) {
  const edited = messages.some((message) => message.edit_date);
  return element("div.foot", {},
    element("span.acts", {},
      mine && words ? act("edit", () => context.edit(spoken)) : null,
      ephemeral ? null : act("reply", () => context.reply(first))),
    edited ? element("span.edited", { title: momentOf(spoken.edit_date ?? first.date) }, word("edited")) : null,
    element("time", { datetime: new Date(first.date * 1000).toISOString(), title: momentOf(first.date) }, timeOf(first.date)));
}

const act = (name, onclick) => element("button.act", {
  type: "button", "data-testid": name, "aria-label": word(name), title: word(name), onclick,
}, icon(name));

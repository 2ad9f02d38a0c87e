// One pane: which chat it shows, through whose eyes, and what that person does there.

import * as api from "./api.js";
import { summary } from "./attachment.js";
import { Composer, imagesIn } from "./composer.js";
import { element, firstSign, hue } from "./element.js";
import { deepLink } from "./keyboard.js";
import { menu } from "./menu.js";
import { senderOf } from "./message.js";
import { alertOf, speak, toast } from "./notice.js";
import { Timeline } from "./timeline.js";
import { language, role, word } from "./words.js";
import { keyOf } from "./world.js";

const KINDS = ["district", "unit", "office", "other", "private"];
const remembered = (key) => Number(sessionStorage.getItem(`sandbox.${key}`)) || null;
const remember = (key, value) => sessionStorage.setItem(`sandbox.${key}`, value);

export class Pane extends EventTarget {
  chat = null;
  me = null;
  #anonymous = false;
  #drawing = false;

  /** `kind` is also the pane's name; `isShown()` tells whether it is on screen; `shownElsewhere(chat)` whether another pane shows a chat. */
  constructor(kind, world, { isShown, isShownAnywhere }) {
    super();
    Object.assign(this, { kind, world, isShown, isShownAnywhere });
    this.node = document.querySelector("#pane").content.cloneNode(true).querySelector(".pane");
    this.node.dataset.testid = `pane-${kind}`;
    this.node.dataset.pane = kind;
    const one = (selector) => this.node.querySelector(selector);
    [this.chatPick, this.whoPick] = [one(".pick-chat select"), one(".pick-who select")];
    this.timeline = new Timeline(one(".timeline"), one(".below"));
    this.composer = new Composer(one(".write"), {
      identity: () => ({ as: this.me, chat: this.chat, anonymous: this.#anonymous }),
      lastOwn: () => this.#seen().findLast((message) => message.from?.id === this.me && (message.text || message.caption)),
      onSent: () => this.timeline.toEnd(),
    });
    this.chatPick.addEventListener("change", () => this.show(Number(this.chatPick.value), { byHand: true }));
    this.whoPick.addEventListener("change", () => this.#become(Number(this.whoPick.value)));
    menu(one(".more"), () => this.#moreItems());
    this.#takeDrops();
    this.#hint(one(".hint"));
    world.addEventListener("change", ({ detail }) => {
      if (detail.kind === "world") this.#settle();
      else if (detail.kind === "unseen" || detail.chat !== this.chat) this.#drawElsewhere();
      if (detail.chat === null || detail.chat === this.chat) this.draw();
    });
    world.addEventListener("arrived", ({ detail }) => this.#arrived(detail));
  }

  // ── which chat, which person ──

  get byHand() { return remembered(`chat.${this.kind}`) !== null; }

  show(chat, { byHand = false } = {}) {
    if (byHand) remember(`chat.${this.kind}`, chat);
    this.chat = chat;
    this.#anonymous = false;
    const members = this.world.membersOf(chat);
    const last = remembered(`who.${chat}`);
    this.me = members.some((person) => person.id === last) ? last : members[0]?.id ?? null;
    this.composer.leaveMode();
    this.composer.refuse(null);
    this.#drawHead();
    this.draw();
    this.dispatchEvent(new Event("who"));
  }

  #become(person) {
    this.me = person;
    remember(`who.${this.chat}`, person);
    this.composer.leaveMode();
    this.draw();
    this.dispatchEvent(new Event("who"));
  }

  /** After the world was fetched: a chat that is gone, or moved to a new id, must not stay on screen. */
  #settle() {
    const chats = this.world.open();
    const wanted = this.chat ?? remembered(`chat.${this.kind}`);
    const moved = this.world.chats.get(wanted)?.migrated_to;
    const wished = moved ?? wanted;
    const natural = chats.find((chat) => this.world.kindOf(chat) === this.kind) ?? chats[0];
    const next = this.world.chats.has(wished) ? wished : natural;
    if (next !== this.chat) this.show(next, { byHand: Boolean(moved) && this.byHand });
    else this.#drawHead();
  }

  #seen() { return this.world.seenBy(this.me, this.chat); }
  #original(target) {
    const message = this.world.of(this.chat).get(keyOf(target));
    return message && !message.deleted ? message : null;
  }

  get #found() { return this.world.chats.get(this.chat); }
  get #isPrivate() { return this.#found?.type === "private"; }
  get #botIsAway() { return !this.#isPrivate && ["left", "kicked"].includes(this.#found?.bot_status); }

  // ── drawing ──

  /** Several changes at once cost one drawing. */
  draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    queueMicrotask(() => { this.#drawing = false; this.#draw(); });
  }

  #draw() {
    if (this.chat === null) return;
    if (this.isShown()) this.world.look(this.chat);
    this.node.querySelector(".timeline").setAttribute("aria-label", this.world.titleOf(this.chat));
    this.node.classList.toggle("is-private", this.#isPrivate);
    this.node.classList.toggle("is-anonymous", this.#anonymous);
    this.timeline.draw(`${this.chat} ${this.me} ${language()}`, this.#seen(), {
      me: this.me,
      bot: this.world.bot.id,
      isPrivate: this.#isPrivate,
      original: (target) => this.#original(target),
      reply: (message) => this.composer.reply(message),
      edit: (message) => this.composer.correct(message),
      press: (message, button) => this.#press(message, button),
      jump: (target) => this.timeline.jump(target.message_id),
      command: (text) => this.composer.say(text),
    }, this.#emptyNode());
    this.#drawElsewhere();
  }

  #emptyNode() {
    if (!this.#isPrivate) return element("div.empty", {}, element("p", {}, word("emptyGroup")));
    return element("div.empty", {}, element("p", {}, word("emptyPrivate")),
      element("button.key.strong", { type: "button", "data-testid": "start", onclick: () => this.composer.say("/start") }, word("start")));
  }

  #drawHead() {
    const title = this.world.titleOf(this.chat);
    const sign = this.node.querySelector(".face-chat");
    sign.textContent = firstSign(title);
    sign.dataset.hue = hue(this.chat);
    const kinds = [this.kind, ...KINDS.filter((kind) => kind !== this.kind)];
    const groups = kinds.map((kind) => {
      const chats = this.world.open().filter((chat) => this.world.kindOf(chat) === kind);
      const label = word(`kind${kind[0].toUpperCase()}${kind.slice(1)}`);
      const nameOf = (chat) => (kind === "private" ? word("privateWith", this.world.titleOf(chat)) : this.world.titleOf(chat));
      return chats.length ? element("optgroup", { label }, ...chats.map((chat) => element("option", { value: chat }, nameOf(chat)))) : null;
    });
    offer(this.chatPick, groups.filter(Boolean), this.chat);
    offer(this.whoPick, this.world.membersOf(this.chat).map((person) =>
      element("option", { value: person.id }, [person.first_name, role(person.role)].filter(Boolean).join(" · "))), this.me);
  }

  relabel() {
    this.#drawHead();
    this.composer.relabel();
    this.draw();
  }

  /** A line above the messages for what happens where nobody looks: the bot away from here, a card in a chat of this kind not on screen. */
  #drawElsewhere() {
    const strip = this.node.querySelector(".elsewhere");
    const away = this.#botIsAway ? [element("span", {}, word("botAway")),
      element("button.link", { type: "button", "data-testid": "bot-join", onclick: () => this.#letJoin() }, word("letBotJoin"))] : [];
    const others = [...this.world.unseen].filter(([chat]) =>
      chat !== this.chat && this.world.chats.has(chat) && !this.isShownAnywhere(chat) && this.world.kindOf(chat) === this.kind);
    strip.replaceChildren(...away, ...others.slice(0, 3).map(([chat, count]) => element("button.pill", {
      type: "button", "data-testid": "elsewhere-chat", "data-chat-id": chat, onclick: () => this.show(chat, { byHand: true }),
    }, this.world.titleOf(chat), element("span.pill-count", {}, count))));
    strip.hidden = !strip.childElementCount;
  }

  // ── what happens here ──

  #arrived(message) {
    if (message.chat.id !== this.chat) return;
    if (message.receiver_user && message.receiver_user.id !== this.me) return;
    if (message.from?.id === this.me) return;
    this.timeline.missed();
    if (this.isShown()) speak(`${this.world.titleOf(this.chat)}, ${senderOf(message).name}: ${summary(message)}`);
    else this.dispatchEvent(new Event("unread"));
  }

  async #press(message, button) {
    this.composer.refuse(null);
    const link = button.url ? deepLink(button.url) : null;
    if (link) { this.#followLink(link); return; }
    if (button.copy_text) {
      await navigator.clipboard?.writeText(button.copy_text.text).catch(() => {});
      toast(word("copied"), this.node);
      return;
    }
    const which = message.ephemeral_message_id ? { ephemeral_message_id: message.ephemeral_message_id } : { message_id: message.message_id };
    try {
      const { answer, url } = await api.press({ as: this.me, chat: this.chat, ...which, data: button.callback_data, button: button.callback_data ? undefined : button.text });
      if (url) window.open(url, "_blank", "noopener");
      else if (!answer) toast(word("noAnswer"), this.node);
      else if (answer.show_alert && answer.text) alertOf(answer.text);
      else if (answer.text) toast(answer.text, this.node);
    } catch (refusal) {
      this.composer.refuse(refusal);
    }
  }

  /** The bot's own address with ?start= means: talk to it in private. ?startgroup= means: add it, here where this person presses. */
  #followLink({ start, startgroup }) {
    if (start !== null) this.dispatchEvent(new CustomEvent("start", { detail: { person: this.me, payload: start } }));
    else this.#try(() => api.join({ chat: this.chat, as: this.me, admin: true, payload: startgroup }));
  }

  say(text) { return this.composer.say(text); }

  #moreItems() {
    if (this.#isPrivate) return [{ label: "/start", act: () => this.composer.say("/start") }];
    const presence = this.#botIsAway
      ? { label: word("botJoins"), testid: "bot-join-item", act: () => this.#letJoin() }
      : { label: word("botLeaves"), testid: "bot-leave", act: () => this.#try(() => api.membership({ chat: this.chat, status: "left", as: this.me })) };
    return [
      presence,
      { label: word("migrate"), testid: "migrate", act: () => this.#try(() => api.migrate(this.chat)) },
      { label: word("asAnonymous"), testid: "anonymous", checked: this.#anonymous, act: () => { this.#anonymous = !this.#anonymous; this.draw(); } },
    ];
  }

  #letJoin() { return this.#try(() => api.join({ chat: this.chat, as: this.me, admin: true })); }

  async #try(wish) {
    this.composer.refuse(null);
    try {
      await wish();
    } catch (refusal) {
      this.composer.refuse(refusal);
    }
  }

  #takeDrops() {
    let depth = 0;
    const mark = (change) => { depth = Math.max(0, depth + change); this.node.classList.toggle("dropping", depth > 0); };
    const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
    this.node.addEventListener("dragenter", (event) => { if (carriesFiles(event)) { event.preventDefault(); mark(1); } });
    this.node.addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
    this.node.addEventListener("dragleave", (event) => { if (carriesFiles(event)) mark(-1); });
    this.node.addEventListener("drop", (event) => {
      event.preventDefault();
      mark(-Infinity);
      this.composer.add(imagesIn(event.dataTransfer));
    });
  }

  #hint(strip) {
    strip.hidden = this.kind !== "district" || localStorage.getItem("sandbox.hint") === "seen";
    strip.querySelector(".hint-close").addEventListener("click", () => {
      strip.hidden = true;
      localStorage.setItem("sandbox.hint", "seen");
      this.composer.text.focus();
    });
  }
}

/** Gives a chooser its choices; one that is just open is not disturbed when they are the same as before. */
function offer(select, choices, chosen) {
  const same = choices.length === select.children.length && choices.every((choice, at) => choice.isEqualNode(select.children[at]));
  if (!same) select.replaceChildren(...choices);
  select.value = chosen;
}

// One pane: which chat it shows, through whose eyes, and what that person does there.

import * as api from "./api.js";
import { summary } from "./attachment.js";
import { Composer } from "./composer.js";
import { takeDrops } from "./drop.js";
import { element } from "./element.js";
import { drawHead } from "./head.js";
import { deepLink } from "./link.js";
import { menu } from "./menu.js";
import { senderOf } from "./message.js";
import { letJoin, moreItems } from "./more.js";
import { alertOf, choice, speak, toast } from "./notice.js";
import { Timeline } from "./timeline.js";
import { language, word } from "./words.js";
import { keyOf } from "./world.js";

const remembered = (key) => Number(sessionStorage.getItem(`sandbox.${key}`)) || null;
const remember = (key, value) => sessionStorage.setItem(`sandbox.${key}`, value);

export class Pane extends EventTarget {
  chat = null;
  me = null;
  anonymous = false;
  #drawing = false;

  /**
   * `kind` is also the pane's name. `isShown()` tells whether the pane is on screen, `isShownAnywhere(chat)`
   * whether any pane shows that chat.
   */
  constructor(kind, world, { isShown, isShownAnywhere }) {
    super();
    Object.assign(this, { kind, world, isShown, isShownAnywhere });
    this.node = document.querySelector("#pane").content.cloneNode(true).querySelector(".pane");
    this.node.dataset.testid = `pane-${kind}`;
    const one = (selector) => this.node.querySelector(selector);
    [this.chatPick, this.whoPick] = [one(".pick-chat select"), one(".pick-who select")];
    this.timeline = new Timeline(one(".timeline"), one(".below"));
    this.composer = new Composer(one(".write"), {
      identity: () => ({ as: this.me, chat: this.chat, anonymous: this.anonymous }),
      lastOwn: () => this.#seen().findLast((message) =>
        message.from?.id === this.me && (message.text || message.caption)),
      onSent: () => this.timeline.toEnd(),
    });
    this.chatPick.addEventListener("change", () => this.show(Number(this.chatPick.value), { byHand: true }));
    this.whoPick.addEventListener("change", () => this.#become(Number(this.whoPick.value)));
    menu(one(".more"), () => moreItems(this));
    one(".timeline").addEventListener("click", (event) => {
      const address = event.target.closest("a[href^=http]")?.href;
      const link = address ? deepLink(address, world.bot.username) : null;
      if (link) { event.preventDefault(); this.#followLink(link); }
    });
    takeDrops(this.node, (files) => this.composer.add(files));
    this.#hint(one(".hint"));
    world.addEventListener("change", ({ detail }) => {
      if (detail.kind === "world") this.#settle();
      this.draw();
    });
    world.addEventListener("arrived", ({ detail }) => this.#arrived(detail));
  }

  // ── which chat, which person ──

  get byHand() { return remembered(`chat.${this.kind}`) !== null; }

  show(chat, { byHand = false } = {}) {
    if (byHand) remember(`chat.${this.kind}`, chat);
    this.chat = chat;
    this.anonymous = false;
    const members = this.world.membersOf(chat);
    const last = remembered(`who.${chat}`);
    this.me = members.some((person) => person.id === last) ? last : members[0]?.id ?? null;
    this.composer.leaveMode();
    this.composer.refuse(null);
    drawHead(this);
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
    else drawHead(this);
  }

  #seen() { return this.world.seenBy(this.me, this.chat); }
  #original(target) {
    const message = this.world.of(this.chat).get(keyOf(target));
    return message && !message.deleted ? message : null;
  }

  get found() { return this.world.chats.get(this.chat); }
  get isPrivate() { return this.found?.type === "private"; }
  get botIsAway() { return !this.isPrivate && ["left", "kicked"].includes(this.found?.bot_status); }

  // ── drawing ──

  /** However many changes come within a frame, they cost one drawing; a page in the background draws now and then. */
  draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    const once = () => {
      if (!this.#drawing) return;
      this.#drawing = false;
      this.#draw();
    };
    requestAnimationFrame(once);
    setTimeout(once, 200);
  }

  #draw() {
    if (this.chat === null) return;
    if (this.isShown()) this.world.look(this.chat);
    this.node.querySelector(".timeline").setAttribute("aria-label", this.world.titleOf(this.chat));
    this.node.classList.toggle("is-private", this.isPrivate);
    this.node.classList.toggle("is-anonymous", this.anonymous);
    this.timeline.draw(`${this.chat} ${this.me} ${language()}`, this.#seen(), {
      me: this.me,
      bot: this.world.bot.id,
      isPrivate: this.isPrivate,
      topic: ({ message_thread_id: id }) => this.found?.topics?.find((topic) => topic.id === id)?.name ?? null,
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
    if (!this.isPrivate) return element("div.empty", {}, element("p", {}, word("emptyGroup")));
    const start = { type: "button", "data-testid": "start", onclick: () => this.composer.say("/start") };
    return element("div.empty", {}, element("p", {}, word("emptyPrivate")), element("button.key.strong", start, word("start")));
  }

  relabel() {
    drawHead(this);
    this.composer.relabel();
    this.draw();
  }

  /** A line above the messages: the bot is away from here; a card came in a chat of this kind that no pane shows. */
  #drawElsewhere() {
    const strip = this.node.querySelector(".elsewhere");
    const away = this.botIsAway ? [element("span", {}, word("botAway")),
      element("button.link", { type: "button", "data-testid": "bot-join", onclick: () => letJoin(this) }, word("letBotJoin"))] : [];
    const others = [...this.world.unseen].filter(([chat]) => this.#minds(chat));
    strip.replaceChildren(...away, ...others.slice(0, 3).map(([chat, count]) => element("button.pill", {
      type: "button", "data-testid": "elsewhere-chat", "data-chat-id": chat, onclick: () => this.show(chat, { byHand: true }),
    }, this.world.titleOf(chat), element("span.pill-count", {}, count))));
    strip.hidden = !strip.childElementCount;
  }

  /** A chat that no pane shows is minded by the pane of its kind. */
  #minds(chat) {
    return this.world.chats.has(chat) && !this.isShownAnywhere(chat) && this.world.kindOf(chat) === this.kind;
  }

  // ── what happens here ──

  #arrived(message) {
    if (message.chat.id !== this.chat) {
      if (this.#minds(message.chat.id) && message.from?.is_bot && !this.isShown()) this.dispatchEvent(new Event("unread"));
      return;
    }
    if (message.receiver_user && message.receiver_user.id !== this.me) return;
    if (message.from?.id === this.me) return;
    this.timeline.missed();
    if (this.isShown()) speak(`${this.world.titleOf(this.chat)}, ${senderOf(message).name}: ${summary(message)}`);
    else this.dispatchEvent(new Event("unread"));
  }

  async #press(message, button) {
    if (button.copy_text) {
      await navigator.clipboard?.writeText(button.copy_text.text).catch(() => {});
      toast(word("copied"), this.node);
      return;
    }
    const { ephemeral_message_id, message_id } = message;
    const which = ephemeral_message_id ? { ephemeral_message_id } : { message_id };
    const what = button.callback_data ? { data: button.callback_data } : { button: button.text };
    await this.attempt(async () => {
      const { answer } = await api.press({ as: this.me, chat: this.chat, ...which, ...what });
      if (!answer) toast(word("noAnswer"), this.node);
      else if (answer.show_alert && answer.text) alertOf(answer.text);
      else if (answer.text) toast(answer.text, this.node);
    });
  }

  /** The bot's own address means: talk to it in private; with ?startgroup=: add it to one of this person's groups. */
  async #followLink({ start, startgroup }) {
    if (start !== null) {
      this.dispatchEvent(new CustomEvent("start", { detail: { person: this.me, payload: start } }));
      return;
    }
    const groups = this.world.open().filter((chat) => this.world.kindOf(chat) !== "private"
      && this.world.membersOf(chat).some((person) => person.id === this.me));
    const chat = await choice(word("addTo"), groups.map((group) => [group, this.world.titleOf(group)]));
    if (chat !== null) await letJoin(this, chat, startgroup);
  }

  say(text) { return this.composer.say(text); }

  speakAnonymously(anonymous) {
    this.anonymous = anonymous;
    this.draw();
  }

  /** Does what may be refused; a refusal shows by the composer. */
  async attempt(wish) {
    this.composer.refuse(null);
    try {
      await wish();
    } catch (refusal) {
      this.composer.refuse(refusal);
    }
  }

  #hint(strip) {
    if (this.kind !== "district" || localStorage.getItem("sandbox.hint") === "seen") { strip.remove(); return; }
    strip.querySelector(".hint-close").addEventListener("click", () => {
      strip.remove();
      localStorage.setItem("sandbox.hint", "seen");
      this.composer.text.focus();
    });
  }
}

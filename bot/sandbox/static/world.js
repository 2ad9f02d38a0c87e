// What the page knows of the sandbox's world: people, chats, messages, and which chats hold something unseen.
// The server's state is the truth; events keep the copy fresh, and after any doubt the whole is fetched again.

import * as api from "./api.js";
import * as clock from "./clock.js";

/** An ephemeral message has an id of its own kind, so the two kinds must not collide. */
export const keyOf = (message) => (message.ephemeral_message_id ? `e${message.ephemeral_message_id}` : `m${message.message_id}`);

// The roles whose presence makes a chat one of a kind; the first found decides.
const KINDS = Object.entries({
  "shop owner": "district", unit: "unit", "community secretary": "office", "deputy secretary": "office", "street office": "office",
});

export class World extends EventTarget {
  bot = { id: 0, first_name: "", username: "" };
  people = new Map();
  chats = new Map();
  messages = new Map();    // chat id → Map of key → message, in the order of arrival
  unseen = new Map();      // chat id → messages nobody on this page has looked at
  #waiting = null;         // events that arrived while the state was being fetched
  #again = false;

  async refresh() {
    if (this.#waiting) { this.#again = true; return; }
    this.#waiting = [];
    try {
      do {
        this.#again = false;
        this.#take(await api.state());
      } while (this.#again);
    } finally {
      const missed = this.#waiting;
      this.#waiting = null;
      missed.forEach(([kind, told]) => this.apply(kind, told));
    }
  }

  #take(state) {
    clock.set(state);
    this.bot = state.bot;
    this.people = new Map(state.people.map((person) => [person.id, person]));
    this.chats = new Map(state.chats.map((chat) => [chat.id, chat]));
    const before = this.messages;
    this.messages = new Map(state.chats.map((chat) => [chat.id, new Map()]));
    for (const [chat, list] of Object.entries(state.messages ?? {})) {
      this.messages.set(Number(chat), new Map(list.map((message) => [keyOf(message), message])));
    }
    for (const chat of this.unseen.keys()) if (!this.messages.get(chat)?.size) this.unseen.delete(chat);
    this.#change("world");
    if (!before.size) return;
    for (const [chat, list] of this.messages) {
      for (const [key, message] of list) if (!before.get(chat)?.has(key)) this.#arrived(message);
    }
  }

  apply(kind, told) {
    if (this.#waiting) { this.#waiting.push([kind, told]); return; }
    if (kind === "clock") clock.set(told);
    else if (kind === "chat") this.#chatChanged(told.chat);
    else if (kind === "reset") this.refresh().catch(() => {});
    else this.#keep(told.message);
  }

  #chatChanged(chat) {
    if (!this.chats.has(chat.id) || chat.migrated_to) { this.refresh().catch(() => {}); return; }
    this.chats.set(chat.id, chat);
    this.#change("world");
  }

  #keep(message) {
    const chat = message.chat.id;
    if (!this.chats.has(chat)) { this.refresh().catch(() => {}); return; }
    const list = this.of(chat);
    const key = keyOf(message);
    const isNew = !list.has(key);
    list.set(key, message);
    this.#change("messages", chat);
    if (isNew && !message.deleted) this.#arrived(message);
  }

  #arrived(message) {
    const chat = message.chat.id;
    if (message.from?.id === this.bot.id) this.unseen.set(chat, (this.unseen.get(chat) ?? 0) + 1);
    this.dispatchEvent(new CustomEvent("arrived", { detail: message }));
  }

  #change(kind, chat = null) {
    this.dispatchEvent(new CustomEvent("change", { detail: { kind, chat } }));
  }

  /** All messages of a chat by key. */
  of(chat) {
    if (!this.messages.has(chat)) this.messages.set(chat, new Map());
    return this.messages.get(chat);
  }

  /** What `person` sees of a chat: not what was deleted, nor what was meant for another's eyes only. */
  seenBy(person, chat) {
    const seen = [...this.of(chat).values()].filter(
      (message) => !message.deleted && (!message.receiver_user || message.receiver_user.id === person));
    const replaced = new Set(seen.map((message) => message.replaces).filter(Boolean));    // an ephemeral stands in its place
    return replaced.size ? seen.filter((message) => !replaced.has(message.message_id)) : seen;
  }

  look(chat) {
    if (this.unseen.delete(chat)) this.#change("unseen", chat);
  }

  membersOf(chat) {
    const found = this.chats.get(chat);
    if (!found) return [];
    if (found.type === "private") return this.people.has(chat) ? [this.people.get(chat)] : [];
    return (found.members ?? []).map((id) => this.people.get(id)).filter(Boolean);
  }

  titleOf(chat) {
    const found = this.chats.get(chat);
    if (found?.type === "private") return this.people.get(chat)?.first_name ?? String(chat);
    return found?.title ?? String(chat);
  }

  /** The chats one can be in; a group that became a supergroup lives on under another id. */
  open() {
    return [...this.chats.values()].filter((chat) => !chat.migrated_to).map((chat) => chat.id);
  }

  /** Which pane a chat belongs to follows from who is in it: district, unit, office, private, other. */
  kindOf(chat) {
    const found = this.chats.get(chat);
    if (found?.type === "private") return "private";
    const roles = this.membersOf(chat).map((person) => person.role ?? "");
    return KINDS.find(([start]) => roles.some((role) => role.startsWith(start)))?.[1] ?? "other";
  }
}

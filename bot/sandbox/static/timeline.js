// The messages of one chat as one person sees them. Rows are kept while nothing about them changed, so that
// focus, scroll and half-read text survive every update; only what changed is drawn anew.

import { dayKey, dayOf } from "./clock.js";
import { calm, element } from "./element.js";
import { messageRow, senderOf, serviceWords } from "./message.js";
import { keyOf } from "./world.js";
import { language } from "./words.js";

const TOGETHER = 5 * 60;     // seconds within which one sender's messages stand as one group
const DRAWN = 300;          // messages at most; a load test may leave thousands in a chat
const AT_THE_END = 48;       // pixels from the end that still count as being there

/** Messages → rows: {key, messages, follows, day}; an album is one row. */
function rowsOf(messages) {
  const rows = [];
  for (const message of messages) {
    const last = rows.at(-1);
    if (message.media_group_id && last?.messages[0].media_group_id === message.media_group_id) {
      last.messages.push(message);
      continue;
    }
    const before = last?.messages.at(-1);
    const sameDay = before && dayKey(before.date) === dayKey(message.date);
    rows.push({
      key: keyOf(message),
      messages: [message],
      day: sameDay ? null : dayOf(message.date),
      follows: Boolean(sameDay && message.date - before.date < TOGETHER && senderOf(before).id === senderOf(message).id
        && before.message_thread_id === message.message_thread_id && !before.receiver_user && !message.receiver_user
        && !serviceWords(before) && !serviceWords(message)),
    });
  }
  return rows;
}

export class Timeline {
  #drawn = new Map();       // key → {node, print}
  #subject = "";
  #atEnd = true;
  #top = 0;
  #missed = 0;

  constructor(list, below) {
    this.list = list;
    this.below = below;
    list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    below.addEventListener("click", () => this.toEnd(true));
    list.addEventListener("load", () => { if (this.#atEnd) this.toEnd(); }, true);
    new ResizeObserver(() => { if (this.#atEnd) this.toEnd(); }).observe(list);
  }

  /** `subject` names chat and person: another subject is drawn without any movement and from its end. */
  draw(subject, messages, context, emptyNode) {
    const another = subject !== this.#subject;
    if (another) {
      this.#subject = subject;
      this.#drawn.clear();
      this.list.replaceChildren();
      this.#atEnd = true;
      this.#count(0);
    }
    const rows = rowsOf(messages.slice(-DRAWN));
    const wanted = [];
    const keep = new Set();
    for (const row of rows) {
      const day = () => element("div.day", {}, element("span", {}, row.day));
      if (row.day) wanted.push(this.#node(`d${row.key}`, row.day, keep, day));
      const quoted = row.messages[0].reply_to_message;
      const print = JSON.stringify([language(), row.follows, row.messages, quoted ? context.original(quoted) : 0]);
      wanted.push(this.#node(row.key, print, keep, () => messageRow(row, context), !another));
    }
    for (const [key, { node }] of this.#drawn) {
      if (!keep.has(key)) { this.#drawn.delete(key); leave(node); }
    }
    this.list.querySelector(".empty")?.remove();
    if (!rows.length && emptyNode) wanted.push(emptyNode);
    place(this.list, wanted);
    if (this.#atEnd) this.toEnd();
  }

  #node(key, print, keep, make, moves = false) {
    keep.add(key);
    const old = this.#drawn.get(key);
    if (old?.print === print) return old.node;
    const node = make();
    if (old) takeOver(old.node, node);
    else if (moves && !calm()) node.classList.add("arriving");
    this.#drawn.set(key, { node, print });
    return node;
  }

  toEnd(smoothly = false) {
    this.#atEnd = true;
    this.list.scrollTo({ top: this.list.scrollHeight, behavior: smoothly && !calm() ? "smooth" : "instant" });
  }

  /** Something new came while the reader was further up. */
  missed() {
    if (!this.#atEnd) this.#count(this.#missed + 1);
  }

  jump(messageId) {
    const node = this.list.querySelector(`[data-message-id="${messageId}"]`);
    if (!node) return;
    node.scrollIntoView({ block: "center", behavior: calm() ? "instant" : "smooth" });
    const row = node.closest(".message");
    row?.classList.remove("found");
    requestAnimationFrame(() => row?.classList.add("found"));
  }

  #scrolled() {
    if (!this.list.clientHeight) return;      // not on screen: the place is kept
    const { scrollTop, scrollHeight, clientHeight } = this.list;
    if (scrollHeight - scrollTop - clientHeight < AT_THE_END) this.#atEnd = true;
    else if (scrollTop < this.#top) this.#atEnd = false;        // only a reader goes up; content that grows does not count
    this.#top = scrollTop;
    if (this.#atEnd) this.#count(0);
    this.below.hidden = this.#atEnd;
  }

  #count(missed) {
    this.#missed = missed;
    this.below.querySelector(".below-count").textContent = missed || "";
  }
}

/** Brings `list` to hold `wanted` in order, moving as little as possible; leaving nodes stay where they are. */
function place(list, wanted) {
  let at = list.firstChild;
  for (const node of wanted) {
    while (at?.classList.contains("leaving")) at = at.nextSibling;
    if (node === at) at = at.nextSibling;
    else list.insertBefore(node, at);
  }
}

/** A redrawn row keeps the focus on the button that stands at the same place. */
function takeOver(old, fresh) {
  const focusables = (node) => [...node.querySelectorAll("button, a")];
  const at = old.contains(document.activeElement) ? focusables(old).indexOf(document.activeElement) : -1;
  old.replaceWith(fresh);
  if (at >= 0) (focusables(fresh)[at] ?? focusables(fresh).at(-1))?.focus({ preventScroll: true });
}

function leave(node) {
  for (const named of [node, ...node.querySelectorAll("[data-testid]")]) {
    delete named.dataset.testid;
    delete named.dataset.messageId;
  }
  node.inert = true;
  if (calm() || !node.offsetHeight) { node.remove(); return; }
  node.classList.add("leaving");
  const height = `${node.offsetHeight}px`;
  node.animate(
    [{ opacity: 1, height }, { opacity: 0, height, offset: 0.5 }, { opacity: 0, height: 0, margin: 0 }],
    { duration: 420, easing: "ease" },
  ).finished.finally(() => node.remove());
}

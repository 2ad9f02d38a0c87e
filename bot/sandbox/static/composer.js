// Where a person writes: words, pictures of their own or the sandbox's samples, a place; as a reply, or as a correction.
// Nothing typed is lost: the field is emptied only after the sandbox has taken it.

import * as api from "./api.js";
import { summary } from "./attachment.js";
import { imagesIn } from "./drop.js";
import { element, icon } from "./element.js";
import { menu } from "./menu.js";
import { senderOf } from "./message.js";
import { word } from "./words.js";

const SAMPLES = Object.entries({ cover: "🕳️", fixed: "✅", obstruction: "📦", bikes: "🚲", rubbish: "🗑️", light: "💡" });
const SAID = {
  cover: "saidCover", obstruction: "saidObstruction", bikes: "saidBikes", rubbish: "saidRubbish", light: "saidLight",
};
const HERE = { latitude: 30.6777, longitude: 121.0149 };

export class Composer {
  #pieces = [];         // {file, address} or {sample, sign}
  #mode = null;         // {kind: "reply" | "edit", message}
  #busy = false;

  /** `identity()` → {as, chat, anonymous}; `lastOwn()` → the message that ArrowUp corrects; `onSent()` after each success. */
  constructor(form, { identity, lastOwn, onSent }) {
    this.identity = identity;
    this.onSent = onSent;
    this.form = form;
    this.text = form.querySelector("textarea");
    this.strip = form.querySelector(".strip");
    this.about = form.querySelector(".about");
    this.asFile = form.querySelector(".as-file input");
    const pictures = form.querySelector("input[type=file]");

    form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    this.text.addEventListener("input", () => this.#grow());
    this.text.addEventListener("keydown", (event) => this.#onKey(event, lastOwn));
    this.text.addEventListener("paste", (event) => {
      const files = imagesIn(event.clipboardData);
      if (files.length) { event.preventDefault(); this.add(files); }
    });
    pictures.addEventListener("change", () => { this.add([...pictures.files]); pictures.value = ""; });
    form.querySelector(".about-close").addEventListener("click", () => this.#setMode(null));
    menu(form.querySelector(".samples"), () => SAMPLES.map(([sample, sign]) => (
      { label: word(sample), sign, testid: `sample-${sample}`, act: () => this.#sample(sample, sign) })));
    menu(form.querySelector(".places"), () => [
      { label: word("hereLocation"), sign: "📍", testid: "place-location", act: () => this.#post({ location: HERE }) },
      { label: word("hereVenue"), sign: "🏪", testid: "place-venue",
        act: () => this.#post({ venue: { title: word("venueTitle"), address: word("venueAddress"), ...HERE } }) },
    ]);
  }

  /** Own pictures: chosen, pasted or dropped. */
  add(files) {
    const images = files.filter((file) => file.type.startsWith("image/"));
    this.#stage(images.map((file) => ({ file, address: URL.createObjectURL(file) })));
  }

  reply(message) { this.#setMode({ kind: "reply", message }); }

  correct(message) {
    this.#setMode({ kind: "edit", message });
    this.text.value = message.text ?? message.caption ?? "";
    this.#grow();
    this.text.setSelectionRange(this.text.value.length, this.text.value.length);
  }

  /** Another chat or person: a reply to a message of the former one would make no sense. */
  leaveMode() { this.#setMode(null, false); }

  async submit() {
    const text = this.text.value.trim();
    if (this.#busy) return;
    if (this.#mode?.kind === "edit") {
      const { message } = this.#mode;
      if (text) await this.#do(() => api.edit({
        ...this.#who(), message_id: message.message_id, [message.text === undefined ? "caption" : "text"]: text }));
      return;
    }
    if (text || this.#pieces.length) await this.#post({ text: text || undefined }, true);
  }

  /** Sends words of a button's making (a /command), leaving the field alone. */
  say(text) { return this.#do(() => api.send({ ...this.#who(), text }), false); }

  refuse(refusal) {
    const line = this.form.querySelector(".refusal");
    line.hidden = refusal === null;
    line.textContent = refusal === null ? "" : refusal.message || word("unreachable");
  }

  relabel() { this.#drawStrip(); this.#drawMode(); }

  #who() {
    const { as, chat, anonymous } = this.identity();
    return { as, chat, ...(anonymous ? { anonymous: true } : {}) };
  }

  #post(wish, withPieces = false) {
    const full = { ...this.#who(), ...wish };
    if (this.#mode?.kind === "reply") {
      const { message_id: id, message_thread_id: thread } = this.#mode.message;
      Object.assign(full, { reply_to: id }, thread ? { thread } : {});
    }
    if (!withPieces) return this.#do(() => api.send(full), false);
    const samples = this.#pieces.filter((piece) => piece.sample).map((piece) => piece.sample);
    const files = this.#pieces.filter((piece) => piece.file).map((piece) => piece.file);
    if (samples.length) full.samples = samples;
    if (this.#pieces.length && this.asFile.checked) full.as_file = true;
    if (full.text === undefined) delete full.text;
    return this.#do(() => api.send(full, files));
  }

  async #do(wish, empties = true) {
    this.#busy = true;
    this.form.setAttribute("aria-busy", "true");
    this.refuse(null);
    try {
      await wish();
      if (empties) this.#empty();
      else this.#setMode(null);
      this.onSent();
    } catch (refusal) {
      this.refuse(refusal);
    } finally {
      this.#busy = false;
      this.form.removeAttribute("aria-busy");
    }
  }

  #empty() {
    this.text.value = "";
    for (const piece of this.#pieces) if (piece.address) URL.revokeObjectURL(piece.address);
    this.#pieces = [];
    this.asFile.checked = false;
    this.#drawStrip();
    this.#setMode(null);
    this.#grow();
  }

  #onKey(event, lastOwn) {
    if (event.isComposing || event.keyCode === 229) return;      // Enter belongs to the input method while it spells
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && this.#mode) {
      event.preventDefault();
      this.#setMode(null);
    } else if (event.key === "ArrowUp" && !this.text.value && !this.#pieces.length && !this.#mode) {
      const message = lastOwn();
      if (message) { event.preventDefault(); this.correct(message); }
    }
  }

  #setMode(mode, focus = true) {
    if (this.#mode?.kind === "edit") { this.text.value = ""; this.#grow(); }
    const changed = mode || this.#mode;
    this.#mode = mode;
    this.#drawMode();
    if (changed && focus) this.text.focus();
  }

  #drawMode() {
    this.about.hidden = !this.#mode;
    if (!this.#mode) return;
    const { kind, message } = this.#mode;
    this.about.querySelector("use").setAttribute("href", `#i-${kind}`);
    const title = kind === "edit" ? word("editing") : word("replyTo", senderOf(message).name);
    this.about.querySelector(".about-title").textContent = title;
    this.about.querySelector(".about-text").textContent = summary(message);
  }

  /** A sample comes with words to go with it, there to be sent or typed over; a reply needs none. */
  #sample(sample, sign) {
    this.#stage([{ sample, sign }]);
    const said = SAID[sample];
    if (!said || this.#mode || this.text.value) return;
    this.text.value = word(said);
    this.#grow();
    this.text.select();
  }

  #stage(pieces) {
    this.#pieces.push(...pieces);
    this.#drawStrip();
    this.text.focus();
  }

  #unstage(piece) {
    if (piece.address) URL.revokeObjectURL(piece.address);
    this.#pieces = this.#pieces.filter((other) => other !== piece);
    this.#drawStrip();
    this.text.focus();
  }

  #drawStrip() {
    this.strip.hidden = !this.#pieces.length;
    this.strip.querySelector(".strip-list").replaceChildren(...this.#pieces.map((piece) => {
      const name = piece.sample ? word(piece.sample) : piece.file.name || word("photo");
      const look = piece.sample ? element("span.strip-sample", {}, element("span", { "aria-hidden": "true" }, piece.sign), name)
        : element("img", { src: piece.address, alt: name });
      const remove = element("button.strip-remove", {
        type: "button", title: word("remove"), "aria-label": `${word("remove")} ${name}`, onclick: () => this.#unstage(piece),
      }, icon("close"));
      return element("li", { "data-testid": "piece" }, look, remove);
    }));
  }

  #grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, 160)}px`;
  }
}

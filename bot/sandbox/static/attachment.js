// What hangs on a message besides words: pictures alone or as an album, files, places.

import { fileAddress } from "./api.js";
import { element, icon } from "./element.js";
import { enlarge } from "./notice.js";
import { word } from "./words.js";

const WIDE_ENOUGH = 640;    // a bubble is at most 340 CSS pixels wide, twice that on a dense screen

const sizesOf = (message) => message.photo ?? message.live_photo?.photo ?? null;
export const isPicture = (message) => Boolean(sizesOf(message));

/** A short word for what a message carries, for quotes and screen readers. */
export function summary(message) {
  const words = message.text ?? message.caption;
  if (words) return words;
  if (isPicture(message)) return `[${word("photo")}]`;
  if (message.document) return `[${word("file")}] ${message.document.file_name ?? ""}`.trim();
  if (message.venue) return `[${word("place")}] ${message.venue.title}`;
  if (message.location) return `[${word("place")}]`;
  if (message.sticker) return `[${word("sticker")}] ${message.sticker.emoji ?? ""}`.trim();
  return `[${word("otherMessage")}]`;
}

/** One picture keeps its shape; several become a grid. */
export function pictures(messages) {
  const grid = element("div.pictures", { "data-count": messages.length });
  for (const message of messages) {
    const sizes = [...sizesOf(message)].sort((one, other) => one.width - other.width);
    const shown = sizes.find((size) => size.width >= WIDE_ENOUGH) ?? sizes.at(-1);
    const words = message.caption || word("photo");
    const image = element("img", {
      src: fileAddress(shown.file_id), width: shown.width, height: shown.height, alt: words, decoding: "async",
    });
    image.addEventListener("error", () => image.classList.add("broken"));
    grid.append(element("button.picture", {
      type: "button", "aria-label": word("openPicture"), "data-testid": "photo", "data-message-id": message.message_id,
      onclick: () => enlarge(sizes.at(-1).file_id, words),
    }, image, message.live_photo ? element("span.live", {}, word("live")) : null));
  }
  return grid;
}

function sizeOf(bytes) {
  if (!bytes) return "";
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function file(held) {
  const image = (held.mime_type ?? "").startsWith("image/") && held.mime_type !== "image/svg+xml";
  const kind = held.mime_type?.split("/")[1]?.toUpperCase();
  const words = element("span.file-words", {},
    element("span.file-name", {}, held.file_name ?? word("file")),
    element("span.file-note", {}, [kind, sizeOf(held.file_size)].filter(Boolean).join(" · ")));
  return element("a.file", {
    href: fileAddress(held.file_id), download: held.file_name ?? "file", target: "_blank", rel: "noopener",
  }, image
    ? element("img.file-thumb", { src: fileAddress(held.thumbnail?.file_id ?? held.file_id), alt: "", width: 48, height: 48 })
    : element("span.file-thumb", {}, icon("file")), words);
}

/** No map is loaded from outside: a drawn patch of streets, the name, the numbers. */
export function place(location, venue) {
  const numbers = `${location.latitude.toFixed(4)}, ${location.longitude.toFixed(4)}`;
  return element("div.place", {},
    element("div.place-map", { "aria-hidden": "true" }, icon("place")),
    element("div.place-words", {},
      element("b", {}, venue?.title ?? word("place")),
      venue?.address ? element("span", {}, venue.address) : null,
      element("span.place-numbers", {}, numbers)));
}

/** All nodes that a row of messages (one, or an album) hangs above its words. */
export function attachments(messages) {
  const nodes = [];
  const shown = messages.filter(isPicture);
  if (shown.length) nodes.push(pictures(shown));
  for (const message of messages) {
    if (message.document) nodes.push(file(message.document));
    else if (message.video ?? message.animation ?? message.audio ?? message.voice) {
      nodes.push(file(message.video ?? message.animation ?? message.audio ?? message.voice));
    }
    if (message.venue) nodes.push(place(message.venue.location, message.venue));
    else if (message.location) nodes.push(place(message.location));
    if (message.sticker) nodes.push(element("div.sticker", {}, message.sticker.emoji ?? word("sticker")));
  }
  return nodes;
}

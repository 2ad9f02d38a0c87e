// Short words that belong to no message: the toast after a press, an alert, a question, a picture seen large,
// and the words a screen reader speaks when something new arrives.

import { fileAddress } from "./api.js";
import { element } from "./element.js";

const toasts = document.querySelector(".toast");
let fading = 0;

/** Shows `text` for a while, under the head of `near` (the pane it belongs to), clear of the buttons just pressed. */
export function toast(text, near = document.body) {
  const { left, width } = near.getBoundingClientRect();
  const head = near.querySelector(".head")?.getBoundingClientRect().bottom ?? 70;
  toasts.style.left = `${left + width / 2}px`;
  toasts.style.top = `${head + 12}px`;
  toasts.style.maxWidth = `${Math.min(width - 32, 420)}px`;
  toasts.textContent = text;
  toasts.classList.add("shown");
  clearTimeout(fading);
  fading = setTimeout(() => toasts.classList.remove("shown"), 2600 + 60 * text.length);
}

export function alertOf(text) {
  const dialog = document.querySelector(".alert");
  dialog.querySelector(".alert-text").textContent = text;
  if (!dialog.open) dialog.showModal();
}

/** Asks for one of `options` ([[value, words]]); gives its value, or null when the dialog was closed. */
export function choice(title, options) {
  const dialog = document.querySelector(".choice");
  dialog.querySelector(".choice-title").textContent = title;
  dialog.returnValue = "";
  dialog.querySelector(".choice-list").replaceChildren(...options.map(([value, words]) =>
    element("button.menu-item", { value, "data-testid": "choice-option" }, words)));
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(options.find(([value]) => String(value) === dialog.returnValue)?.[0] ?? null);
    }, { once: true });
  });
}

export function enlarge(fileId, words) {
  const dialog = document.querySelector(".viewer");
  const image = dialog.querySelector(".viewer-image");
  image.src = fileAddress(fileId);
  image.alt = words;
  dialog.showModal();
}

export function speak(text) {
  document.querySelector("#spoken").textContent = text;
}

document.querySelector(".viewer").addEventListener("click", (event) => event.currentTarget.close());

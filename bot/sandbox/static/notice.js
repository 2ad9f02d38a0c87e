// Short answers that belong to no message: the toast after a press, the dialog of an alert, a picture seen large,
// and the words a screen reader speaks when something new arrives.

import { fileAddress } from "./api.js";

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

// The sandbox's page: four panes on one world, so that one person can play the whole alliance and see
// a report go from the group to the unit and back. This file only puts the parts together.

import * as clock from "./clock.js";
import { toast } from "./notice.js";
import { Pane } from "./pane.js";
import { follow } from "./stream.js";
import { World } from "./world.js";
import { choose, label, language, word } from "./words.js";

const NAMES = ["district", "unit", "office", "private"];
const phone = matchMedia("(max-width: 800px)");
const board = document.querySelector(".panes");
const world = new World();

const isShown = (name) => !phone.matches || board.dataset.shown === name;
const panes = Object.fromEntries(NAMES.map((name) => [name, new Pane(name, world, {
  isShown: () => isShown(name),
  isShownAnywhere: (chat) => Object.values(panes).some((pane) => pane.chat === chat),
})]));
board.append(...Object.values(panes).map((pane) => pane.node));

// The private pane shows the person one is in the district, until somebody chooses otherwise.
function followPerson() {
  const { me } = panes.district;
  if (!panes.private.byHand && world.chats.has(me) && panes.private.chat !== me) panes.private.show(me);
}
panes.district.addEventListener("who", followPerson);

for (const pane of Object.values(panes)) {
  pane.addEventListener("start", ({ detail }) => {
    panes.private.show(detail.person, { byHand: true });
    showTab("private");
    panes.private.say(`/start ${detail.payload}`.trim());
  });
}

// ── tabs, on a narrow screen ──
const tabOf = (name) => document.querySelector(`[data-tab="${name}"]`);

function showTab(name) {
  board.dataset.shown = name;
  for (const other of NAMES) {
    tabOf(other).setAttribute("aria-current", other === name ? "page" : "false");
    panes[other].node.classList.toggle("shown", other === name);
  }
  unread(name, false);
  panes[name].draw();
}

function unread(name, is) {
  tabOf(name).classList.toggle("unread", is);
  if (is) tabOf(name).setAttribute("aria-description", word("unread"));
  else tabOf(name).removeAttribute("aria-description");
}

for (const name of NAMES) {
  tabOf(name).addEventListener("click", () => showTab(name));
  panes[name].addEventListener("unread", () => unread(name, true));
}
phone.addEventListener("change", () => Object.values(panes).forEach((pane) => pane.draw()));

// ── labels ──
function relabel() {
  document.documentElement.lang = language() === "zh" ? "zh-Hans" : "en";
  label(document);
  clock.draw();
  if (world.chats.size) Object.values(panes).forEach((pane) => pane.relabel());
}
document.querySelector(".language").addEventListener("click", () => {
  choose(language() === "zh" ? "en" : "zh");
  relabel();
});

// ── the world's life ──
const lost = document.querySelector(".lost");
clock.run((refusal) => toast(refusal.message || word("lost")));
showTab("district");
relabel();
follow({
  onEvent: (kind, told) => world.apply(kind, told),
  onUp: async () => { await world.refresh(); lost.hidden = true; },
  onDown: () => { lost.hidden = false; },
});

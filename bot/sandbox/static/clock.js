// The sandbox's clock can be wound on, so the page never asks the browser what time it is:
// it keeps the last answer of the server and counts on from there. Everybody in this world lives in Pinghu.

import * as api from "./api.js";
import { language, word } from "./words.js";

const ZONE = "Asia/Shanghai";

let told = Date.now() / 1000;      // seconds, by the server's wound clock
let heard = performance.now();     // when it was told
let offset = 0;                    // seconds wound on so far

export const now = () => told + (performance.now() - heard) / 1000;

export function set(clock) {
  if (Number.isFinite(clock.now)) {
    told = clock.now;
    heard = performance.now();
  }
  if (Number.isFinite(clock.offset)) offset = clock.offset;
  draw();
}

const locale = () => (language() === "zh" ? "zh-CN" : "en-GB");
const format = (at, options) => new Intl.DateTimeFormat(locale(), { timeZone: ZONE, ...options }).format(at * 1000);

export const timeOf = (at) => format(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const dayOf = (at) => {
  const day = format(at, { month: language() === "zh" ? "long" : "short", day: "numeric" });
  const weekday = format(at, { weekday: language() === "zh" ? "long" : "short" });
  return language() === "zh" ? `${day} ${weekday}` : `${weekday} ${day}`;
};
export const dayKey = (at) => new Intl.DateTimeFormat("en-CA", { timeZone: ZONE }).format(at * 1000);
export const momentOf = (at) => `${dayOf(at)} ${format(at, { timeStyle: "medium" })}`;

function span(seconds) {
  const minutes = Math.round(seconds / 60);
  const parts = [[Math.floor(minutes / 1440), "day"], [Math.floor(minutes / 60) % 24, "hour"], [minutes % 60, "minute"]];
  return parts.filter(([count]) => count).map(([count, unit]) => `${count} ${word(unit)}`).join(" ");
}

export function draw() {
  const at = now();
  const face = document.querySelector(".clock-face");
  face.dateTime = new Date(at * 1000).toISOString();
  const show = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  show(face.querySelector(".clock-day"), dayOf(at));
  show(face.querySelector(".clock-minutes"), timeOf(at));
  show(face.querySelector(".clock-seconds"), `:${String(Math.floor(at % 60)).padStart(2, "0")}`);
  const wound = document.querySelector(".clock-wound");
  wound.hidden = offset < 60;
  show(wound, word("wound", span(offset)));
}

export function run(onRefusal) {
  setInterval(draw, 250);
  for (const key of document.querySelectorAll("[data-wind]")) {
    key.addEventListener("click", async () => {
      key.setAttribute("aria-busy", "true");
      try {
        set(await api.wind(Number(key.dataset.wind)));
      } catch (refusal) {
        onRefusal(refusal, key);
      }
      key.removeAttribute("aria-busy");
    });
  }
}

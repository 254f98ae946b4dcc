// What is said to people who do not look at the table: results of what they did at
// once, changes that came by themselves gathered, so that nobody is talked over.

import { byId, h } from "./dom.js";

const GATHER = 3000;
const MOST = 3;
let changes = new Map();
let waiting = false;

/** The result of something that was asked for. */
export function toast(text, tone = "good") {
  const close = h("button", { type: "button", class: "close", "aria-label": "Dismiss" }, "×");
  const shown = h("div", { class: `toast ${tone}` }, h("p", null, text), close);
  const end = () => shown.remove();
  close.addEventListener("click", end);
  byId("toasts").append(shown);
  setTimeout(end, tone === "good" ? 5000 : 12000);
}

/** A status that changed; the last word of each counts. */
export function changed(name, status) {
  changes.set(name, status);
  if (waiting) return;
  waiting = true;
  setTimeout(() => {
    const all = [...changes];
    changes = new Map();
    waiting = false;
    byId("quiet").textContent = all.length > MOST
      ? `${all.length} hybrid connections changed their status.`
      : all.map(([one, word]) => `${one}: ${word}.`).join(" ");
  }, GATHER);
}

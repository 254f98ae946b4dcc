// The last HTTP requests, each with its times.

import { copyButton, h, setAttribute, setText, svg } from "./dom.js";
import * as format from "./format.js";

const FEW = 8;
const OUTCOMES = { open: "busy", answered: "good", refused: "bad", lost: "warn" };
const WORDS = { refused: "by this service", lost: "not wanted any more, or broken off" };

function toneOf(request) {
  if (request.outcome === "answered" && request.status >= 500) return "warn";
  return OUTCOMES[request.outcome] ?? "idle";
}

function ending(request) {
  if (request.ended === null) return `open for ${format.ago(request.startedAt)}`;
  return [request.outcome === "lost" ? "lost" : request.status, "after", format.seconds(request.ended)].join(" ");
}

/** Until the response began, and while it went on. */
function bar(request) {
  const end = request.ended ?? request.responded;
  const span = Math.max(end ?? 0, 1e-6);
  const part = (kind, from, to) => svg("rect", { class: `step ${kind}`, x: (from / span) * 100, width: Math.max(1.2, ((to - from) / span) * 100), y: 0, height: 8 });
  const parts = [];
  if (request.responded !== null) parts.push(part("wait", 0, request.responded), part("join", request.responded, span));
  else if (end !== null) parts.push(part("failed", 0, span));
  return svg("svg", { class: "steps", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, parts);
}

function facts(request) {
  const rows = [
    ["Request", `${request.method} ${request.path}`],
    ["Sender", request.peer],
    ["Response began", request.responded === null ? "–" : `after ${format.seconds(request.responded)}`],
    ["Status", [request.status ?? "none", WORDS[request.outcome], request.why].filter(Boolean).join(" · ")],
  ];
  return h(
    "dl", { class: "facts small" },
    rows.map(([label, value]) => [h("dt", null, label), h("dd", null, value)]),
    h("dt", null, "Tracking id"), h("dd", { class: "with-copy" }, h("code", null, request.trackingId), copyButton(request.trackingId, "the tracking id")),
  );
}

function item(request) {
  const what = `${request.method} ${request.path}`;
  const box = h(
    "details", { class: "tunnel" },
    h(
      "summary", null,
      h("span", { class: `dot ${toneOf(request)}`, "aria-hidden": "true" }),
      h("time", { datetime: request.startedAt }, format.clock(request.startedAt)),
      h("span", { class: "who mono", title: what }, what),
      bar(request),
      h("span", { class: "end" }, ending(request)),
    ),
  );
  box.addEventListener("toggle", () => {
    if (box.open && box.children.length === 1) box.append(facts(request));
  });
  return box;
}

/** The list; those that were opened stay open when it changes. */
export class Requests {
  constructor() {
    this.list = h("div", { class: "tunnels" });
    this.more = h("button", { type: "button", class: "link", onclick: () => { this.most = Infinity; this.show(this.all); } });
    this.element = h("section", { class: "requests", hidden: true }, h("h3", null, "Recent HTTP requests"), this.list, this.more);
    this.clear();
  }

  /** Forget what was there: another hybrid connection is shown. */
  clear() {
    this.items = new Map();
    this.most = FEW;
    this.show([]);
  }

  /** Whether one of them is not answered yet. */
  get open() {
    return this.all.some((request) => request.ended === null);
  }

  show(all) {
    this.all = all;
    const shown = all.slice(0, this.most);
    setAttribute(this.element, "hidden", all.length ? null : "");
    setAttribute(this.more, "hidden", all.length > shown.length ? null : "");
    setText(this.more, `Show all ${all.length}`);
    const items = new Map();
    for (const request of shown) {
      const id = `${request.trackingId} ${request.startedAt}`;
      const state = JSON.stringify(request);
      const before = this.items.get(id);
      const made = before?.state === state ? before.element : item(request);
      if (before?.element.open) made.open = true;
      if (request.ended === null) setText(made.querySelector(".end"), ending(request));
      items.set(id, { state, element: made });
    }
    const elements = [...items.values()].map((one) => one.element);
    const same = elements.length === this.list.children.length
      && elements.every((one, index) => one === this.list.children[index]);
    this.items = items;
    if (!same) this.list.replaceChildren(...elements);
  }
}

// The way of each recent tunnel, step by step.

import { copyButton, h, setAttribute, setText, svg } from "./dom.js";
import * as format from "./format.js";

const STEPS = [
  ["lookedUp", "look", "Name look-up", "Look-up"],
  ["dialled", "dial", "Target dialled", "Dial"],
  ["joined", "join", "Joined with sender", "Join"],
  ["firstByte", "wait", "Target's first byte", "First byte"],
];
const FEW = 8;
const OUTCOMES = {
  open: ["open", "busy"], closed: ["closed", "good"], refused: ["refused", "bad"], lost: ["not needed", "idle"],
};
const WHO = { sender: "the sender", target: "the target", us: "this service" };

/** Steps as [kind, label, from, to], in the order in which they came. */
export function steps(tunnel) {
  const found = [];
  let from = 0;
  for (const [key, kind, label] of STEPS) {
    const to = tunnel[key];
    if (to === null || to === undefined) continue;
    found.push([kind, label, Math.min(from, to), to]);
    from = Math.max(from, to);
  }
  return found;
}

function bar(tunnel) {
  const found = steps(tunnel);
  const end = found.length ? found.at(-1)[3] : tunnel.ended ?? 0;
  const span = Math.max(end, 1e-6);
  const failed = tunnel.outcome === "refused";
  const rects = found.map(([kind, , from, to]) => svg("rect", {
    class: `step ${kind}`, x: (from / span) * 100, width: Math.max(1.2, ((to - from) / span) * 100), y: 0, height: 8,
  }));
  if (failed && !found.length) rects.push(svg("rect", { class: "step failed", x: 0, width: 100, y: 0, height: 8 }));
  return svg("svg", { class: "steps", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, rects);
}

function waterfall(tunnel) {
  const found = steps(tunnel);
  const ended = tunnel.ended;
  const set = found.length ? found.at(-1)[3] : 0;
  // A tunnel that ran for hours would leave no room for the steps before.
  const span = Math.max(1e-6, ended === null || ended > 3 * set ? set * 1.25 : ended);
  const line = (kind, label, from, to, words) => h(
    "li", null,
    h("span", { class: "what" }, label),
    svg(
      "svg", { class: "steps", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "rail", x: 0, width: 100, y: 3.5, height: 1 }),
      svg("rect", { class: `step ${kind}`, x: Math.min(98, (from / span) * 100), width: Math.max(1.2, (Math.min(to, span) - from) / span * 100), y: 0, height: 8 }),
    ),
    h("span", { class: "when" }, words),
  );
  const lines = found.map(([kind, label, from, to]) => line(kind, label, from, to, `+${format.seconds(to - from)}`));
  if (ended !== null) {
    const [word] = OUTCOMES[tunnel.outcome] ?? [tunnel.outcome];
    const kind = tunnel.outcome === "refused" ? "failed" : "over";
    lines.push(line(kind, word[0].toUpperCase() + word.slice(1), Math.min(set, span), Math.max(set, span), `at ${format.seconds(ended)}`));
  }
  return h("ol", { class: "waterfall" }, lines);
}

function facts(tunnel) {
  const rows = [["Sender", tunnel.peer || "not said"], ["Target", [tunnel.target, tunnel.address && `(${tunnel.address})`].filter(Boolean).join(" ") || "–"]];
  if (tunnel.ended !== null) {
    rows.push([tunnel.outcome === "refused" ? "Refused by" : "Closed by", WHO[tunnel.endedBy] ?? tunnel.endedBy ?? "–"]);
    rows.push([tunnel.outcome === "refused" ? "Status" : "Code", [tunnel.code ?? "none", tunnel.why].filter(Boolean).join(" · ")]);
  }
  rows.push(["Bytes", `${format.bytes(tunnel.bytesFromTarget)} from target, ${format.bytes(tunnel.bytesFromSender)} from sender`]);
  return h(
    "dl", { class: "facts small" },
    rows.map(([label, value]) => [h("dt", null, label), h("dd", null, value)]),
    h("dt", null, "Tracking id"), h("dd", { class: "with-copy" }, h("code", null, tunnel.trackingId), copyButton(tunnel.trackingId, "the tracking id")),
  );
}

function toneOf(tunnel) {
  if (tunnel.outcome === "closed" && tunnel.why !== "closed") return "warn";
  return OUTCOMES[tunnel.outcome]?.[1] ?? "idle";
}

function ending(tunnel) {
  if (tunnel.outcome === "refused") return `${tunnel.code ?? ""} ${tunnel.why}`.trim();
  if (tunnel.ended === null) return `open for ${format.ago(tunnel.startedAt)}`;
  const word = toneOf(tunnel) === "warn" ? "broken off" : OUTCOMES[tunnel.outcome]?.[0] ?? tunnel.outcome;
  return `${word} by ${WHO[tunnel.endedBy] ?? "–"} after ${format.seconds(tunnel.ended)}`;
}

function item(tunnel) {
  const box = h(
    "details", { class: "tunnel" },
    h(
      "summary", null,
      h("span", { class: `dot ${toneOf(tunnel)}`, "aria-hidden": "true" }),
      h("time", { datetime: tunnel.startedAt }, format.clock(tunnel.startedAt)),
      h("span", { class: "who mono" }, tunnel.peer || "a sender"),
      bar(tunnel),
      h("span", { class: "end" }, ending(tunnel)),
    ),
  );
  box.addEventListener("toggle", () => {
    if (box.open && box.children.length === 1) box.append(waterfall(tunnel), facts(tunnel));
  });
  return box;
}

/** The list; those that were opened stay open when it changes. */
export class Tunnels {
  constructor() {
    this.list = h("div", { class: "tunnels" });
    this.none = h("p", { class: "muted" }, "No sender has come since the service was started.");
    this.legend = h(
      "p", { class: "legend steps-legend" },
      STEPS.map(([, kind, , short]) => h("span", null, h("i", { class: `key ${kind}`, "aria-hidden": "true" }), short)),
    );
    this.more = h("button", { type: "button", class: "link", onclick: () => { this.most = Infinity; this.show(this.tunnels); } });
    this.element = h("div", null, this.none, this.legend, this.list, this.more);
    this.items = new Map();
    this.tunnels = [];
    this.most = FEW;
  }

  /** Forget what was there: another hybrid connection is shown. */
  clear() {
    this.most = FEW;
    this.show([]);
  }

  show(all) {
    this.tunnels = all;
    const tunnels = all.slice(0, this.most);
    setAttribute(this.more, "hidden", all.length > tunnels.length ? null : "");
    setText(this.more, `Show all ${all.length}`);
    const items = new Map();
    for (const tunnel of tunnels) {
      const id = `${tunnel.trackingId} ${tunnel.startedAt}`;
      const state = JSON.stringify(tunnel);
      const before = this.items.get(id);
      const same = before?.state === state;
      const made = same ? before.element : item(tunnel);
      if (!same && before?.element.open) made.open = true;
      if (!same && before?.element.contains(document.activeElement)) queueMicrotask(() => made.querySelector("summary").focus());
      if (tunnel.ended === null) setText(made.querySelector(".end"), ending(tunnel));
      items.set(id, { state, element: made });
    }
    const elements = [...items.values()].map((one) => one.element);
    const unchanged = elements.length === this.list.children.length
      && elements.every((one, index) => one === this.list.children[index]);
    this.items = items;
    if (!unchanged) this.list.replaceChildren(...elements);
    setAttribute(this.none, "hidden", tunnels.length ? "" : null);
    setAttribute(this.legend, "hidden", tunnels.length ? null : "");
    setText(this.none, "No sender has come since the service was started.");
  }
}

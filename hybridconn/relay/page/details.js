// Everything about one hybrid connection.

import { call } from "./api.js";
import { byId, h, setAttribute, setText } from "./dom.js";
import { TrafficChart } from "./chart.js";
import { listeners, tunnels } from "./open.js";
import { LONG, TONES, pathOf, statusOf } from "./store.js";

const FEW = 50;
const MOST = 1000;
const WHY = {
  "No listener": "Nobody listens here. A sender is told 404, a browser 502.",
  Draining: "All listeners drain. What is open goes on; a new sender is told 404, as if nobody listened.",
  Disabled: "It is disabled: nobody gets in.",
};
const FACTS = [
  ["Namespace", (one) => one.namespace],
  ["Endpoint", (one) => one.endpoint],
  ["Metadata", (one) => (one.endpoint ? "" : one.metadata)],
  ["Senders", (one) => (one.senderToken ? "need a token" : "need no token")],
  ["Waiting now", (one) => one.counts?.waiting && `${one.counts.waiting} for a listener`],
  ["Tunnels ever", (one) => one.counts?.tunnelsEver],
  ["HTTP requests ever", (one) => one.counts?.requestsEver],
];

export class Details extends EventTarget {
  constructor(store) {
    super();
    this.store = store;
    this.element = byId("details");
    this.id = null;
    this.canSwitch = false;
    this.build();
    store.addEventListener("list", () => {
      if (this.id !== null && !this.one) this.close();
      else this.show();
    });
    store.addEventListener("traffic", () => this.draw());
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  get one() {
    return this.store.connections.get(this.id) ?? null;
  }

  build() {
    const act = (what, item) => this.dispatchEvent(new CustomEvent(what, { detail: { one: this.one, item } }));
    const part = (title, ...content) => h("section", null, h("h3", null, title), ...content);
    this.title = h("h2", { id: "details-title", tabindex: "-1" });
    this.word = h("span");
    this.badge = h("span", { class: "badge" }, h("span", { class: "dot", "aria-hidden": "true" }), this.word);
    this.why = h("p", { class: "why" });
    this.notice = h("div", { class: "notice" }, this.why);
    this.switch = h("button", { type: "button", onclick: () => act(this.one.enabled ? "disable" : "enable") });
    this.chart = new TrafficChart(["from listeners ", "from senders "]);
    this.listeners = listeners(act);
    this.tunnels = tunnels(act);
    this.limit = FEW;
    this.more = h("button", { type: "button", class: "link", onclick: () => { this.limit = MOST; this.load(); } }, `Show up to ${MOST}`);
    this.values = new Map(FACTS.map(([label]) => [label, h("dd")]));
    this.labels = new Map(FACTS.map(([label]) => [label, h("dt", null, label)]));
    this.element.append(
      h(
        "header", null,
        h("div", { class: "title" }, this.title, this.badge),
        this.switch,
        h("button", { type: "button", class: "close", "aria-label": "Close details", onclick: () => this.close() }, "×"),
      ),
      this.notice,
      part("Traffic", this.chart.element),
      part("Listeners", this.listeners.element),
      part("Tunnels and HTTP requests", this.tunnels.element, this.more),
      part("About", h("dl", { class: "facts" }, FACTS.map(([label]) => [this.labels.get(label), this.values.get(label)]))),
    );
  }

  open(id) {
    if (id !== this.id) {
      this.limit = FEW;
      this.listeners.show([]);
      this.tunnels.show([]);
      setAttribute(this.more, "hidden", "");
      this.element.scrollTop = 0;
    }
    this.id = id;
    this.element.hidden = false;
    document.body.classList.add("has-details");
    this.show();
    this.draw();
    this.title.focus({ preventScroll: true });
    this.load().catch(() => {});
  }

  close() {
    if (this.id === null) return;
    const { id } = this;
    this.id = null;
    this.element.hidden = true;
    document.body.classList.remove("has-details");
    this.dispatchEvent(new CustomEvent("closed", { detail: id }));
  }

  /** Ask who is there now. */
  async load() {
    const { one } = this;
    if (!one) return;
    const found = await call("GET", `${pathOf(one, "/open")}?limit=${this.limit}`);
    if (this.id !== one.id) return;
    const now = Date.now() + this.store.skew;
    this.listeners.show(found.listeners, now);
    this.tunnels.show(found.tunnels, now);
    setAttribute(this.more, "hidden", found.more && this.limit < MOST ? null : "");
  }

  show() {
    const { one } = this;
    if (!one) return;
    const status = statusOf(one);
    const tone = TONES[status] ?? "unknown";
    setText(this.title, one.path);
    setAttribute(this.badge, "class", `badge ${tone}`);
    setText(this.word, status || "…");
    setAttribute(this.notice, "class", `notice ${tone}`);
    setAttribute(this.notice, "hidden", WHY[status] ? null : "");
    setText(this.why, WHY[status] ?? "");
    setAttribute(this.switch, "hidden", this.canSwitch ? null : "");
    setText(this.switch, one.enabled ? "Disable" : "Enable");
    setAttribute(this.switch, "class", one.enabled ? "small danger" : "small");
    for (const [label, of] of FACTS) {
      const value = of(one);
      const none = value === "" || value === null || value === undefined || value === 0;
      setAttribute(this.labels.get(label), "hidden", none ? "" : null);
      setAttribute(this.values.get(label), "hidden", none ? "" : null);
      setText(this.values.get(label), none ? "" : String(value));
    }
  }

  draw() {
    const { one } = this;
    if (!one) return;
    const past = this.store.past(one.id, LONG);
    const series = { bytesFromTarget: past.listeners, bytesFromSender: past.senders };
    const totals = { bytesFromTarget: one.counts?.fromListeners ?? 0, bytesFromSender: one.counts?.fromSenders ?? 0 };
    this.chart.draw(series, totals, this.store.interval);
  }
}

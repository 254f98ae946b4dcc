// The table of hybrid connections: filter, order, tick boxes, keys.

import { byId, h, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";
import { Sparkline } from "./chart.js";
import { Grid, opens } from "./grid.js";
import { STATUSES, TONES, needsSomebody } from "./store.js";

const ATTENTION = "attention";

const COLUMNS = [
  { key: "name", label: "Name", of: (one) => one.name },
  { key: "status", label: "Status", of: (one) => String(9 - STATUSES.indexOf(one.status)) },
  { key: "namespace", label: "Namespace", of: (one) => one.namespace },
  { key: "endpoint", label: "Endpoint", of: (one) => one.endpoint },
  { key: "target", label: "Target", of: (one) => one.target.seconds ?? -1 },
  { key: "tunnels", label: "Tunnels", of: (one) => one.tunnels.open, number: true },
  { key: "traffic", label: "Traffic", of: (one) => one.tunnels.bytesFromTarget + one.tunnels.bytesFromSender, number: true },
];

export function targetWords(target) {
  if (target.reachable === null || target.reachable === undefined) return ["not tried", "idle"];
  if (!target.reachable) return ["down", "bad"];
  return [target.seconds === null ? "reachable" : format.seconds(target.seconds), "good"];
}

class Row {
  constructor(one, table) {
    this.name = one.name;
    this.box = h("input", { type: "checkbox", tabindex: "-1", "aria-label": `Select ${one.name}` });
    this.box.addEventListener("change", () => table.tick(one.name, this.box.checked));
    this.open = h("button", { type: "button", class: "name", tabindex: "-1" }, one.name);
    this.word = h("span", { class: "word" });
    this.reason = h("span", { class: "reason" });
    this.badge = h("span", { class: "badge" }, h("span", { class: "dot", "aria-hidden": "true" }), this.word);
    this.namespace = h("span");
    this.endpoint = h("span", { class: "mono" });
    this.target = h("span", { class: "target" });
    this.tunnels = h("span");
    this.rate = h("span", { class: "rate" });
    this.spark = new Sparkline();
    const label = (text) => h("span", { class: "label", "aria-hidden": "true" }, text);
    const cell = (name, ...content) => h("td", { role: "cell", class: `c-${name}` }, ...content);
    this.element = h(
      "tr", { role: "row" },
      cell("tick", this.box),
      h("th", { role: "rowheader", scope: "row", class: "c-name" }, this.open),
      cell("status", this.badge, this.reason),
      cell("namespace", this.namespace),
      cell("endpoint", this.endpoint),
      cell("target", label("target "), this.target),
      cell("tunnels", label("tunnels "), this.tunnels),
      cell("traffic", this.spark.element, this.rate),
    );
    opens(this, table, this.name);
    this.show(one);
  }

  show(one) {
    setAttribute(this.badge, "class", `badge ${TONES[one.status] ?? "idle"}`);
    setText(this.word, one.status);
    setText(this.reason, one.reason);
    setAttribute(this.reason, "title", one.reason || null);
    setText(this.namespace, one.namespace);
    setAttribute(this.namespace, "title", one.relay);
    setText(this.endpoint, one.endpoint || "not known yet");
    setAttribute(this.endpoint, "class", one.endpoint ? "mono" : "missing");
    setAttribute(this.endpoint, "title", one.endpoint || null);
    setAttribute(this.open, "title", one.name);
    const [words, tone] = targetWords(one.target);
    setText(this.target, words);
    setAttribute(this.target, "class", `target ${tone}`);
    setAttribute(this.target, "title", one.target.error || null);
    setText(this.tunnels, String(one.tunnels.open));
    setAttribute(this.tunnels, "class", one.tunnels.open ? "some" : "none");
  }

  /** Whether the tab key comes to this row. */
  reach(on) {
    for (const element of [this.box, this.open]) setAttribute(element, "tabindex", on ? "0" : "-1");
  }

  pulse(store) {
    const rate = store.rateOf(this.name);
    setText(this.rate, rate ? format.rate(rate) : "–");
    setAttribute(this.rate, "class", rate ? "rate some" : "rate none");
  }

  draw(store) {
    this.spark.draw(store.traffic(this.name));
  }
}

export class Table extends Grid {
  constructor(store) {
    super(COLUMNS);
    this.store = store;
    this.ticked = new Set();
    this.status = byId("status-filter");
    this.status.append(
      h("option", { value: "" }, "Every status"),
      h("option", { value: ATTENTION }, "Needs attention"),
      STATUSES.map((word) => h("option", { value: word }, word)),
    );
    this.status.addEventListener("change", () => this.show());
    store.addEventListener("list", () => this.show());
    store.addEventListener("one", (event) => this.one(event.detail));
    store.addEventListener("sample", () => this.draw());
    setInterval(() => this.rows.forEach((row) => row.pulse(store)), 1000);
  }

  leading() {
    this.all = h("input", { type: "checkbox", "aria-label": "Select all that are shown" });
    this.all.addEventListener("change", () => {
      for (const name of this.rows.keys()) this.tick(name, this.all.checked);
    });
    return h("th", { role: "columnheader", scope: "col", class: "c-tick" }, this.all);
  }

  // --- which ---

  items() {
    return this.store.connections.values();
  }

  get loaded() {
    return this.store.loaded;
  }

  keyOf(one) {
    return one.name;
  }

  nameOf(one) {
    return one.name;
  }

  textOf(one) {
    return [one.name, one.entityPath, one.status, one.reason, one.relay, one.endpoint].join(" ");
  }

  fits(one) {
    const status = this.status.value;
    return !status || (status === ATTENTION ? needsSomebody(one) : one.status === status);
  }

  makeRow(one) {
    return new Row(one, this);
  }

  show() {
    for (const name of this.ticked) if (!this.store.connections.has(name)) this.ticked.delete(name);
    super.show();
    this.draw();
  }

  one({ one, before }) {
    const row = this.rows.get(one.name);
    if (this.status.value && one.status !== before.status) this.show();
    else row?.show(one);
  }

  draw() {
    this.rows.forEach((row) => row.draw(this.store));
  }

  // --- ticked ---

  tick(name, on) {
    if (on) this.ticked.add(name);
    else this.ticked.delete(name);
    this.marks();
  }

  marks() {
    super.marks();
    for (const [name, row] of this.rows) {
      row.box.checked = this.ticked.has(name);
      row.element.classList.toggle("ticked", row.box.checked);
    }
    const here = [...this.rows.keys()].filter((name) => this.ticked.has(name)).length;
    this.all.checked = here > 0 && here === this.rows.size;
    this.all.indeterminate = here > 0 && here < this.rows.size;
    this.dispatchEvent(new CustomEvent("ticks"));
  }

  twin(element, row) {
    return element.matches("input") ? row.querySelector("input") : super.twin(element, row);
  }
}

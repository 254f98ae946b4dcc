// The table of hybrid connections: filter, order, tick boxes, keys.

import { byId, h, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";
import { Sparkline } from "./chart.js";
import { STATUSES, TONES, needsSomebody } from "./store.js";

const STEP = 200;
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
    this.element.addEventListener("click", (event) => {
      if (event.target.closest("input, .c-tick")) return;
      if (getSelection().isCollapsed) table.choose(this.name);
    });
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

export class Table extends EventTarget {
  constructor(store) {
    super();
    this.store = store;
    this.rows = new Map();
    this.ticked = new Set();
    this.chosen = null;
    this.order = { key: "name", up: true };
    this.most = STEP;
    this.stop = null;
    this.build();
    this.filter = byId("filter");
    this.status = byId("status-filter");
    this.status.append(
      h("option", { value: "" }, "Every status"),
      h("option", { value: ATTENTION }, "Needs attention"),
      STATUSES.map((word) => h("option", { value: word }, word)),
    );
    this.filter.addEventListener("input", () => this.show());
    this.status.addEventListener("change", () => this.show());
    byId("more").firstElementChild.addEventListener("click", () => {
      this.most += STEP;
      this.show();
    });
    store.addEventListener("list", () => this.show());
    store.addEventListener("one", (event) => this.one(event.detail));
    store.addEventListener("sample", () => this.draw());
    setInterval(() => this.rows.forEach((row) => row.pulse(store)), 1000);
  }

  build() {
    this.all = h("input", { type: "checkbox", "aria-label": "Select all that are shown" });
    this.all.addEventListener("change", () => {
      for (const name of this.rows.keys()) this.tick(name, this.all.checked);
    });
    this.heads = COLUMNS.map((column) => {
      const button = h("button", { type: "button", class: "sort" }, column.label, h("span", { class: "arrow", "aria-hidden": "true" }));
      button.addEventListener("click", () => {
        const same = this.order.key === column.key;
        this.order = { key: column.key, up: same ? !this.order.up : !column.number };
        this.show();
      });
      return h("th", { role: "columnheader", scope: "col", class: `c-${column.key}` }, button);
    });
    this.body = h("tbody", { role: "rowgroup" });
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("focusin", (event) => {
      const row = event.target.closest("tr");
      if (row) this.makeStop(row.dataset.name);
    });
    this.element = h(
      "table", { role: "table", "aria-labelledby": "list-title" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, h("th", { role: "columnheader", scope: "col", class: "c-tick" }, this.all), this.heads)),
      this.body,
    );
    byId("table-place").append(this.element);
  }

  // --- which, and in which order ---

  found() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = this.status.value;
    const column = COLUMNS.find((one) => one.key === this.order.key);
    const compare = new Intl.Collator(undefined, { numeric: true }).compare;
    const sign = this.order.up ? 1 : -1;
    return [...this.store.connections.values()]
      .filter((one) => !status || (status === ATTENTION ? needsSomebody(one) : one.status === status))
      .filter((one) => {
        if (!words.length) return true;
        const text = [one.name, one.entityPath, one.status, one.reason, one.relay, one.endpoint].join(" ").toLowerCase();
        return words.every((word) => text.includes(word));
      })
      .sort((a, b) => {
        const [x, y] = [column.of(a), column.of(b)];
        const by = typeof x === "number" ? x - y : compare(x, y);
        return sign * by || compare(a.name, b.name);
      });
  }

  show() {
    const found = this.found();
    const shown = found.slice(0, this.most);
    const rows = new Map();
    shown.forEach((one) => {
      const row = this.rows.get(one.name) ?? new Row(one, this);
      row.element.dataset.name = one.name;
      row.show(one);
      rows.set(one.name, row);
    });
    for (const [name, row] of this.rows) if (!rows.has(name)) row.element.remove();
    this.rows = rows;
    let at = this.body.firstElementChild;
    for (const row of rows.values()) {
      if (row.element === at) at = at.nextElementSibling;
      else this.body.insertBefore(row.element, at);
    }
    for (const name of this.ticked) if (!this.store.connections.has(name)) this.ticked.delete(name);
    if (!rows.has(this.stop)) this.stop = null;
    this.makeStop(this.stop ?? shown[0]?.name ?? null);
    this.marks();
    this.draw();
    this.around(found.length, shown.length);
  }

  around(found, shown) {
    const all = this.store.connections.size;
    setText(byId("count"), found === all ? String(all) : `${found} of ${all}`);
    COLUMNS.forEach((column, index) => {
      const mine = column.key === this.order.key;
      setAttribute(this.heads[index], "aria-sort", mine ? (this.order.up ? "ascending" : "descending") : null);
    });
    this.element.hidden = !shown;
    byId("more").hidden = found <= shown;
    setText(byId("more").firstElementChild, `Show ${Math.min(STEP, found - shown)} more`);
    const empty = byId("empty");
    empty.hidden = shown > 0 || !this.store.loaded;
    if (!empty.hidden) this.dispatchEvent(new CustomEvent("empty", { detail: { all } }));
  }

  one({ one, before }) {
    const row = this.rows.get(one.name);
    if (this.status.value && one.status !== before.status) this.show();
    else row?.show(one);
  }

  draw() {
    this.rows.forEach((row) => row.draw(this.store));
  }

  // --- ticked and chosen ---

  tick(name, on) {
    if (on) this.ticked.add(name);
    else this.ticked.delete(name);
    this.marks();
  }

  choose(name) {
    this.chosen = name;
    this.marks();
    this.dispatchEvent(new CustomEvent("choose", { detail: name }));
  }

  marks() {
    for (const [name, row] of this.rows) {
      row.box.checked = this.ticked.has(name);
      row.element.classList.toggle("ticked", row.box.checked);
      row.element.classList.toggle("chosen", name === this.chosen);
      setAttribute(row.open, "aria-expanded", String(name === this.chosen));
      setAttribute(row.open, "aria-controls", name === this.chosen ? "details" : null);
    }
    const here = [...this.rows.keys()].filter((name) => this.ticked.has(name)).length;
    this.all.checked = here > 0 && here === this.rows.size;
    this.all.indeterminate = here > 0 && here < this.rows.size;
    this.dispatchEvent(new CustomEvent("ticks"));
  }

  // --- keys: one row for the tab key, arrows between rows ---

  makeStop(name) {
    if (this.stop !== name) this.rows.get(this.stop)?.reach(false);
    this.stop = name;
    this.rows.get(name)?.reach(true);
  }

  focus(name) {
    const row = this.rows.get(name) ?? this.rows.get(this.stop);
    if (row) row.open.focus();
    else byId("list").focus();
  }

  key(event) {
    const row = event.target.closest("tr");
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const rows = [...this.body.children];
    const at = rows.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    const name = row.dataset.name;
    if (to !== undefined) {
      const next = rows[Math.max(0, Math.min(rows.length - 1, to))];
      const box = event.target.matches("input");
      (box ? next.querySelector("input") : next.querySelector(".name")).focus();
    } else if (event.key === "Delete") {
      this.dispatchEvent(new CustomEvent("delete", { detail: name }));
    } else return;
    event.preventDefault();
  }
}

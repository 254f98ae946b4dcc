// The table of hybrid connections.

import { byId, h, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";
import { Sparkline } from "./chart.js";
import { Grid, opens } from "./grid.js";
import { STATUSES, TONES, idOf, statusOf } from "./store.js";

const count = (name) => (one) => one.counts?.[name] ?? -1;
const COLUMNS = [
  { key: "name", label: "Name", of: (one) => one.path },
  { key: "status", label: "Status", of: (one) => String(9 - STATUSES.indexOf(statusOf(one))) },
  { key: "namespace", label: "Namespace", of: (one) => one.namespace },
  { key: "endpoint", label: "Endpoint", of: (one) => one.endpoint || one.metadata },
  { key: "listeners", label: "Listeners", of: count("listeners"), number: true },
  { key: "tunnels", label: "Tunnels", of: count("tunnels"), number: true },
  { key: "traffic", label: "Traffic", of: (one) => one.rates.sum, number: true },
];
const BUSY = "busy";

class Row {
  constructor(one, table) {
    this.id = one.id;
    this.open = h("button", { type: "button", class: "name", tabindex: "-1" }, one.path);
    this.word = h("span", { class: "word" });
    this.badge = h("span", { class: "badge" }, h("span", { class: "dot", "aria-hidden": "true" }), this.word);
    this.namespace = h("span", { title: one.namespace }, one.namespace);
    this.endpoint = h("span");
    this.listeners = h("span");
    this.draining = h("span", { class: "reason" });
    this.tunnels = h("span");
    this.ever = h("span", { class: "reason" });
    this.up = h("span", { class: "rate" });
    this.down = h("span", { class: "rate" });
    this.still = h("span", { class: "still none" }, "–");
    this.spark = new Sparkline();
    const label = (text) => h("span", { class: "label", "aria-hidden": "true" }, text);
    const cell = (name, ...content) => h("td", { role: "cell", class: `c-${name}` }, ...content);
    const way = (arrow, words, rate) => h("span", null, h("span", { class: "way", "aria-hidden": "true" }, arrow), h("span", { class: "unseen" }, words), rate);
    this.rates = h("span", { class: "rates" }, way("↑", "from senders ", this.up), way("↓", "from listeners ", this.down));
    this.element = h(
      "tr", { role: "row" },
      h("th", { role: "rowheader", scope: "row", class: "c-name" }, this.open),
      cell("status", this.badge),
      cell("namespace", this.namespace),
      cell("endpoint", this.endpoint),
      cell("listeners", label("listeners "), this.listeners, this.draining),
      cell("tunnels", label("tunnels "), this.tunnels, this.ever),
      cell("traffic", this.spark.element, this.rates, this.still),
    );
    opens(this, table, this.id);
    this.show(one);
  }

  show(one) {
    this.one = one;
    const status = statusOf(one);
    const counts = one.counts;
    setAttribute(this.badge, "class", `badge ${TONES[status] ?? "unknown"}`);
    setText(this.word, status || "…");
    setAttribute(this.open, "title", one.path);
    setText(this.endpoint, one.endpoint || one.metadata || "not said");
    setAttribute(this.endpoint, "class", one.endpoint ? "mono" : "missing");
    setAttribute(this.endpoint, "title", one.endpoint || one.metadata || null);
    const number = (element, value) => {
      setText(element, value === undefined ? "–" : String(value));
      setAttribute(element, "class", value ? "some" : "none");
    };
    number(this.listeners, counts?.listeners);
    setText(this.draining, counts?.draining ? `${counts.draining} draining` : "");
    number(this.tunnels, counts && counts.tunnels + counts.requests);
    const ever = counts ? counts.tunnelsEver + counts.requestsEver : 0;
    setText(this.ever, ever ? `${ever} ever` : "");
    setAttribute(this.rates, "hidden", one.rates.sum ? null : "");
    setAttribute(this.still, "hidden", one.rates.sum ? "" : null);
    setText(this.up, format.rate(one.rates.senders));
    setText(this.down, format.rate(one.rates.listeners));
  }

  /** Whether the tab key comes to this row. */
  reach(on) {
    setAttribute(this.open, "tabindex", on ? "0" : "-1");
  }

  draw(store) {
    this.spark.draw(store.sums(this.id));
  }
}

export class Table extends Grid {
  constructor(store) {
    super(COLUMNS);
    this.store = store;
    /** The rows that are on the screen. */
    this.seen = new Set();
    this.watch = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) this.seen.add(entry.target.dataset.name);
        else this.seen.delete(entry.target.dataset.name);
      }
      if (entries.some((entry) => entry.isIntersecting)) this.dispatchEvent(new CustomEvent("scrolled"));
    }, { rootMargin: "100px" });
    this.status = byId("status-filter");
    this.status.append(
      h("option", { value: "" }, "Every status"),
      h("option", { value: BUSY }, "In use"),
      STATUSES.map((word) => h("option", { value: word }, word)),
    );
    this.namespace = byId("namespace-filter");
    for (const select of [this.status, this.namespace]) select.addEventListener("change", () => this.show());
    store.addEventListener("list", () => {
      this.spaces();
      this.show();
    });
    store.addEventListener("traffic", () => this.draw());
  }

  spaces() {
    const before = this.namespace.value;
    const names = this.store.namespaces.map((one) => one.name);
    this.namespace.replaceChildren(
      h("option", { value: "" }, "Every namespace"),
      ...names.map((name) => h("option", { value: name }, name)),
    );
    this.namespace.value = names.includes(before) ? before : "";
    this.namespace.hidden = names.length < 2;
    document.body.classList.toggle("one-namespace", names.length < 2);
  }

  items() {
    return this.store.connections.values();
  }

  get loaded() {
    return this.store.loaded;
  }

  keyOf(one) {
    return idOf(one);
  }

  nameOf(one) {
    return `${one.path} ${one.namespace}`;
  }

  textOf(one) {
    return [one.path, one.namespace, statusOf(one), one.endpoint, one.metadata].join(" ");
  }

  fits(one) {
    if (this.namespace.value && one.namespace !== this.namespace.value) return false;
    if (this.status.value === BUSY) return one.counts && one.counts.tunnels + one.counts.requests > 0;
    return !this.status.value || statusOf(one) === this.status.value;
  }

  makeRow(one) {
    return new Row(one, this);
  }

  /** Fresh numbers: the rows stay where they are while somebody looks at them. */
  refresh() {
    for (const id of this.seen) {
      const one = this.store.connections.get(id);
      if (one) this.rows.get(id)?.show(one);
    }
  }

  show() {
    super.show();
    for (const row of this.rows.values()) this.watch.observe(row.element);
    for (const id of this.seen) if (!this.rows.has(id)) this.seen.delete(id);
    this.draw();
  }

  draw() {
    for (const id of this.seen) this.rows.get(id)?.draw(this.store);
  }

  /** What is on the screen. */
  looked() {
    return [...this.seen].map((id) => this.store.connections.get(id)).filter(Boolean);
  }

  /** Show all of them again. */
  reset() {
    this.filter.value = "";
    this.status.value = "";
    this.namespace.value = "";
    this.show();
  }
}

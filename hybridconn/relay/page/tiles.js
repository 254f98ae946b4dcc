// How it stands in all.

import { h, setAttribute, setText } from "./dom.js";
import { Sparkline } from "./chart.js";
import { dialog } from "./dialogs.js";
import * as format from "./format.js";
import { tile } from "./tile.js";
import { SHORT, named, statusOf } from "./store.js";

/** "NoListeners" as people write it. */
const words = (name) => name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase().replace(/^./, (first) => first.toUpperCase());
const total = (refusals) => Object.values(refusals).reduce((sum, number) => sum + number, 0);

export class Tiles {
  /** @param show called with a namespace or a status to show. */
  constructor(store, show) {
    this.store = store;
    this.show = show;
    const more = (label, action) => h("button", { type: "button", class: "link", "aria-label": label, onclick: action }, "Show");
    this.sparks = { senders: new Sparkline(84, 22), listeners: new Sparkline(84, 22) };
    this.connections = tile("Hybrid connections", more("Show the namespaces", () => this.showNamespaces()));
    this.listeners = tile("Listeners");
    this.tunnels = tile("Tunnels open");
    this.senders = tile("From senders", this.sparks.senders.element);
    this.answers = tile("From listeners", this.sparks.listeners.element);
    this.refusals = tile("Refusals", more("Show the refusals", () => this.showRefusals()));
    store.addEventListener("list", () => this.count());
    store.addEventListener("relay", () => this.numbers());
    store.addEventListener("traffic", () => this.draw());
  }

  count() {
    const { list, namespaces } = this.store;
    setText(this.connections.value, String(list.length));
    setText(this.connections.note, `in ${format.plural(namespaces.length, "namespace")}`);
  }

  numbers() {
    const { relay, rates } = this.store;
    setText(this.listeners.value, String(relay.listeners));
    setText(this.listeners.note, relay.draining ? `${relay.draining} draining` : "");
    setText(this.tunnels.value, String(relay.tunnels));
    const notes = [
      relay.requests && `+ ${format.plural(relay.requests, "HTTP request")}`,
      relay.waiting && `${relay.waiting} waiting`,
    ].filter(Boolean);
    setText(this.tunnels.note, notes.join(", ") || `${relay.tunnelsEver + relay.requestsEver} ever`);
    setText(this.senders.value, format.rate(rates.senders));
    setText(this.answers.value, format.rate(rates.listeners));
    setText(this.refusals.value, String(total(relay.refusals)));
    setAttribute(this.refusals.element.querySelector("button"), "hidden", total(relay.refusals) ? null : "");
  }

  draw() {
    const past = this.store.past(null, SHORT);
    this.sparks.senders.draw(past.senders);
    this.sparks.listeners.draw(past.listeners);
  }

  showNamespaces() {
    const { store } = this;
    const rows = store.namespaces.map((space) => {
      const own = store.list.filter((one) => one.namespace === space.name);
      const counts = named(store.relay?.spaces[space.name.toLowerCase()] ?? new Array(9).fill(0));
      return { space, own, counts };
    });
    const head = ["Namespace", "Hybrid connections", "Without listener", "Listeners", "Tunnels", "From senders", "From listeners"];
    dialog("Namespaces", (close) => h(
      "div", { class: "content" },
      h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Namespaces" }, h(
        "table", { class: "plain" },
        h("thead", null, h("tr", null, head.map((label, index) => h("th", { scope: "col", class: index ? "number" : null }, label)))),
        h("tbody", null, rows.map(({ space, own, counts }) => h(
          "tr", null,
          h("th", { scope: "row" },
            h("button", { type: "button", class: "link", onclick: () => { close(); this.show({ namespace: space.name }); } }, space.name),
            h("span", { class: "hosts" }, space.hosts.join(", "))),
          [
            own.length, own.filter((one) => statusOf(one) === "No listener").length,
            counts.listeners, counts.tunnels + counts.requests,
            format.bytes(counts.fromSenders), format.bytes(counts.fromListeners),
          ].map((value) => h("td", { class: "number" }, String(value))),
        ))),
      )),
      h("div", { class: "buttons end" }, h("button", { type: "button", class: "primary", onclick: close, autofocus: true }, "Close")),
    ), { wide: true });
  }

  showRefusals() {
    const found = Object.entries(this.store.relay.refusals).sort(([, a], [, b]) => b - a);
    dialog("Refusals", (close) => h(
      "div", { class: "content" },
      h("p", { class: "muted" }, "What the relay said no to since it was started; the log has each with its tracking id."),
      h("table", { class: "plain" },
        h("thead", null, h("tr", null, h("th", { scope: "col" }, "Reason"), h("th", { scope: "col", class: "number" }, "How often"))),
        h("tbody", null, found.map(([name, number]) => h("tr", null, h("th", { scope: "row" }, words(name)), h("td", { class: "number" }, String(number)))))),
      h("div", { class: "buttons end" }, h("button", { type: "button", class: "primary", onclick: close, autofocus: true }, "Close")),
    ));
  }
}

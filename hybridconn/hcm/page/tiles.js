// How it stands in all, in four numbers.

import { h, setAttribute, setText } from "./dom.js";
import { Sparkline } from "./chart.js";
import { tile } from "./tile.js";
import * as format from "./format.js";
import { needsSomebody } from "./store.js";

export class Tiles {
  /** @param filter called with a status to show. */
  constructor(store, filter) {
    this.store = store;
    this.spark = new Sparkline(160, 32);
    this.connected = tile("Connected");
    this.attention = tile("Need attention");
    this.show = h("button", { type: "button", class: "link", hidden: true, onclick: () => filter("attention") }, "Show them");
    this.attention.element.append(this.show);
    this.tunnels = tile("Tunnels open");
    this.traffic = tile("Traffic", this.spark.element);
    store.addEventListener("list", () => this.count());
    store.addEventListener("one", () => this.later());
    store.addEventListener("sample", () => this.spark.draw(store.traffic()));
    setInterval(() => this.flow(), 1000);
    this.count();
    this.flow();
  }

  later() {
    if (this.waiting) return;
    this.waiting = setTimeout(() => {
      this.waiting = null;
      this.count();
    }, 200);
  }

  count() {
    const all = [...this.store.connections.values()];
    const bad = all.filter(needsSomebody).length;
    setText(this.connected.value, String(all.filter((one) => one.status === "Connected").length));
    setText(this.connected.note, `of ${all.length}`);
    setText(this.attention.value, String(bad));
    setAttribute(this.attention.element, "class", bad ? "tile bad" : "tile");
    setAttribute(this.show, "hidden", bad ? null : "");
    const sum = (of) => all.reduce((so, one) => so + of(one.tunnels), 0);
    setText(this.tunnels.value, String(sum((it) => it.open)));
    setText(this.tunnels.note, `${sum((it) => it.total)} ever · ${sum((it) => it.refused)} refused`);
  }

  flow() {
    let rate = 0;
    for (const name of this.store.connections.keys()) rate += this.store.rateOf(name);
    setText(this.traffic.value, format.rate(rate));
  }
}

// Everything about one hybrid connection.

import { byId, copyButton, h, setAttribute, setText } from "./dom.js";
import { Refused, call } from "./api.js";
import { pathOf } from "./paths.js";
import { TrafficChart } from "./chart.js";
import * as format from "./format.js";
import { Requests } from "./requests.js";
import * as storeModule from "./store.js";
import { Tunnels } from "./tunnels.js";
import { targetWords } from "./table.js";

const AGAIN = 2000;

const FACTS = [
  ["Name", (one) => one.name],
  ["Namespace", (one) => one.namespace],
  ["Status", (one) => `${one.status} for ${format.ago(one.since)}`],
  ["Endpoint", (one) => one.endpoint && `${one.endpoint} (from ${one.endpointFrom === "metadata" ? "the relay's metadata" : "the configuration"})`],
  ["Settings", (one) => settingsWords(one.settings)],
  ["Service Bus Address", (one) => one.serviceBusEndpoint],
  ["Entity path", (one) => one.entityPath],
  ["Rule", (one) => one.keyName],
  ["Listeners at the relay", (one) => one.numberOfListeners],
  ["Target", (one) => {
    const [words] = targetWords(one.target);
    const tried = one.target.lastTried ? `, tried ${format.ago(one.target.lastTried)} ago` : "";
    return `${one.target.reachable ? `reachable in ${words}` : words}${one.target.address ? ` at ${one.target.address}` : ""}${tried}`;
  }],
  ["Tunnels", (one) => `${one.tunnels.open} open, ${one.tunnels.total} ever, ${one.tunnels.refused} refused`],
  ["HTTP requests", (one) => one.tunnels.requests || ""],
  ["Created On", (one) => format.date(one.createdOn)],
  ["Last Updated", (one) => format.date(one.lastUpdated)],
  ["File", (one) => one.file],
];

/** As a table of the configuration has them, without those that say nothing. */
function settingsWords(settings) {
  const said = Object.entries(settings).filter(([, value]) => value !== null && value.length !== 0);
  return said.map(([key, value]) => `${key} = ${JSON.stringify(value)}`).join(", ");
}

export class Details extends EventTarget {
  constructor(store) {
    super();
    this.store = store;
    this.element = byId("details");
    this.name = null;
    this.build();
    store.addEventListener("one", ({ detail }) => {
      if (detail.one.name !== this.name) return;
      this.show();
      if (detail.one.tunnels.requests !== detail.before.tunnels.requests) this.soon();
    });
    store.addEventListener("list", () => {
      if (this.name !== null && !store.connections.has(this.name)) this.close();
      else if (this.name !== null) this.show();
    });
    store.addEventListener("tunnel", ({ detail }) => { if (detail.connection === this.name) this.soon(); });
    store.addEventListener("sample", () => {
      this.show();
      this.draw();
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  build() {
    const action = (word, name, tone = "") => h("button", { type: "button", class: tone, onclick: () => this.dispatchEvent(new CustomEvent(name, { detail: this.name })) }, word);
    const part = (title, ...content) => h("section", null, h("h3", null, title), ...content);
    this.title = h("h2", { id: "details-title", tabindex: "-1" });
    this.badge = h("span", { class: "badge" });
    this.reason = h("p", { class: "why" });
    this.step = h("p", { class: "next" });
    this.notice = h("div", { class: "notice" }, this.reason, this.step);
    this.draining = action("Drain", "drain");
    this.resuming = action("Resume", "resume");
    this.removal = action("Remove", "remove", "danger");
    this.chart = new TrafficChart();
    this.values = new Map(FACTS.map(([label]) => [label, h("dd")]));
    this.labels = new Map(FACTS.map(([label]) => [label, h("dt", null, label)]));
    this.tracking = h("code");
    this.trackingRow = [h("dt", null, "Tracking id"), h("dd", { class: "with-copy" }, this.tracking, copyButton(() => this.tracking.textContent, "the tracking id"))];
    this.error = h("p", { class: "last-error" });
    this.tunnels = new Tunnels();
    this.requests = new Requests();
    this.states = h("ol", { class: "states" });
    this.element.append(
      h(
        "header", null,
        h("div", { class: "title" }, this.title, this.badge),
        h("button", { type: "button", class: "close", "aria-label": "Close details", onclick: () => this.close() }, "×"),
      ),
      this.notice,
      h("div", { class: "buttons" }, action("Test", "test"), action("Restart", "restart"), this.draining, this.resuming, action("Logs", "logs"), this.removal),
      part("Traffic", this.chart.element),
      part("Recent tunnels", this.error, this.tunnels.element),
      this.requests.element,
      part("About", h("dl", { class: "facts" }, FACTS.map(([label]) => [this.labels.get(label), this.values.get(label)]), this.trackingRow)),
      part("Status history", this.states),
    );
  }

  async open(name) {
    const other = name !== this.name;
    this.name = name;
    if (other) {
      this.tunnels.clear();
      this.requests.clear();
      this.states.replaceChildren();
      this.element.scrollTop = 0;
    }
    this.element.hidden = false;
    document.body.classList.add("has-details");
    this.show();
    this.draw();
    this.title.focus({ preventScroll: true });
    this.load();
    clearInterval(this.looks);
    this.looks = setInterval(() => this.running() && this.load(true), AGAIN);
  }

  close() {
    if (this.name === null) return;
    const name = this.name;
    clearInterval(this.looks);
    this.name = null;
    this.element.hidden = true;
    document.body.classList.remove("has-details");
    this.dispatchEvent(new CustomEvent("closed", { detail: name }));
  }

  running() {
    const busy = this.store.connections.get(this.name)?.tunnels.open > 0 || this.requests.open;
    return busy && !document.hidden;
  }

  soon() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.load(), 150);
  }

  async load(tunnelsOnly = false) {
    const one = this.store.connections.get(this.name);
    if (!one) return;
    try {
      const [found, web, history] = await Promise.all([
        call("GET", pathOf(one, "/tunnels")),
        one.tunnels.requests ? call("GET", pathOf(one, "/requests")) : null,
        tunnelsOnly ? null : call("GET", pathOf(one, "/history")),
      ]);
      if (this.name !== one.name) return;
      this.tunnels.show(found.tunnels);
      if (web) this.requests.show(web.requests);
      if (history) {
        this.store.pastOf(one.name, history);
        this.showStates(history.states);
        this.draw();
      }
    } catch (error) {
      // The next event brings another try; what is lost is said at the top.
      if (!(error instanceof Refused) && error.name !== "Unreachable") this.step.title = error.message;
    }
  }

  show() {
    const one = this.store.connections.get(this.name);
    if (!one) return;
    const tone = storeModule.TONES[one.status] ?? "idle";
    const changed = this.status !== `${one.name} ${one.status}`;
    this.status = `${one.name} ${one.status}`;
    setText(this.title, one.name);
    setAttribute(this.badge, "class", `badge ${tone}`);
    if (changed) this.badge.replaceChildren(h("span", { class: "dot", "aria-hidden": "true" }), h("span", null, one.status));
    setAttribute(this.notice, "class", `notice ${tone}`);
    setAttribute(this.notice, "hidden", one.reason ? null : "");
    setText(this.reason, one.reason);
    setText(this.step, one.nextStep ? `To do: ${one.nextStep}.` : "");
    setAttribute(this.step, "hidden", one.nextStep ? null : "");
    this.draining.hidden = storeModule.isDrained(one);
    this.resuming.hidden = !storeModule.isDrained(one);
    setAttribute(this.removal, "title", one.removable ? null : `It stands in ${one.file || "the command line"}`);
    for (const [label, of] of FACTS) {
      const value = of(one);
      const none = value === "" || value === null || value === undefined;
      setAttribute(this.labels.get(label), "hidden", none ? "" : null);
      setAttribute(this.values.get(label), "hidden", none ? "" : null);
      setText(this.values.get(label), none ? "" : String(value));
    }
    setText(this.tracking, one.trackingId);
    this.trackingRow.forEach((row) => setAttribute(row, "hidden", one.trackingId ? null : ""));
    const error = one.lastError;
    setAttribute(this.error, "hidden", error ? null : "");
    setText(this.error, error ? `Last error, ${format.ago(error.at)} ago: ${error.text}` : "");
    if (changed && this.name !== null) this.soon();
  }

  draw() {
    const one = this.store.connections.get(this.name);
    if (one) this.chart.draw(this.store.seriesOf(this.name), one.tunnels, storeModule.interval);
  }

  showStates(states) {
    this.states.replaceChildren(...states.map((state) => h(
      "li", null,
      h("span", { class: `dot ${storeModule.TONES[state.status] ?? "idle"}`, "aria-hidden": "true" }),
      h("time", { datetime: state.at }, format.clock(state.at)),
      h("span", { class: "word" }, state.status),
      state.reason && h("span", { class: "muted" }, state.reason),
    )));
  }
}

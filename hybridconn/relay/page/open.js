// Who listens at one hybrid connection, and what runs through it, as lists that change
// in place: a button that has the focus keeps it.

import { copyButton, h, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";

const button = (word, label, action, tone = "") => h(
  "button", { type: "button", class: `small ${tone}`, "aria-label": label, onclick: action }, word,
);

const more = (...facts) => h(
  "details", { class: "more-facts" }, h("summary", null, "More"), h("dl", { class: "facts small" }, facts),
);
const tracking = (id) => [
  h("dt", null, "Tracking id"), h("dd", { class: "with-copy" }, h("code", null, id), copyButton(id, "the tracking id")),
];

class Items {
  /** @param make makes an item: its `element`, and `show(one)`. */
  constructor(label, none, make) {
    this.make = make;
    this.items = new Map();
    this.list = h("ul", { class: "open-list", "aria-label": label });
    this.none = h("p", { class: "muted" }, none);
    this.element = h("div", null, this.none, this.list);
  }

  /** @param now by the relay's clock. */
  show(all, now) {
    const items = new Map();
    for (const one of all) {
      const item = this.items.get(one.id) ?? this.make(one);
      item.show(one, now);
      items.set(one.id, item);
    }
    for (const [id, item] of this.items) if (!items.has(id)) item.element.remove();
    this.items = items;
    let at = this.list.firstElementChild;
    for (const { element } of items.values()) {
      if (element === at) at = at.nextElementSibling;
      else this.list.insertBefore(element, at);
    }
    setAttribute(this.none, "hidden", all.length ? "" : null);
    setAttribute(this.list, "hidden", all.length ? null : "");
  }
}

class Listener {
  constructor(one, act) {
    this.address = h("span", { class: "mono who" });
    this.state = h("strong", { class: "state" });
    this.words = h("span");
    this.facts = h("span", { class: "facts-line" }, this.state, this.words);
    this.token = h("dd");
    this.drain = button("Drain", `Drain listener ${one.id}`, () => act(this.one.draining ? "undrain" : "drain", this.one));
    this.kick = button("Kick", `Kick listener ${one.id}`, () => act("kick-listener", this.one), "danger");
    this.element = h(
      "li", null,
      h("div", { class: "line" }, h("strong", null, one.id), this.address),
      h("div", { class: "acts" }, this.drain, this.kick),
      this.facts,
      more(
        one.rule && [h("dt", null, "Rule"), h("dd", null, one.rule)],
        h("dt", null, "Token until"), this.token,
        one.ownId && [h("dt", null, "Calls itself"), h("dd", null, one.ownId)],
        h("dt", null, "Connected"), h("dd", null, format.date(one.since)),
        one.trackingId && tracking(one.trackingId),
      ),
    );
  }

  show(one, now) {
    this.one = one;
    setText(this.address, one.address);
    setText(this.state, one.draining ? "Draining" : "");
    setText(this.drain, one.draining ? "Undrain" : "Drain");
    setAttribute(this.drain, "aria-label", `${one.draining ? "Undrain" : "Drain"} listener ${one.id}`);
    const facts = [
      format.plural(one.connections, "tunnel"), `here for ${format.ago(one.since, now)}`, one.agent,
    ].filter(Boolean);
    setText(this.words, (one.draining ? " · " : "") + facts.join(" · "));
    setText(this.token, one.tokenUntil ? format.date(one.tokenUntil) : "for ever");
  }
}

class Tunnel {
  constructor(one, act) {
    this.kind = one.http ? "HTTP request" : "Tunnel";
    this.facts = h("span", { class: "facts-line" });
    this.listener = h("dd");
    const name = one.http ? "HTTP request" : one.id;
    this.element = h(
      "li", null,
      h("div", { class: "line" },
        h("strong", { class: one.http ? "http" : null }, one.http ? "HTTP" : one.id),
        h("span", { class: "mono who" }, one.sender)),
      h("div", { class: "acts" }, button("Kick", `Kick ${name} of ${one.sender}`, () => act("kick-tunnel", one), "danger")),
      this.facts,
      more(
        h("dt", null, "Listener"), this.listener,
        one.listenerAddress && [h("dt", null, "Dialled from"), h("dd", { class: "mono" }, one.listenerAddress)],
        one.rule && [h("dt", null, "Rule"), h("dd", null, one.rule)],
        h("dt", null, "Began"), h("dd", null, format.date(one.since)),
        tracking(one.trackingId),
      ),
    );
  }

  show(one, now) {
    setText(this.listener, one.listener || "not chosen yet");
    const facts = [
      one.listener && `via ${one.listener}`, `for ${format.ago(one.since, now)}`,
      `↑ ${format.bytes(one.bytesFromSender)}`, `↓ ${format.bytes(one.bytesFromListener)}`,
    ].filter(Boolean);
    setText(this.facts, facts.join(" · "));
  }
}

/** @param act called with what is to be done and what it is done to. */
export const listeners = (act) => new Items("Listeners", "Nobody listens: a sender is told 404.", (one) => new Listener(one, act));
export const tunnels = (act) => new Items("Tunnels and HTTP requests", "Nothing is open.", (one) => new Tunnel(one, act));

// Testing hybrid connections, or any address, from the service.

import { call } from "./api.js";
import { pathOf } from "./paths.js";
import { h } from "./dom.js";
import { dialog, report } from "./dialogs.js";

async function look(place, asks) {
  place.replaceChildren(h("p", { class: "busy-words" }, "Looking…"));
  const found = await Promise.all(asks.map(async (ask) => {
    try {
      return (await ask.call()).checks;
    } catch (error) {
      return [{ subject: ask.subject, name: "test", ok: false, detail: error.message, nextStep: "" }];
    }
  }));
  place.replaceChildren(report(found.flat()));
}

/** Test these hybrid connections now. */
export function testConnections(connections) {
  const place = h("div", { class: "result", role: "status" });
  const asks = connections.map((one) => ({
    subject: one.name, call: () => call("POST", pathOf(one, "/test")),
  }));
  const title = connections.length === 1 ? `Test ${connections[0].name}` : `Test ${connections.length} hybrid connections`;
  dialog(title, (close) => h(
    "div", { class: "content" },
    place,
    h("div", { class: "buttons end" },
      h("button", { type: "button", onclick: () => look(place, asks) }, "Again"),
      h("button", { type: "button", class: "primary", onclick: close, autofocus: true }, "Done")),
  ));
  look(place, asks);
}

/** Ask for an address and test that. */
export function testAddress() {
  const place = h("div", { class: "result", role: "status" });
  const field = h("input", { id: "test-address", class: "mono", autocomplete: "off", spellcheck: "false", placeholder: "db.corp:5432", required: true, autofocus: true, "aria-describedby": "test-hint" });
  dialog("Test", (close) => h(
    "form", {
      class: "content",
      onsubmit: (event) => {
        event.preventDefault();
        const address = field.value.trim();
        look(place, [{ subject: address, call: () => call("POST", "/v1/test", { address }) }]);
      },
    },
    h("label", { for: "test-address" }, "Address"),
    h("div", { class: "with-button" }, field, h("button", { type: "submit", class: "primary" }, "Connect")),
    h("p", { class: "hint", id: "test-hint" }, "host:port: does it take a connection from the service? A host alone: does a relay answer there?"),
    place,
    h("div", { class: "buttons end" }, h("button", { type: "button", onclick: close }, "Close")),
  ));
}

// What the words mean, and the keys.

import { h } from "./dom.js";
import { dialog } from "./dialogs.js";

const MEANINGS = {
  Connected: "This machine listens at the relay, and the target took the last connection.",
  Degraded: "It listens at the relay, but the target cannot be reached, or is not known.",
  Connecting: "The relay is being dialled for the first time.",
  "Not Connected": "It does not listen at the relay now; the reason says why.",
  NotFound: "The relay has no such hybrid connection. It is looked for again and again.",
  Draining: "It was told to take no more senders; the tunnels that are open go on.",
  Drained: "It was told to take no more senders, and all of its tunnels are over. Resume has it come back.",
  Discontinued: "A kind of hybrid connection that is no more.",
};
const KEYS = [
  ["↑ ↓ Home End", "from row to row"],
  ["Enter", "details"],
  ["Space", "on a tick box: select the row"],
  ["Delete", "remove it, after asking"],
  ["Esc", "close details or a dialog"],
  ["← →", "from button to button in the bar of actions"],
];

export function showHelp(tones) {
  dialog("Help", (close) => h(
    "div", { class: "content" },
    h("h3", null, "Status"),
    h("dl", { class: "meanings" }, Object.entries(MEANINGS).map(([word, text]) => [
      h("dt", null, h("span", { class: `badge ${tones[word]}` }, h("span", { class: "dot", "aria-hidden": "true" }), word)),
      h("dd", null, text),
    ])),
    h("h3", null, "Keys in the table"),
    h("dl", { class: "meanings" }, KEYS.map(([key, text]) => [h("dt", null, h("kbd", null, key)), h("dd", null, text)])),
    h("p", { class: "muted" }, "The same is on the command line: ", h("code", null, "hybridconn hcm --help")),
    h("div", { class: "buttons end" }, h("button", { type: "button", class: "primary", onclick: close, autofocus: true }, "Close")),
  ));
}

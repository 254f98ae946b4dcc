// Puts the page together: what the buttons do.

import { call } from "./api.js";
import { changed, toast } from "./announce.js";
import { byId, h, setText } from "./dom.js";
import { Details } from "./details.js";
import { confirm } from "./dialogs.js";
import { Door } from "./door.js";
import * as format from "./format.js";
import { showHelp } from "./help.js";
import { Live } from "./live.js";
import { Store, TONES, pathOf } from "./store.js";
import { Table } from "./table.js";
import { Tiles } from "./tiles.js";

const LIVE_COLUMNS = ["status", "listeners", "tunnels", "traffic"];

const store = new Store();
const table = new Table(store);
const details = new Details(store);
const live = new Live(store, () => table.looked(), () => details.one);
const door = new Door("relay", "/v1/relay", { machine: "relay", command: "hybridconn relay ui" }, {
  entered: (relay) => {
    setText(byId("host"), relay.version);
    byId("host").title = `hybridconn ${relay.version}, Python ${relay.python}, Twisted ${relay.twisted}, process ${relay.pid}, since ${relay.startedAt}`;
    details.canSwitch = relay.canSwitch;
    live.start();
  },
  left: () => live.stop(),
});
new Tiles(store, ({ namespace }) => {
  table.reset();
  table.namespace.value = namespace;
  table.show();
  byId("list").focus();
});

// --- what comes from the relay ---

live.addEventListener("open", () => {
  door.say("Connected", "good");
  byId("lost").hidden = true;
  document.body.classList.remove("stale");
});
live.addEventListener("lost", ({ detail }) => {
  door.say("Disconnected", "bad");
  if (!byId("lost").hidden) return;
  setText(byId("lost"), `${detail.message} What is shown is of ${format.clock(new Date().toISOString())}; it is asked again by itself.`);
  byId("lost").hidden = false;
  document.body.classList.add("stale");
});
live.addEventListener("signed-out", () => door.view("sign-in"));
live.addEventListener("counted", () => {
  if (table.status.value || LIVE_COLUMNS.includes(table.order.key)) table.show();
});
live.addEventListener("looked", () => {
  table.refresh();
  details.show();
  details.load().catch(() => {});
});
store.addEventListener("status", ({ detail: { one, status } }) => changed(one.path, status));

// --- what people do ---

async function attempt(work, done) {
  try {
    await work();
    toast(done);
  } catch (error) {
    toast(error.message, "bad");
  }
  live.now();
}

const say = (...words) => words.map((text) => h("p", null, text));

async function kickListener({ one, item }) {
  const words = say(
    `Its control channel is closed. ${item.connections ? `${format.plural(item.connections, "tunnel")} through it go on.` : ""}`,
    "Most listeners connect anew at once; to keep one away, take its key from it.",
  );
  if (!await confirm(`Kick listener ${item.id}?`, words, "Kick")) return;
  await attempt(() => call("DELETE", pathOf(one, `/listeners/${encodeURIComponent(item.id)}`)), `Listener ${item.id} is kicked.`);
}

async function kickTunnel({ one, item }) {
  const name = item.http ? "the HTTP request" : `tunnel ${item.id}`;
  const words = say(`It is from ${item.sender} to ${one.path}. ${item.http ? "The sender is answered 503." : "Both ends are told that an operator closed it."}`);
  if (!await confirm(`Kick ${name}?`, words, "Kick")) return;
  await attempt(() => call("DELETE", pathOf(one, `/tunnels/${encodeURIComponent(item.id)}`)), `${name[0].toUpperCase()}${name.slice(1)} is kicked.`);
}

async function drain({ one, item }) {
  const last = one.counts && one.counts.listeners - one.counts.draining <= 1;
  const words = say("No other listener takes new senders: each is told 404 until one does.", "Tunnels that are open go on.");
  if (last && !await confirm(`Drain the last listener of ${one.path}?`, words, "Drain")) return;
  await attempt(() => call("POST", pathOf(one, `/listeners/${encodeURIComponent(item.id)}/drain`)), `Listener ${item.id} drains.`);
}

const undrain = ({ one, item }) => attempt(
  () => call("POST", pathOf(one, `/listeners/${encodeURIComponent(item.id)}/undrain`)), `Listener ${item.id} gets new senders again.`,
);

async function disable({ one }) {
  const words = say("Its listeners, tunnels and HTTP requests are closed, and nobody gets in until it is enabled.");
  if (!await confirm(`Disable ${one.path}?`, words, "Disable")) return;
  await attempt(() => call("POST", pathOf(one, "/disable")), `${one.path} is disabled.`);
}

const enable = ({ one }) => attempt(() => call("POST", pathOf(one, "/enable")), `${one.path} is enabled.`);

const ACTIONS = { "kick-listener": kickListener, "kick-tunnel": kickTunnel, drain, undrain, disable, enable };
for (const [name, action] of Object.entries(ACTIONS)) details.addEventListener(name, ({ detail }) => action(detail));

byId("help").addEventListener("click", () => showHelp(TONES));
table.addEventListener("choose", ({ detail }) => {
  details.open(detail);
  live.now();
});
table.addEventListener("scrolled", () => live.now());
table.addEventListener("empty", ({ detail }) => {
  byId("empty").replaceChildren(...(detail.all
    ? [h("h3", null, "Nothing fits the filter"), h("button", { type: "button", onclick: () => table.reset() }, "Show all")]
    : [h("h3", null, "No hybrid connections yet"), h("p", null, "Make one with: hybridconn connection create NAMESPACE PATH")]));
});
details.addEventListener("closed", ({ detail }) => {
  table.chosen = null;
  table.marks();
  table.focus(detail);
});

door.start();

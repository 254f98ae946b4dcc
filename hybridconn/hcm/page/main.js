// Puts the page together: who is signed in, what the buttons do.

import { call, download } from "./api.js";
import { pathOf } from "./paths.js";
import { askForNew } from "./adding.js";
import { changed, toast } from "./announce.js";
import { byId, h, setText } from "./dom.js";
import { Details } from "./details.js";
import * as format from "./format.js";
import { confirm } from "./dialogs.js";
import { Door, arrowKeys } from "./door.js";
import { showHelp } from "./help.js";
import { Live } from "./live.js";
import { showLogs } from "./logs.js";
import { Store, TONES, isDrained } from "./store.js";
import { Table } from "./table.js";
import { testAddress, testConnections } from "./testing.js";
import { Tiles } from "./tiles.js";

const CHECK = 20000;

const store = new Store();
const table = new Table(store);
const details = new Details(store);
const live = new Live(store);
new Tiles(store, (status) => {
  table.status.value = status;
  table.show();
  byId("list").focus();
});

// --- who is signed in ---

const door = new Door("manager", "/v1/version", { machine: "service", command: "hybridconn hcm ui" }, {
  entered: (version) => {
    about(version);
    live.start();
  },
  left: () => live.stop(),
});

function about(version) {
  setText(byId("host"), `${version.version}`);
  byId("host").title = `hybridconn ${version.version}, Python ${version.python}, Twisted ${version.twisted}, process ${version.pid}, since ${version.startedAt}`;
  trouble(version.trouble);
}

function trouble(text) {
  const banner = byId("banner");
  banner.hidden = !text;
  setText(banner, text ? `The files on the disk are wrong, so the configuration of before stays in force. ${text}` : "");
}

// --- what comes from the service ---

live.addEventListener("open", () => {
  door.say("Connected", "good");
  byId("lost").hidden = true;
  document.body.classList.remove("stale");
});
live.addEventListener("lost", () => {
  door.say("Disconnected", "bad");
  if (!byId("lost").hidden) return;
  setText(byId("lost"), `The service does not answer. What is shown is of ${format.clock(new Date().toISOString())}; it is called again by itself.`);
  byId("lost").hidden = false;
  document.body.classList.add("stale");
});
live.addEventListener("signed-out", () => door.view("sign-in"));
live.addEventListener("configuration", ({ detail }) => trouble(detail.trouble));
store.addEventListener("one", ({ detail: { one, before } }) => {
  if (one.status !== before.status) changed(one.name, one.status);
});
setInterval(async () => {
  if (!door.open) return;
  try {
    about(await call("GET", "/v1/version"));
  } catch (error) {
    door.closedBy(error);
  }
}, CHECK);
document.addEventListener("visibilitychange", async () => {
  if (document.hidden || !door.open) return;
  // A page in the background gets few turns, so its samples have gaps.
  store.past(await call("GET", "/v1/history?samples=60").catch(() => ({ interval: 5, connections: {} })));
});

// --- what people do ---

const names = () => [...store.connections.keys()].sort();
const ticked = () => [...table.ticked].map((name) => store.connections.get(name)).filter(Boolean);
const one = (name) => [store.connections.get(name)].filter(Boolean);

async function each(connections, verb, done) {
  for (const connection of connections) {
    try {
      await verb(connection);
    } catch (error) {
      toast(`${connection.name}: ${error.message}`, "bad");
      continue;
    }
    toast(done(connection));
  }
}

function restart(connections) {
  return each(connections, (it) => call("POST", pathOf(it, "/restart")), (it) => `${it.name} is restarted.`);
}

async function drain(connections) {
  if (!connections.length) return;
  const single = connections.length === 1;
  const open = connections.reduce((sum, it) => sum + it.tunnels.open, 0);
  const yes = await confirm(
    single ? `Drain ${connections[0].name}?` : `Drain ${connections.length} hybrid connections?`,
    [
      !single && h("ul", { class: "names" }, connections.map((it) => h("li", null, it.name))),
      h("p", null, "This machine takes no more senders there, until Resume or a restart of the service. Other listeners of the same hybrid connection get them; without one, senders are refused."),
      open > 0 && h("p", null, `${open === 1 ? "One tunnel is" : `${open} tunnels are`} open, and will go on.`),
    ],
    "Drain",
  );
  if (!yes) return;
  await each(connections, (it) => call("POST", pathOf(it, "/drain")), (it) => `${it.name} takes no more senders.`);
}

function resume(connections) {
  return each(connections, (it) => call("POST", pathOf(it, "/resume")), (it) => `${it.name} takes senders again.`);
}

async function remove(connections) {
  if (!connections.length) return;
  const single = connections.length === 1;
  const open = connections.reduce((sum, it) => sum + it.tunnels.open, 0);
  const yes = await confirm(
    single ? `Remove ${connections[0].name}?` : `Remove ${connections.length} hybrid connections?`,
    [
      !single && h("ul", { class: "names" }, connections.map((it) => h("li", null, it.name))),
      h("p", null, "This machine listens there no more. At the relay nothing is changed."),
      open > 0 && h("p", { class: "error" }, `${open === 1 ? "One tunnel is" : `${open} tunnels are`} open, and will be closed.`),
    ],
    "Remove",
  );
  if (!yes) return;
  await each(connections, (it) => call("DELETE", pathOf(it)), (it) => `${it.name} is removed.`);
  if (document.activeElement === document.body) table.focus(null);
}

function added(made) {
  store.put(made);
  toast(`${made.name} is added.`);
  table.filter.value = "";
  table.status.value = "";
  table.show();
  table.choose(made.name);
}

async function bundle(button) {
  button.disabled = true;
  try {
    const { name, blob } = await download("/v1/support-bundle");
    const address = URL.createObjectURL(blob);
    h("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  } catch (error) {
    toast(error.message, "bad");
  } finally {
    button.disabled = false;
  }
}

async function refresh() {
  try {
    const { connections } = await call("POST", "/v1/reload");
    toast(`The files were read anew; hybrid connections: ${connections}.`);
  } catch (error) {
    toast(error.message, "bad");
  }
}

const ACTIONS = {
  add: () => askForNew(added),
  refresh,
  restart: () => restart(ticked()),
  drain: () => drain(ticked().filter((it) => !isDrained(it))),
  resume: () => resume(ticked().filter(isDrained)),
  remove: () => remove(ticked()),
  test: () => (table.ticked.size ? testConnections(ticked()) : testAddress()),
  logs: () => showLogs(names(), table.ticked.size === 1 ? [...table.ticked][0] : ""),
  bundle,
  help: () => showHelp(TONES),
};
const buttons = arrowKeys(byId("toolbar"));
buttons.forEach((button) => button.addEventListener("click", () => ACTIONS[button.dataset.action](button)));
const FITS = { restart: () => true, remove: () => true, drain: (it) => !isDrained(it), resume: isDrained };
function enable() {
  const chosen = ticked();
  for (const button of buttons) {
    const fits = FITS[button.dataset.action];
    if (fits) button.disabled = !chosen.some(fits);
  }
}
table.addEventListener("ticks", enable);
store.addEventListener("one", enable);
table.addEventListener("choose", ({ detail }) => details.open(detail));
table.addEventListener("delete", ({ detail }) => remove(one(detail)));
table.addEventListener("empty", ({ detail }) => {
  byId("empty").replaceChildren(...(detail.all
    ? [h("h3", null, "Nothing fits the filter"), h("button", { type: "button", onclick: () => { table.filter.value = ""; table.status.value = ""; table.show(); } }, "Show all")]
    : [h("h3", null, "No hybrid connections yet"), h("p", null, "Paste the gateway connection string of one. This machine then listens there and joins senders to the target."), h("button", { type: "button", class: "primary", onclick: ACTIONS.add }, "New hybrid connection")]));
});
details.addEventListener("closed", ({ detail }) => {
  table.chosen = null;
  table.marks();
  table.focus(detail);
});
details.addEventListener("test", ({ detail }) => testConnections(one(detail)));
details.addEventListener("restart", ({ detail }) => restart(one(detail)));
details.addEventListener("drain", ({ detail }) => drain(one(detail)));
details.addEventListener("resume", ({ detail }) => resume(one(detail)));
details.addEventListener("remove", ({ detail }) => remove(one(detail)));
details.addEventListener("logs", ({ detail }) => showLogs(names(), detail));

door.start();

// Asks the relay each second for what is on the screen, and says how that goes.

import { Refused, call } from "./api.js";
import { LONG, SHORT } from "./store.js";

const TICK = 1000;
const TRAFFIC = 5000;
/** All are counted so often: seldom where there are many. */
const countsEvery = (many) => Math.max(4000, many * 2);
const MOST = 500;

export class Live extends EventTarget {
  /** @param looked gives the hybrid connections that are on the screen, `opened` the one whose details are. */
  constructor(store, looked, opened) {
    super();
    this.store = store;
    this.looked = looked;
    this.opened = opened;
    this.running = false;
    this.turn = 0;
    this.due = { counts: 0, traffic: 0 };
  }

  start() {
    this.running = true;
    this.due = { counts: 0, traffic: 0 };
    this.turn += 1;
    this.run(this.turn);
  }

  stop() {
    this.running = false;
  }

  /** Do not wait for the next second. */
  now() {
    this.due.traffic = 0;
    this.wake?.();
  }

  async run(turn) {
    while (this.running && turn === this.turn) {
      // Nobody looks at a page in the background.
      if (!document.hidden) {
        try {
          await this.look();
          this.say("open");
        } catch (error) {
          if (error instanceof Refused && error.status === 401) {
            this.say("signed-out");
            return;
          }
          this.say("lost", error);
        }
      }
      await new Promise((done) => {
        const timer = setTimeout(done, TICK);
        this.wake = () => { clearTimeout(timer); done(); };
      });
    }
  }

  async look() {
    const { store } = this;
    const shown = this.looked().slice(0, MOST);
    const opened = this.opened();
    if (opened && !shown.includes(opened)) shown.push(opened);
    const rows = shown.slice(-MOST).map((one) => [one.namespace, one.path]);
    const ids = shown.slice(-MOST).map((one) => one.id);
    const found = await call("POST", "/v1/look", { rows });
    store.skew = Date.parse(found.now) - Date.now();
    store.inAll(found.all);
    store.counted(found.at, ids, found.rows);
    if (found.revision !== store.revision) {
      store.take(await call("GET", "/v1/connections"));
      this.due.counts = 0;
    }
    const now = performance.now();
    if (now >= this.due.counts) {
      const all = await call("GET", "/v1/counts");
      if (all.revision === store.revision) store.counted(all.at, store.list.map((one) => one.id), all.rows);
      this.due.counts = now + countsEvery(store.list.length);
      this.say("counted");
    }
    if (now >= this.due.traffic) {
      this.due.traffic = now + TRAFFIC;
      const past = await call("POST", "/v1/traffic", { rows, samples: opened ? LONG : SHORT });
      store.moved(ids, past);
    }
    this.say("looked");
  }

  say(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

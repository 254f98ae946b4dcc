// Keeps the stream of events open, and says how that goes.

import { Refused, call, stream } from "./api.js";
import * as storeModule from "./store.js";

const WAITS = [500, 1000, 2000, 5000];
/** The service sends something at least every 15 seconds. */
const SILENCE = 35000;

export class Live extends EventTarget {
  constructor(store) {
    super();
    this.store = store;
    this.stopping = null;
    this.tries = 0;
  }

  start() {
    this.stop();
    this.stopping = new AbortController();
    this.run(this.stopping.signal);
  }

  stop() {
    this.stopping?.abort();
    this.stopping = null;
  }

  async run(signal) {
    while (!signal.aborted) {
      try {
        await this.once(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refused && error.status === 401) {
          this.say("signed-out");
          return;
        }
      }
      if (signal.aborted) return;
      this.say("lost");
      const wait = WAITS[Math.min(this.tries, WAITS.length - 1)];
      this.tries += 1;
      await new Promise((done) => { setTimeout(done, wait); });
    }
  }

  async once(signal) {
    const attempt = new AbortController();
    const end = () => attempt.abort();
    signal.addEventListener("abort", end);
    let watch = setTimeout(end, SILENCE);
    try {
      await stream("/v1/events", attempt.signal, (kind, value) => {
        clearTimeout(watch);
        watch = setTimeout(end, SILENCE);
        if (!signal.aborted) this.heard(kind, value);
      });
    } finally {
      clearTimeout(watch);
      signal.removeEventListener("abort", end);
    }
  }

  async heard(kind, value) {
    if (kind === "open") {
      this.tries = 0;
      this.say("open");
    } else if (kind === "snapshot") {
      this.store.snapshot(value.connections);
      try {
        this.store.past(await call("GET", "/v1/history?samples=60"));
      } catch {
        // Then the pictures begin now.
      }
    } else if (kind === "connection") this.store.put(value);
    else if (kind === "removed") this.store.remove(value.name);
    else if (kind === "tunnel") this.store.ended(value);
    else if (kind === "configuration") this.say("configuration", value);
    if (kind === "snapshot") this.sampling();
  }

  sampling() {
    clearInterval(this.sampler);
    this.sampler = setInterval(() => this.store.sample(), storeModule.interval * 1000);
  }

  say(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

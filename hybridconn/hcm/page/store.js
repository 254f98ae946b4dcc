// What is known of the hybrid connections, and what went through them.

const SHORT = 60;
const LONG = 360;

/** Seconds of one sample; the service says which. */
export let interval = 5;

const empty = () => ({ bytesFromTarget: [], bytesFromSender: [], open: [] });

export class Store extends EventTarget {
  constructor() {
    super();
    this.connections = new Map();
    this.series = new Map();
    this.rates = new Map();
    this.loaded = false;
    this.counted = new Map();
  }

  /** Everything anew. */
  snapshot(list) {
    const before = this.connections;
    this.connections = new Map(list.map((one) => [one.name, one]));
    for (const name of before.keys()) if (!this.connections.has(name)) this.forget(name);
    for (const one of list) this.counted.set(one.name, one.tunnels);
    this.loaded = true;
    this.tell("list");
  }

  put(one) {
    const before = this.connections.get(one.name);
    this.connections.set(one.name, one);
    this.measure(one, before ?? one);
    if (!before) this.counted.set(one.name, one.tunnels);
    if (!before) this.tell("list", { added: one });
    else this.tell("one", { one, before });
  }

  remove(name) {
    if (!this.connections.delete(name)) return;
    this.forget(name);
    this.tell("list", { removed: name });
  }

  ended(tunnel) {
    this.tell("tunnel", tunnel);
  }

  forget(name) {
    this.series.delete(name);
    this.rates.delete(name);
    this.counted.delete(name);
  }

  /** Bytes each second, over the last second or so. */
  measure(one, before) {
    const now = performance.now();
    const last = this.rates.get(one.name) ?? { at: now - 1000, total: total(before) };
    const past = now - last.at;
    const rate = Math.max(0, (total(one) - last.total) / (past < 5000 ? Math.max(past / 1000, 1) : 1));
    // Several events may come in one second: all of them are measured from its begin.
    const from = past < 500 ? last : { at: now, total: total(one) };
    this.rates.set(one.name, { at: from.at, total: from.total, rate, seen: now });
  }

  rateOf(name) {
    const found = this.rates.get(name);
    return found && performance.now() - found.seen < 2500 ? found.rate : 0;
  }

  /** What the service remembers of before this page was opened. */
  past(histories) {
    interval = histories.interval;
    for (const [name, one] of Object.entries(histories.connections)) this.series.set(name, one);
    this.tell("sample");
  }

  pastOf(name, history) {
    this.series.set(name, {
      bytesFromTarget: history.bytesFromTarget,
      bytesFromSender: history.bytesFromSender,
      open: history.open,
    });
  }

  seriesOf(name) {
    return this.series.get(name) ?? empty();
  }

  /** To be called each `interval`. */
  sample() {
    for (const [name, one] of this.connections) {
      const series = this.series.get(name) ?? empty();
      const tunnels = one.tunnels;
      const last = this.counted.get(name) ?? tunnels;
      push(series.bytesFromTarget, Math.max(0, tunnels.bytesFromTarget - last.bytesFromTarget));
      push(series.bytesFromSender, Math.max(0, tunnels.bytesFromSender - last.bytesFromSender));
      push(series.open, tunnels.open);
      this.counted.set(name, tunnels);
      this.series.set(name, series);
    }
    this.tell("sample");
  }

  /** Bytes of both directions in each of the last samples, of one or of all. */
  traffic(name) {
    const sums = new Array(SHORT).fill(0);
    const those = name === undefined ? [...this.series.values()] : [this.seriesOf(name)];
    for (const series of those) {
      for (const list of [series.bytesFromTarget, series.bytesFromSender]) {
        const part = list.slice(-SHORT);
        part.forEach((value, index) => { sums[SHORT - part.length + index] += value; });
      }
    }
    return sums;
  }

  tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

function push(list, value) {
  list.push(value);
  if (list.length > LONG) list.shift();
}

const total = (one) => one.tunnels.bytesFromTarget + one.tunnels.bytesFromSender;

/** How a status is drawn, and in which order those that need somebody come first. */
export const TONES = {
  Connected: "good",
  Degraded: "warn",
  Connecting: "busy",
  Disconnected: "bad",
  NotFound: "bad",
  Draining: "busy",
  Drained: "idle",
  Discontinued: "idle",
};
export const STATUSES = Object.keys(TONES);
export const needsSomebody = (one) => ["warn", "bad"].includes(TONES[one.status] ?? "idle");
export const isDrained = (one) => ["Draining", "Drained"].includes(one.status);

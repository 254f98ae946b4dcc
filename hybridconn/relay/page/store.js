// What is known of the hybrid connections, and what goes on at them.

/** How many samples a small picture has, and a large one. */
export const SHORT = 60;
export const LONG = 360;

/** In the order in which the relay gives them. */
const NUMBERS = [
  "listeners", "draining", "tunnels", "requests", "waiting",
  "fromSenders", "fromListeners", "tunnelsEver", "requestsEver",
];
/** Seconds between two looks that say how fast it goes: less is noise, more is old. */
const SOON = 0.6;
const STALE = 30;

export const named = (list) => Object.fromEntries(NUMBERS.map((name, index) => [name, list[index]]));
export const idOf = (one) => `${one.namespace}/${one.path}`;
export const pathOf = (one, more = "") => `/v1/connections/${encodeURIComponent(one.namespace)}/${encodeURIComponent(one.path)}${more}`;

/** Bytes each second in both directions, between two looks. */
export class Rates {
  constructor() {
    this.last = null;
    this.senders = 0;
    this.listeners = 0;
  }

  get sum() {
    return this.senders + this.listeners;
  }

  take(at, counts) {
    const past = this.last === null ? Infinity : at - this.last.at;
    if (past < SOON) return;
    if (past < STALE) {
      this.senders = Math.max(0, counts.fromSenders - this.last.senders) / past;
      this.listeners = Math.max(0, counts.fromListeners - this.last.listeners) / past;
    }
    this.last = { at, senders: counts.fromSenders, listeners: counts.fromListeners };
  }
}

/** The word for how a hybrid connection is; empty while nobody knows. */
export function statusOf(one) {
  if (!one.enabled) return "Disabled";
  if (!one.counts) return "";
  if (!one.counts.listeners) return "No listener";
  return one.counts.draining === one.counts.listeners ? "Draining" : "Listening";
}
export const TONES = { Listening: "good", Draining: "busy", "No listener": "warn", Disabled: "idle" };
export const STATUSES = Object.keys(TONES);

export class Store extends EventTarget {
  constructor() {
    super();
    this.connections = new Map();
    this.list = [];
    this.namespaces = [];
    this.revision = null;
    this.loaded = false;
    this.series = new Map();
    this.all = [];
    this.interval = 5;
    this.number = 0;
    /** Milliseconds that the relay's clock is ahead of ours. */
    this.skew = 0;
    this.relay = null;
    this.rates = new Rates();
  }

  /** The list anew; what is known of each stays. */
  take(found) {
    const before = this.connections;
    this.revision = found.revision;
    this.namespaces = found.namespaces;
    this.list = found.connections.map((one) => {
      const known = before.get(idOf(one));
      return { ...one, id: idOf(one), counts: known?.counts ?? null, rates: known?.rates ?? new Rates() };
    });
    this.connections = new Map(this.list.map((one) => [one.id, one]));
    for (const id of this.series.keys()) if (!this.connections.has(id)) this.series.delete(id);
    this.loaded = true;
    this.tell("list");
    for (const [id, one] of this.connections) {
      const known = before.get(id);
      if (known?.counts && statusOf(known) !== statusOf(one)) this.tell("status", { one, status: statusOf(one) });
    }
  }

  /** @param ids whose numbers these are. */
  counted(at, ids, rows) {
    rows.forEach((row, index) => {
      const one = this.connections.get(ids[index]);
      if (!one) return;
      const before = statusOf(one);
      one.counts = named(row);
      one.rates.take(at, one.counts);
      const status = statusOf(one);
      if (before && before !== status) this.tell("status", { one, status });
    });
  }

  inAll(found) {
    this.relay = { ...named(found.relay), refusals: found.refusals, spaces: found.namespaces };
    this.rates.take(found.at, this.relay);
    this.tell("relay");
  }

  moved(ids, found) {
    this.interval = found.interval;
    this.number = found.number;
    this.all = found.all;
    ids.forEach((id, index) => this.series.set(id, found.rows[index]));
    this.tell("traffic");
  }

  /** Two lists with a number for each of the last samples. */
  past(id, samples) {
    const sparse = id === null ? this.all : this.series.get(id) ?? [];
    const lists = [new Array(samples).fill(0), new Array(samples).fill(0)];
    for (const [number, senders, listeners] of sparse) {
      const at = samples - (this.number - number);
      if (at < 0 || at >= samples) continue;
      lists[0][at] = senders;
      lists[1][at] = listeners;
    }
    return { senders: lists[0], listeners: lists[1] };
  }

  /** Both directions together. */
  sums(id) {
    const past = this.past(id, SHORT);
    return past.senders.map((value, index) => value + past.listeners[index]);
  }

  tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

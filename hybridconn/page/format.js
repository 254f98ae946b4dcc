// Numbers and times for people.

const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function bytes(number) {
  let value = number;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

export const rate = (number) => `${bytes(number)}/s`;

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0.9995) {
    const ms = value * 1000;
    if (ms < 0.05) return "< 0.1 ms";
    return `${ms.toFixed(ms < 9.95 ? 1 : 0)} ms`;
  }
  if (value < 59.5) return `${value.toFixed(value < 9.95 ? 1 : 0)} s`;
  if (value < 3570) return `${Math.round(value / 60)} min`;
  if (value < 84600) return `${(value / 3600).toFixed(1)} h`;
  return `${(value / 86400).toFixed(1)} days`;
}

const clockFormat = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const dateFormat = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric",
  hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});

function parsed(text) {
  const at = text ? new Date(text) : null;
  return at && !Number.isNaN(at.getTime()) ? at : null;
}

export function clock(text) {
  const at = parsed(text);
  return at ? clockFormat.format(at) : "–";
}

export function date(text) {
  const at = parsed(text);
  return at ? dateFormat.format(at) : "–";
}

/** "for 3 min"; without `now` by this machine's clock. */
export function ago(text, now = Date.now()) {
  const at = parsed(text);
  return at ? seconds(Math.max(0, (now - at.getTime()) / 1000)) : "–";
}

export const plural = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

// Small pictures of numbers over time.

import { h, setAttribute, setText, svg } from "./dom.js";
import * as format from "./format.js";

const WIDTH = 96;
const HEIGHT = 24;

function points(values, most, width, height, slots) {
  const step = width / Math.max(1, slots - 1);
  const first = slots - values.length;
  return values.map((value, index) => {
    const y = height - 1 - (most ? (value / most) * (height - 2) : 0);
    return `${((first + index) * step).toFixed(1)},${y.toFixed(1)}`;
  });
}

/** A line without words; beside it stands what it means. */
export class Sparkline {
  constructor(width = WIDTH, height = HEIGHT) {
    this.width = width;
    this.height = height;
    this.area = svg("path", { class: "spark-area" });
    this.line = svg("polyline", { class: "spark-line" });
    this.element = svg(
      "svg",
      { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true", preserveAspectRatio: "none" },
      this.area, this.line,
    );
  }

  draw(values) {
    const most = Math.max(...values, 0);
    const at = points(values, most, this.width, this.height, values.length);
    setAttribute(this.line, "points", at.join(" "));
    setAttribute(this.area, "d", most ? `M0,${this.height} L${at.join(" L")} L${this.width},${this.height} Z` : "M0,0");
    setAttribute(this.element, "class", most ? "spark" : "spark still");
  }
}

/** Traffic of half an hour in both directions, with a scale and a legend. */
export class TrafficChart {
  /** @param words for the two directions, in the legend. */
  constructor(words = ["from target ", "from senders "]) {
    const [width, height] = [400, 96];
    this.size = [width, height];
    this.parts = ["target", "sender"].map((kind) => ({
      kind,
      area: svg("path", { class: `area ${kind}` }),
      line: svg("polyline", { class: `line ${kind}` }),
      words: h("span", { class: "value" }),
    }));
    this.top = h("span", { class: "scale" });
    this.picture = svg(
      "svg",
      { class: "chart", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img" },
      [0.25, 0.5, 0.75].map((part) => svg("line", { class: "grid", x1: 0, x2: width, y1: height * part, y2: height * part })),
      this.parts.map((part) => [part.area, part.line]),
    );
    this.element = h(
      "figure", { class: "traffic" },
      h("div", { class: "plot" }, this.top, this.picture),
      h("div", { class: "times", "aria-hidden": "true" }, h("span", null, "30 min ago"), h("span", null, "15 min"), h("span", null, "now")),
      h(
        "figcaption", { class: "legend" },
        this.parts.map((part, index) => h(
          "span", null,
          h("i", { class: `key ${part.kind}`, "aria-hidden": "true" }),
          words[index],
          part.words,
        )),
      ),
    );
  }

  /** Series as the store has them; the totals ever. */
  draw(series, tunnels, interval) {
    const slots = 360;
    const [width, height] = this.size;
    const lists = [series.bytesFromTarget, series.bytesFromSender];
    const most = Math.max(1, ...lists.flat());
    this.parts.forEach((part, index) => {
      const at = points(lists[index], most, width, height, slots);
      const from = at.length ? at[0].split(",")[0] : width;
      setAttribute(part.line, "points", at.join(" "));
      setAttribute(part.area, "d", at.length ? `M${from},${height} L${at.join(" L")} L${width},${height} Z` : "M0,0");
    });
    setText(this.parts[0].words, format.bytes(tunnels.bytesFromTarget));
    setText(this.parts[1].words, format.bytes(tunnels.bytesFromSender));
    const peak = format.rate(most / interval);
    const quiet = most <= 1;
    setText(this.top, quiet ? "no traffic" : `peak ${peak}`);
    setAttribute(this.picture, "aria-label", quiet ? "No traffic in the last 30 minutes" : `Traffic of the last 30 minutes, at most ${peak} in one direction`);
  }
}

// One number with its name, in the row of them at the top.

import { byId, h } from "./dom.js";

/** Add a tile: its element, and where its number and its note stand. */
export function tile(label, ...more) {
  const value = h("strong");
  const note = h("span", { class: "note" });
  const element = h("div", { class: "tile" }, h("h2", null, label), h("p", null, value, note), ...more);
  byId("tiles").append(element);
  return { value, note, element };
}

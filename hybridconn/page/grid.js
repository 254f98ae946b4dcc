// A table of many: filter, order, as many rows as are wanted, keys.

import { byId, h, setAttribute, setText } from "./dom.js";

const STEP = 200;
const compare = new Intl.Collator(undefined, { numeric: true }).compare;

/**
 * To be extended: `items()` gives everything there is, `keyOf` and `nameOf` say what
 * one is called by us and by people, `textOf` what is searched, `fits` what else is
 * asked of it, `makeRow` makes a row: its `element` with `open`, the button of its
 * name, `show(one)` and `reach(on)`, whether the tab key comes to it.
 */
export class Grid extends EventTarget {
  /** @param columns each with key, label, of(one); number: begins with the highest. */
  constructor(columns) {
    super();
    this.columns = columns;
    this.rows = new Map();
    this.chosen = null;
    this.order = { key: columns[0].key, up: true };
    this.most = STEP;
    this.stop = null;
    this.filter = byId("filter");
    this.build();
    this.filter.addEventListener("input", () => this.show());
    byId("more").firstElementChild.addEventListener("click", () => {
      this.most += STEP;
      this.show();
    });
  }

  /** Cells that stand before the heads of the columns. */
  leading() {
    return [];
  }

  build() {
    this.heads = this.columns.map((column) => {
      const button = h("button", { type: "button", class: "sort" }, column.label, h("span", { class: "arrow", "aria-hidden": "true" }));
      button.addEventListener("click", () => {
        const same = this.order.key === column.key;
        this.order = { key: column.key, up: same ? !this.order.up : !column.number };
        this.show();
      });
      return h("th", { role: "columnheader", scope: "col", class: `c-${column.key}` }, button);
    });
    this.body = h("tbody", { role: "rowgroup" });
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("focusin", (event) => {
      const row = event.target.closest("tr");
      if (row) this.makeStop(row.dataset.name);
    });
    this.element = h(
      "table", { role: "table", "aria-labelledby": "list-title" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, this.leading(), this.heads)),
      this.body,
    );
    byId("table-place").append(this.element);
  }

  // --- which, and in which order ---

  found() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const column = this.columns.find((one) => one.key === this.order.key);
    const sign = this.order.up ? 1 : -1;
    return [...this.items()]
      .filter((one) => this.fits(one))
      .filter((one) => {
        if (!words.length) return true;
        const text = this.textOf(one).toLowerCase();
        return words.every((word) => text.includes(word));
      })
      .map((one) => [column.of(one), one])
      .sort(([x, a], [y, b]) => {
        const by = typeof x === "number" ? x - y : compare(x, y);
        return sign * by || compare(this.nameOf(a), this.nameOf(b));
      })
      .map(([, one]) => one);
  }

  show() {
    const found = this.found();
    const shown = found.slice(0, this.most);
    const rows = new Map();
    shown.forEach((one) => {
      const key = this.keyOf(one);
      const row = this.rows.get(key) ?? this.makeRow(one);
      row.element.dataset.name = key;
      row.show(one);
      rows.set(key, row);
    });
    for (const [key, row] of this.rows) if (!rows.has(key)) row.element.remove();
    this.rows = rows;
    let at = this.body.firstElementChild;
    for (const row of rows.values()) {
      if (row.element === at) at = at.nextElementSibling;
      else this.body.insertBefore(row.element, at);
    }
    if (!rows.has(this.stop)) this.stop = null;
    this.makeStop(this.stop ?? (shown.length ? this.keyOf(shown[0]) : null));
    this.marks();
    this.around(found.length, shown.length);
  }

  around(found, shown) {
    const all = [...this.items()].length;
    setText(byId("count"), found === all ? String(all) : `${found} of ${all}`);
    this.columns.forEach((column, index) => {
      const mine = column.key === this.order.key;
      setAttribute(this.heads[index], "aria-sort", mine ? (this.order.up ? "ascending" : "descending") : null);
    });
    this.element.hidden = !shown;
    byId("more").hidden = found <= shown;
    setText(byId("more").firstElementChild, `Show ${Math.min(STEP, found - shown)} more`);
    const empty = byId("empty");
    empty.hidden = shown > 0 || !this.loaded;
    if (!empty.hidden) this.dispatchEvent(new CustomEvent("empty", { detail: { all } }));
  }

  // --- the chosen one ---

  choose(key) {
    this.chosen = key;
    this.marks();
    this.dispatchEvent(new CustomEvent("choose", { detail: key }));
  }

  marks() {
    for (const [key, row] of this.rows) {
      row.element.classList.toggle("chosen", key === this.chosen);
      setAttribute(row.open, "aria-expanded", String(key === this.chosen));
      setAttribute(row.open, "aria-controls", key === this.chosen ? "details" : null);
    }
  }

  // --- keys: one row for the tab key, arrows between rows ---

  makeStop(key) {
    if (this.stop !== key) this.rows.get(this.stop)?.reach(false);
    this.stop = key;
    this.rows.get(key)?.reach(true);
  }

  focus(key) {
    const row = this.rows.get(key) ?? this.rows.get(this.stop);
    if (row) row.open.focus();
    else byId("list").focus();
  }

  /** What the arrows go to in another row. */
  twin(element, row) {
    return row.querySelector(".name");
  }

  key(event) {
    const row = event.target.closest("tr");
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const rows = [...this.body.children];
    const at = rows.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) {
      this.twin(event.target, rows[Math.max(0, Math.min(rows.length - 1, to))]).focus();
    } else if (event.key === "Delete") {
      this.dispatchEvent(new CustomEvent("delete", { detail: row.dataset.name }));
    } else return;
    event.preventDefault();
  }
}

/** A row's button opens it, and so does a click anywhere in it but on a text. */
export function opens(row, grid, key) {
  row.open.addEventListener("click", (event) => {
    event.stopPropagation();
    grid.choose(key);
  });
  row.element.addEventListener("click", (event) => {
    if (event.target.closest("input, .c-tick")) return;
    if (getSelection().isCollapsed) grid.choose(key);
  });
}

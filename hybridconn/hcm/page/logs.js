// The service's log, as it grows.

import { stream } from "./api.js";
import { copyButton, h, setText } from "./dom.js";
import { dialog } from "./dialogs.js";
import * as format from "./format.js";

const MOST = 1000;
const TONES = { warn: "warn", error: "bad", critical: "bad" };

/** @param name of a hybrid connection to begin with; empty: all. */
export function showLogs(names, name = "") {
  const which = h("select", { id: "log-which" }, h("option", { value: "" }, "Everything"), names.map((one) => h("option", { value: one, selected: one === name }, one)));
  const level = h("select", { id: "log-level" }, h("option", { value: "" }, "All lines"), h("option", { value: "warn" }, "Warnings and errors"));
  const words = h("input", { id: "log-words", type: "search", placeholder: "Filter", autocomplete: "off", spellcheck: "false" });
  const follow = h("input", { type: "checkbox", checked: true });
  const list = h("ol", { class: "log", tabindex: "0", "aria-label": "Log lines" });
  const state = h("span", { class: "muted", role: "status" });
  let lines = [];
  let reading = null;

  const wanted = (line) => (!level.value || TONES[line.level])
    && line.text.toLowerCase().includes(words.value.toLowerCase());
  const end = () => { if (follow.checked) list.scrollTop = list.scrollHeight; };
  const row = (line) => h(
    "li", { class: TONES[line.level] },
    h("time", { datetime: line.at }, format.clock(line.at)),
    TONES[line.level] && h("span", { class: "level" }, line.level),
    h("span", { class: "text" }, line.text),
  );
  function draw() {
    list.replaceChildren(...lines.filter(wanted).map(row));
    end();
  }
  function heard(kind, line) {
    if (kind !== "line") return;
    lines.push(line);
    if (lines.length > MOST) {
      lines = lines.slice(-MOST);
      draw();
    } else if (wanted(line)) {
      list.append(row(line));
      end();
    }
  }
  async function read() {
    reading?.abort();
    const mine = new AbortController();
    reading = mine;
    lines = [];
    draw();
    setText(state, "");
    const about = which.value ? `&connection=${encodeURIComponent(which.value)}` : "";
    try {
      await stream(`/v1/logs?follow=1&limit=${MOST}${about}`, mine.signal, (kind, line) => !mine.signal.aborted && heard(kind, line));
      setText(state, "The service has ended the log.");
    } catch (error) {
      if (!mine.signal.aborted) setText(state, error.message);
    }
  }

  which.addEventListener("change", read);
  level.addEventListener("change", draw);
  words.addEventListener("input", draw);
  follow.addEventListener("change", end);
  const text = () => lines.filter(wanted).map((line) => `${line.at} ${line.level} ${line.text}`).join("\n");
  const box = dialog("Logs", (close) => h(
    "div", { class: "content" },
    h(
      "div", { class: "filters" },
      h("label", { for: "log-which", class: "unseen" }, "Hybrid connection"), which,
      h("label", { for: "log-level", class: "unseen" }, "Level"), level,
      h("label", { for: "log-words", class: "unseen" }, "Filter lines"), words,
      h("label", { class: "check" }, follow, " Follow"),
    ),
    list,
    h("div", { class: "buttons end" }, state, copyButton(text, "the lines"), h("button", { type: "button", class: "primary", onclick: close }, "Close")),
  ), { wide: true });
  box.addEventListener("close", () => reading?.abort());
  read();
}

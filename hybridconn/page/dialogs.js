// Windows in the page: the browser keeps the focus in them and gives it back.

import { h } from "./dom.js";

let count = 0;

/** Open a dialog; it is gone when it is closed. `body` gets a function that closes it. */
export function dialog(title, body, { wide = false } = {}) {
  count += 1;
  const id = `dialog-${count}`;
  const box = h("dialog", { class: wide ? "wide" : null, "aria-labelledby": id });
  const close = () => box.open && box.close();
  box.append(
    h(
      "header", null,
      h("h2", { id }, title),
      h("button", { type: "button", class: "close", "aria-label": "Close", onclick: close }, "×"),
    ),
    body(close),
  );
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (event) => {
    if (event.target === box) close();
  });
  document.body.append(box);
  box.showModal();
  return box;
}

/** Ask; fulfilled with true or false. */
export function confirm(title, words, verb) {
  return new Promise((done) => {
    let answer = false;
    const box = dialog(title, (close) => {
      const cancel = h("button", { type: "button", autofocus: true, onclick: close }, "Cancel");
      const yes = h("button", { type: "button", class: "danger solid", onclick: () => { answer = true; close(); } }, verb);
      return h("div", { class: "content" }, words, h("div", { class: "buttons end" }, cancel, yes));
    });
    box.setAttribute("role", "alertdialog");
    box.addEventListener("close", () => done(answer));
  });
}

/** What a test found. */
export function report(checks) {
  return h("ul", { class: "checks" }, checks.map((check) => h(
    "li", { class: check.ok ? "good" : "bad" },
    h("span", { class: "mark", role: "img", "aria-label": check.ok ? "good" : "bad" }, check.ok ? "✓" : "✕"),
    h(
      "div", null,
      h("strong", null, `${check.subject}: ${check.name}`),
      h("p", null, check.detail),
      check.nextStep && h("p", { class: "next" }, `To do: ${check.nextStep}.`),
    ),
  )));
}

/** What words and buttons mean, and the keys. */
export function help(tones, meanings, actions, keys, command) {
  const list = (rows) => h("dl", { class: "meanings" }, rows.map(([term, text]) => [h("dt", null, term), h("dd", null, text)]));
  const badge = (word) => h("span", { class: `badge ${tones[word]}` }, h("span", { class: "dot", "aria-hidden": "true" }), word);
  dialog("Help", (close) => h(
    "div", { class: "content" },
    h("h3", null, "Status"),
    list(Object.entries(meanings).map(([word, text]) => [badge(word), text])),
    Object.keys(actions).length > 0 && [h("h3", null, "Actions"), list(Object.entries(actions).map(([word, text]) => [h("strong", null, word), text]))],
    h("h3", null, "Keys in the table"),
    list(keys.map(([key, text]) => [h("kbd", null, key), text])),
    h("p", { class: "muted" }, "The same is on the command line: ", h("code", null, command)),
    h("div", { class: "buttons end" }, h("button", { type: "button", class: "primary", onclick: close, autofocus: true }, "Close")),
  ));
}

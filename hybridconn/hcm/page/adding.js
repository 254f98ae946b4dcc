// Adding a hybrid connection by its gateway connection string.

import { Refused, call } from "./api.js";
import { h, setText } from "./dom.js";
import { dialog } from "./dialogs.js";

/** What a connection string names; the key is looked at only to see that it is there. */
export function parts(text) {
  const found = {};
  for (const pair of text.trim().replace(/^["']|["']$/g, "").split(";")) {
    const at = pair.indexOf("=");
    if (at > 0) found[pair.slice(0, at).trim().toLowerCase()] = pair.slice(at + 1).trim();
  }
  return found;
}

function words(text) {
  if (!text.trim()) return ["", ""];
  const found = parts(text);
  if (!found.endpoint) return ["That has no Endpoint= and is no connection string.", "warn"];
  const host = found.endpoint.replace(/^\w+:\/\//, "").replace(/\/.*$/, "");
  if (!found.entitypath) {
    return [`This is the string of the whole namespace ${host}. Take that of the hybrid connection, or add ;EntityPath= and its name.`, "warn"];
  }
  return [`Hybrid connection ${found.entitypath} at ${host}${found.sharedaccesskeyname ? `, rule ${found.sharedaccesskeyname}` : ""}.`, "good"];
}

/** @param added gets the new connection. */
export function askForNew(added) {
  const text = h("textarea", {
    id: "new-string", rows: 4, autocomplete: "off", autocapitalize: "off", spellcheck: "false", required: true, autofocus: true, class: "mono",
    placeholder: "Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…",
    "aria-describedby": "new-words new-error",
  });
  const target = h("input", { id: "new-target", autocomplete: "off", spellcheck: "false", class: "mono", placeholder: "db.corp:5432", "aria-describedby": "new-target-hint" });
  const name = h("input", { id: "new-name", autocomplete: "off", spellcheck: "false", maxlength: 200, "aria-describedby": "new-name-hint" });
  const replace = h("input", { id: "new-replace", type: "checkbox" });
  const replaceRow = h("label", { class: "check", hidden: true }, replace, " Take the place of the one that is here");
  const hint = h("p", { class: "hint", id: "new-words", "aria-live": "polite" });
  const error = h("p", { class: "error", id: "new-error", role: "alert" });
  const button = h("button", { type: "submit", class: "primary" }, "Add");
  text.addEventListener("input", () => {
    const [said, tone] = words(text.value);
    setText(hint, said);
    hint.className = `hint ${tone}`;
    setText(error, "");
    text.removeAttribute("aria-invalid");
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    text.form.requestSubmit();
  });
  dialog("New hybrid connection", (close) => {
    async function submit(event) {
      event.preventDefault();
      button.disabled = true;
      setText(error, "");
      const settings = {};
      if (target.value.trim()) settings.target = target.value.trim();
      if (name.value.trim()) settings.name = name.value.trim();
      try {
        const body = { connectionString: text.value.trim(), settings, replace: replace.checked };
        const made = await call("POST", "/v1/connections", body);
        text.value = "";
        close();
        added(made);
      } catch (problem) {
        setText(error, problem.message);
        text.setAttribute("aria-invalid", "true");
        if (problem instanceof Refused && problem.code === "AlreadyExists") replaceRow.hidden = false;
        text.focus();
      } finally {
        button.disabled = false;
      }
    }
    return h(
      "form", { class: "content", onsubmit: submit },
      h("label", { for: "new-string" }, "Gateway connection string"),
      text, hint,
      h("div", { class: "pair" },
        h("div", null, h("label", { for: "new-target" }, "Target ", h("span", { class: "muted" }, "optional")), target,
          h("p", { class: "hint", id: "new-target-hint" }, "host:port, or http://… Empty: as the relay's metadata says.")),
        h("div", null, h("label", { for: "new-name" }, "Name ", h("span", { class: "muted" }, "optional")), name,
          h("p", { class: "hint", id: "new-name-hint" }, "What it is called here. Empty: its entity path."))),
      replaceRow, error,
      h("div", { class: "buttons end" }, h("button", { type: "button", onclick: close }, "Cancel"), button),
    );
  });
}

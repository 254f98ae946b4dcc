// Who is signed in: the form for a link, and what is seen instead of it.

import { Refused, call, signIn, signOut } from "./api.js";
import { byId, h, setText } from "./dom.js";

const AGAIN = 2000;

/** What those see who are not in. */
function form({ machine, command }) {
  return h("form", { id: "sign-in-form", class: "card" },
    h("h2", null, "Sign in"),
    h("p", null, `On the machine of the ${machine}, as the user of the ${machine} or as root, run`),
    h("p", { class: "command" }, h("code", null, command)),
    h("p", null, "and open the link that it prints, or paste it here. A link works once, within five minutes."),
    h("label", { for: "link" }, "Link"),
    h("input", { id: "link", type: "password", autocomplete: "off", spellcheck: "false", "aria-describedby": "sign-in-error", required: true }),
    h("p", { class: "error", id: "sign-in-error", role: "alert" }),
    h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Sign in")));
}

export class Door {
  /**
   * @param main the id of what those who are in see.
   * @param path what is asked for first; its answer goes to `entered`.
   * @param of whose `machine` it is, and the `command` there that prints a link.
   * @param left called when nobody is in any more.
   */
  constructor(main, path, of, { entered, left }) {
    this.main = main;
    this.path = path;
    this.entered = entered;
    this.left = left;
    byId("sign-in").append(form(of));
    addEventListener("hashchange", () => this.fromAddress());
    byId("sign-in-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.enter(byId("link").value);
    });
    byId("sign-out").addEventListener("click", async () => {
      this.left();
      await signOut().catch(() => {});
      this.view("sign-in");
    });
  }

  get open() {
    return !byId(this.main).hidden;
  }

  /** With the link in the address, or as one who was here before. */
  start() {
    if (!this.fromAddress()) this.begin();
  }

  view(name) {
    byId("sign-in").hidden = name !== "sign-in";
    byId(this.main).hidden = name !== this.main;
    byId("sign-out").hidden = name !== this.main;
    if (name !== "sign-in") return;
    this.left();
    document.querySelectorAll("dialog[open]").forEach((box) => box.close());
    this.say("Signed out", "idle");
    byId("link").focus();
  }

  /** How the service is. */
  say(word, tone) {
    setText(byId("service-word"), word);
    byId("service").className = `service ${tone}`;
  }

  /** Show the form if that is what an error means; whether it is. */
  closedBy(error) {
    const closed = error instanceof Refused && error.status === 401;
    if (closed) this.view("sign-in");
    return closed;
  }

  async enter(link) {
    try {
      await signIn(link);
      setText(byId("sign-in-error"), "");
      byId("link").value = "";
      await this.begin();
    } catch (error) {
      this.view("sign-in");
      setText(byId("sign-in-error"), error.message);
    }
  }

  async begin() {
    let found;
    try {
      found = await call("GET", this.path);
    } catch (error) {
      if (this.closedBy(error)) return;
      this.say("Disconnected", "bad");
      setTimeout(() => this.begin(), AGAIN);
      return;
    }
    this.view(this.main);
    this.entered(found);
  }

  fromAddress() {
    if (!location.hash.startsWith("#login=")) return false;
    const link = location.hash;
    history.replaceState(null, "", "/");
    this.enter(link);
    return true;
  }
}

/** Arrows go from button to button of a bar; its buttons. */
export function arrowKeys(bar) {
  const buttons = [...bar.querySelectorAll("button")];
  bar.addEventListener("keydown", (event) => {
    const able = buttons.filter((button) => !button.disabled);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    able[(able.indexOf(document.activeElement) + step + able.length) % able.length].focus();
  });
  return buttons;
}

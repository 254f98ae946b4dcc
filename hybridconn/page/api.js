// Calls of the admin port. A cookie that no script sees goes along with each; the key
// in the header is what other pages and other ports of this machine do not have.

const HEADER = "X-Page-Key";
const PLACE = "page-key";

/** What the service said no with. */
export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The service does not answer. */
export class Unreachable extends Error {}

let held = null;

function key() {
  try {
    return localStorage.getItem(PLACE) ?? held ?? "none";
  } catch {
    return held ?? "none";
  }
}

function keep(value) {
  held = value;
  try {
    if (value === null) localStorage.removeItem(PLACE);
    else localStorage.setItem(PLACE, value);
  } catch {
    // Without a store the key lives as long as this page.
  }
}

async function ask(method, path, { body, signal, headers } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      headers: {
        [HEADER]: key(),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("The service does not answer.");
  }
  if (response.ok) return response;
  let said = {};
  try {
    said = (await response.json()).error ?? {};
  } catch {
    // A status alone has to do.
  }
  throw new Refused(response.status, said.code ?? "", said.message ?? `Status ${response.status}`);
}

/** One call; its JSON, or null. */
export async function call(method, path, body) {
  const response = await ask(method, path, { body });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** A file: its name and its bytes. */
export async function download(path) {
  const response = await ask("GET", path);
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
  return { name: name ? name[1] : "download", blob: await response.blob() };
}

/** Server-sent events, until the stream ends; EventSource could not send the header. */
export async function stream(path, signal, heard) {
  const response = await ask("GET", path, { signal, headers: { Accept: "text/event-stream" } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  heard("open", null);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      let kind = "message";
      let data = "";
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) kind = line.slice(7);
        else if (line.startsWith("data: ")) data += line.slice(6);
      }
      heard(data ? kind : "alive", data ? JSON.parse(data) : null);
    }
  }
}

/** Use a login link, or what stands behind its `#login=`. */
export async function signIn(link) {
  const code = link.trim().split("login=").pop().trim();
  const opened = await call("POST", "/v1/session", { code });
  keep(opened.key);
}

export async function signOut() {
  try {
    await call("DELETE", "/v1/session");
  } finally {
    keep(null);
  }
}

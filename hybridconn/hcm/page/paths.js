// Where the manager has what.

/** The path of a hybrid connection. */
export function pathOf(one, more = "") {
  const query = one.relay ? `?namespace=${encodeURIComponent(one.relay.replace(/:\d+$/, ""))}` : "";
  return `/v1/connections/${encodeURIComponent(one.name)}${more}${query}`;
}

// What the words mean, and the keys.

import { help } from "./dialogs.js";

const MEANINGS = {
  Listening: "At least one listener is connected, and gets new senders.",
  Draining: "All its listeners drain: what is open goes on, nothing new gets in.",
  "No listener": "Nobody is connected who could take a sender.",
  Disabled: "Whoever has a good token is told that there is no such hybrid connection.",
};
const ACTIONS = {
  Drain: "The listener gets no new sender and no new HTTP request; its tunnels go on. Until Undrain, or until it connects anew.",
  Kick: "Ends a tunnel or an HTTP request; a listener is closed, and most connect anew at once.",
};
const KEYS = [
  ["↑ ↓ Home End", "from row to row"],
  ["Enter", "details"],
  ["Esc", "close details or a dialog"],
];

export const showHelp = (tones) => help(tones, MEANINGS, ACTIONS, KEYS, "hybridconn status, drain, kick");

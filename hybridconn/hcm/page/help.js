// What the words mean, and the keys.

import { help } from "./dialogs.js";

const MEANINGS = {
  Connected: "This machine listens at the relay, and the target took the last connection.",
  Degraded: "It listens at the relay, but the target cannot be reached, or is not known.",
  Connecting: "The relay is being dialled for the first time.",
  Disconnected: "It does not listen at the relay now; the reason says why.",
  NotFound: "The relay has no such hybrid connection. It is looked for again and again.",
  Draining: "It was told to take no more senders; the tunnels that are open go on.",
  Drained: "It was told to take no more senders, and all of its tunnels are over. Resume has it come back.",
  Discontinued: "A kind of hybrid connection that is no more.",
};
const KEYS = [
  ["↑ ↓ Home End", "from row to row"],
  ["Enter", "details"],
  ["Space", "on a tick box: select the row"],
  ["Delete", "remove it, after asking"],
  ["Esc", "close details or a dialog"],
  ["← →", "from button to button in the bar of actions"],
];

export const showHelp = (tones) => help(tones, MEANINGS, {}, KEYS, "hybridconn hcm --help");

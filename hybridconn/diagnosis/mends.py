"""What to do about what was found on the way, for listeners and senders alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

#: In what a listener of ours says of a web service.
NO_WEBSOCKET: Final = "opens no WebSocket"
#: Somebody takes connections at the relay's port, and does not speak as a relay.
OTHER_PORT: Final = (
    "is that the relay's port? If it is, see the relay's log, and what stands before it"
)
#: What became of a dial to a relay, and the way out.
_WAYS: Final[Sequence[tuple[str, str]]] = (
    ("^proxy ", "mend [way_out] in {file}, or ask who runs the proxy"),
    ("^cannot dial from", "mend bind_address of [way_out] in {file}"),
    ("certificate", "name the relay's certificate authority as ca_file"),
    (
        "TLS failed",
        "see whether something else is at that port, or a proxy that opens TLS",
    ),
    (
        "name cannot be resolved",
        "mend the host in Endpoint, or this machine's DNS",
    ),
    ("refused", "is the relay running, and is that its port?"),
    ("closed without an answer", OTHER_PORT),
    (
        "in time",
        "let this machine out to the relay's host and port in the firewall",
    ),
)


def way_step(error: str, file: str) -> str:
    """
    What to do when a relay was not reached; empty if there is no advice.

    @param error: what became of the connection.
    @param file: the configuration, as people call it.
    """
    for words, step in _WAYS:
        if re.search(words, error, re.IGNORECASE):
            return step.format(file=file)
    return ""


#: A listener of many targets has another than the one that was wanted.
NOT_LISTED: Final = "is not in targets"
#: It has many, and the sender did not say which; it has one, and that is another.
NOT_TOLD: Final = "was not told which"
ONLY_ONE: Final = "This listener serves one target"


#: Its name leads to a sender, which would ask the listener again.
COMES_BACK: Final = "it would come back"
CIRCLE: Final = (
    "write the service's IP address as the listener's target, or run the listener on a"
    " machine whose names are not redirected"
)


SEE_LOG: Final = "see the listener's log at this time"


#: Where a sender says that a target is not reached from.
THERE: Final = "the listener's machine"


def target_step(error: str, machine: str = "this machine", named: bool = True) -> str:
    """
    What to do when a target was not reached.

    @param machine: what the one that it is reached from is called.
    @param named: its name was found, as far as it has one.
    """
    if "allow_targets" in error:
        return "add it to allow_targets, if it is to be reached"
    if NOT_LISTED in error:
        return "add it to targets of this hybrid connection, if it is to be reached"
    if COMES_BACK in error:
        return CIRCLE
    if NOT_TOLD in error:
        return "use endpoints in the [[redirect]], target in the [[forward]]"
    if ONLY_ONE in error:
        return "have it serve targets, or leave out target or endpoints in sender.toml"
    if "is not known" in error:
        return "see what is said of the relay"
    if "is to have mode" in error:
        return "mend mode of the sender, or of the listener"
    if "there is no port" in error:
        return "mend port_name of the sender, or add it to ports of the listener"
    if "of the listener is for" in error:
        return "mend protocol of the sender, or the listener's port"
    if "resolved" in error or (not named and "in time" in error):
        return (
            f"mend the name, or the DNS of {machine}: it must lead somewhere from there"
        )
    if "refused the connection" in error:
        return "start the target, or mend its port"
    if NO_WEBSOCKET in error:
        return "it is a web service: use a [[forward]] with http = true"
    if "No such file" in error:
        return "start the target, or mend its path"
    if "for TLS is no host name" in error:
        return "mend the name behind --tls"
    if error.startswith("The "):  # which is of the listener itself
        return SEE_LOG
    return f"look at the firewall between {machine} and the target"

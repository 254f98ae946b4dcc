"""Which hop a "no" is of, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from hybridconn.core.text import printable
from hybridconn.diagnosis.mends import (
    NO_WEBSOCKET,
    NOT_LISTED,
    NOT_TOLD,
    ONLY_ONE,
    OTHER_PORT,
    SEE_LOG,
    THERE,
    target_step,
)

TOKEN, ENTITY, LISTENERS = "token", "hybrid connection", "listeners"
LISTENER = "listener"
TARGET, TARGET_NAME, TARGET_PORT, TARGET_TLS = (
    "target",
    "target name",
    "target port",
    "target TLS",
)

#: The relay's own refusals end with these words, a listener's do not.
_RELAYS_OWN: Final = "TrackingId:"


@frozen
class Blame:
    """
    @ivar hop: where it failed.
    @ivar seen: what was said, in one line.
    @ivar mend: what to do.
    """

    hop: str
    seen: str
    mend: str


_ANEW: Final = "copy the connection string anew from the relay"
_COME: Final = (
    "the listeners are there but do not come: see whether they reach the address by"
    " which the relay has them come"
)
#: Status, words, the hop and its mend.
_RELAY: Final[Sequence[tuple[int, str, str, str]]] = (
    (401, "expired", TOKEN, f"set this machine's clock; or {_ANEW}"),
    (401, "not authorized", TOKEN, "ask the relay's operator to let this address in"),
    (401, "", TOKEN, f"the key is not, or no longer, the relay's: {_ANEW}"),
    (
        403,
        "send",
        TOKEN,
        "use the connection string of a rule with Send, such as defaultSender",
    ),
    (403, "", TOKEN, "the relay does not let this sender in: ask its operator"),
    (
        404,
        "no listeners",
        LISTENERS,
        "start a listener of this hybrid connection; if one runs, see its log",
    ),
    (
        404,
        "listeners accepted",
        LISTENERS,
        _COME,
    ),
    (
        404,
        "",
        ENTITY,
        "mend EntityPath, or make the hybrid connection at the relay",
    ),
    (0, "no answer", LISTENERS, _COME),
    (429, "", ENTITY, "wait: this address asks too often"),
    (503, "", ENTITY, "wait: the relay stops or is full"),
)
_TARGET: Final[Sequence[tuple[str, str]]] = (
    (NO_WEBSOCKET, TARGET),
    ("allow_targets", TARGET),
    (NOT_LISTED, TARGET),
    (NOT_TOLD, TARGET),
    (ONLY_ONE, TARGET),
    ("is not known", TARGET),
    ("resolved", TARGET_NAME),
    ("^target ", TARGET_PORT),
)


def blame(status: int, reason: str, tracking_id: str = "") -> Blame:
    """
    Say whose fault a refused tunnel is.

    @param status: 0: there was no answer.
    @param reason: the relay's or the listener's words.
    """
    words = printable(f"{status} {sentence(reason)}" if status else reason)
    if tracking_id:
        words += f", tracking id {printable(tracking_id, 80)}"
    if _RELAYS_OWN not in reason and status not in (0, 401):
        return _listeners(words, reason)
    for known, part, hop, mend in _RELAY:
        if known == status and re.search(part, reason, re.IGNORECASE):
            return Blame(hop, words, mend)
    return Blame(
        LISTENERS, words, "see the logs of the relay and of the listener at this time"
    )


def _listeners(words: str, reason: str) -> Blame:
    for part, hop in _TARGET:
        if re.search(part, reason, re.IGNORECASE):
            return Blame(hop, words, target_step(reason, THERE))
    mend = f"{SEE_LOG}; if it has nothing of it, {OTHER_PORT}"
    if "too many probes" in reason:
        mend = "wait a minute, and ping less often"
    return Blame(LISTENER, words, mend)


def sentence(reason: str) -> str:
    """The relay's words without what is there for its log."""
    return reason.partition(f" {_RELAYS_OWN}")[0].rstrip(".")

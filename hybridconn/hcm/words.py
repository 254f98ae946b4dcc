"""
What a person is told of a hybrid connection: one of the words that users of Azure's
connection manager know, why, and what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from hybridconn.core.connection_string import Discontinued
from hybridconn.diagnosis.mends import target_step, way_step

CONNECTED: Final = "Connected"
CONNECTING: Final = "Connecting"
DISCONNECTED: Final = "Disconnected"
NOT_FOUND: Final = "NotFound"
DEGRADED: Final = "Degraded"
DRAINING: Final = "Draining"
DRAINED: Final = "Drained"
DISCONTINUED: Final = "Discontinued"


#: Seconds that a pong may be on its way.
PONG_PATIENCE: Final = 5.0


@frozen
class Verdict:
    """
    @ivar word: one of the constants above.
    @ivar reason: why; empty if all is well.
    @ivar next_step: what to do; empty if nothing is to be done.
    """

    word: str
    reason: str = ""
    next_step: str = ""


@frozen(kw_only=True)
class Facts:
    """
    What a verdict is made of.

    @ivar registered: the control channel is open.
    @ivar dialling: it is being opened for the first time.
    @ivar unanswered: seconds that the relay owes a pong; L{None}: it owes none.
    @ivar error: why it is not registered.
    @ivar status: the relay's answer to that, 0 if there was none.
    @ivar withdrawn: it has left the relay because of its target.
    @ivar target_error: why the target was not reached; empty: it was, or nobody tried.
    @ivar drained: it was told to take no more senders.
    @ivar tunnels: how many run.
    @ivar no_target: why it is not known what the target is.
    @ivar discontinued: it is of a kind that is no more.
    """

    registered: bool = False
    dialling: bool = False
    unanswered: float | None = None
    error: str = ""
    status: int = 0
    withdrawn: bool = False
    drained: bool = False
    tunnels: int = 0
    target_error: str = ""
    no_target: str = ""
    discontinued: bool = False


_SAY = "copy its connection string anew from the relay: hybridconn hcm add --replace"

#: What the relay answered: status, words in it, the way out.
_ANSWERS: Sequence[tuple[int, str, str]] = (
    (401, "expired", "set this machine's clock; then it connects by itself"),
    (401, "", f"the key is not, or no longer, the relay's; {_SAY}"),
    (403, "quota", "25 others listen already; stop one of them"),
    (
        403,
        "listen",
        "use the connection string of a rule with Listen, such as defaultListener",
    ),
    (403, "", "the relay does not let this machine in; ask its operator"),
    (
        404,
        "",
        "make the hybrid connection at the relay, then it connects by itself; or "
        "remove it here: hybridconn hcm remove",
    ),
    (429, "", "wait: it tries again by itself, more and more seldom"),
    (503, "", "wait: the relay stops or is full; it tries again by itself"),
)
_OTHERWISE = "it tries again by itself; look closer with: hybridconn hcm test"


def judge(facts: Facts) -> Verdict:
    """Put C{facts} into words."""
    if facts.discontinued:
        return Verdict(
            DISCONTINUED, Discontinued.note, "remove it: hybridconn hcm remove"
        )
    if facts.drained:
        return _drained(facts.tunnels)
    if facts.withdrawn:
        return Verdict(
            DISCONNECTED,
            f"withdrawn while its target is down: {facts.target_error}",
            "start the target; then it connects by itself",
        )
    if not facts.registered:
        return _unregistered(facts)
    if facts.unanswered is not None and facts.unanswered >= PONG_PATIENCE:
        return Verdict(
            DISCONNECTED,
            f"the relay has not answered a ping for {facts.unanswered:.0f} s",
            "wait: it is dialled anew if no answer comes",
        )
    if facts.no_target:
        return Verdict(
            DEGRADED,
            f"it is not known what the target is: {facts.no_target}",
            "give the hybrid connection an endpoint, host:port, in its metadata; or "
            "set target here",
        )
    if facts.target_error:
        return Verdict(
            DEGRADED,
            facts.target_error,
            target_step(facts.target_error),
        )
    return Verdict(CONNECTED)


def _drained(tunnels: int) -> Verdict:
    told, resume = "told to take no more senders", "hybridconn hcm resume NAME"
    if not tunnels:
        return Verdict(DRAINED, told, f"have it take senders again: {resume}")
    still = "1 tunnel still runs" if tunnels == 1 else f"{tunnels} tunnels still run"
    return Verdict(
        DRAINING,
        f"{told}; {still}",
        f"wait until they have ended; or have it take senders again: {resume}",
    )


def _unregistered(facts: Facts) -> Verdict:
    if facts.dialling and not facts.error:
        return Verdict(CONNECTING)
    word = NOT_FOUND if facts.status == 404 else DISCONNECTED
    error = facts.error or "it was not dialled yet"
    return Verdict(word, error, relay_step(facts.status, error))


def relay_step(status: int, error: str) -> str:
    """
    What to do when the relay cannot be used.

    @param status: that it answered; 0: it did not.
    @param error: what it said, or what became of the connection.
    """
    if not status:
        return way_step(error, "listener.toml") or _OTHERWISE
    for known, words, step in _ANSWERS:
        if known == status and re.search(words, error, re.IGNORECASE):
            return step
    return _OTHERWISE

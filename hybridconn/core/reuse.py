"""
One tunnel for many connections, one after the other: what our sender and our
listener say to each other inside it.

A connection's bytes are binary messages, as in any tunnel.  Text messages are
JSON objects with one member, and stand between connections and around them:

    sender:    {"open": {"id": "..."}}   {"end": {}}
    listener:  {"opening": {}}   {"opened": {}}   {"end": {}}
               {"refused": {"status": 502, "reason": "..."}}

C{open} begins a connection; bytes may follow it at once.  C{opening} says that it
takes longer, C{refused} ends it.  C{end} is the end of one direction, TCP's FIN;
after both the tunnel is free for the next connection.  Everything else ends the
tunnel itself, as in any other.

Whether a tunnel is of this kind is agreed on by WebSocket sub-protocols.  The
first one that is offered means nothing: listeners of other makes choose the first
without knowing it, and get a plain tunnel (relay-protocol section 6.2).

A sender that wants a target of its own (L{hybridconn.core.targets}) offers the kinds
whose C{open} says which, C{{"open": {"id": "...", "target": "db.corp:1433"}}}, and no
others: a listener that does not know them never joins it to another target.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from attrs import frozen

#: A plain tunnel; offered first.
STREAM: Final = "hybridconn.stream"
#: A tunnel that begins with a connection and may carry others after it.
REUSE: Final = "hybridconn.reuse.v1"
#: A tunnel that waits for its first connection.
SPARE: Final = "hybridconn.spare.v1"

#: The same three for a sender that says which target it wants, each time.
TARGET: Final = "hybridconn.target.v1"
TARGET_REUSE: Final = "hybridconn.target.reuse.v1"
TARGET_SPARE: Final = "hybridconn.target.spare.v1"

#: No text message is longer, bytes.
MAX_MESSAGE: Final = 4096

#: RFC 9110 section 5.6.2: what a sub-protocol's name may be made of.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MAX_ID: Final = 128
#: A name has 253 characters, a port five.
_MAX_TARGET: Final = 259


@frozen
class Kind:
    """
    A kind of tunnel between our own two ends.

    @ivar name: the sub-protocol.
    @ivar carries: one connection after the other.
    @ivar waits: even for the first.
    @ivar targeted: each of them says which target it wants.
    """

    name: str
    carries: bool = True
    waits: bool = False
    targeted: bool = False


_KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind(TARGET_REUSE, targeted=True),
        Kind(TARGET_SPARE, waits=True, targeted=True),
        Kind(TARGET, carries=False, targeted=True),
        Kind(REUSE),
        Kind(SPARE, waits=True),
    )
}


def heeds_targets(subprotocol: str | None) -> bool:
    """Whether a listener that took this one joins senders to what they want."""
    kind = _KINDS.get(subprotocol or "")
    return kind is not None and kind.targeted


def first_offered(offered: str) -> str | None:
    """The sub-protocol that others choose of C{Sec-WebSocket-Protocol}: the first."""
    names = (name.strip() for name in offered.split(","))
    return next((name for name in names if _TOKEN.fullmatch(name)), None)


def choose_kind(offered: str, reuse: bool, targeted: bool) -> Kind | None:
    """
    Which kind a listener of ours takes.

    @param offered: C{Sec-WebSocket-Protocol} of the sender.
    @param reuse: it may carry one connection after the other.
    @param targeted: the listener heeds which target a sender wants.
    @return: L{None}: none, it is a tunnel as any other.
    """
    names = [name.strip() for name in offered.split(",")]
    return next(
        (
            kind
            for kind in _KINDS.values()
            if kind.name in names
            and (reuse or not kind.carries)
            and (targeted or not kind.targeted)
        ),
        None,
    )


class ReuseError(Exception):
    """A text message that is none of these."""


@frozen
class Open:
    """
    Sender to listener: a connection begins.

    @ivar id: its tracking id.
    @ivar target: what it wants; empty: what the tunnel itself is for.
    """

    id: str
    target: str = ""


@frozen
class Opening:
    """Listener to sender: the target does not answer yet."""


@frozen
class Opened:
    """Listener to sender: the target is there."""


@frozen
class Refused:
    """
    Listener to sender: no connection.

    @ivar status: as in a rejection (relay-protocol section 6.3), 400 to 999.
    @ivar reason: one line for people.
    """

    status: int
    reason: str


@frozen
class End:
    """Either side: nothing more comes on this connection from here."""


Message = Open | Opening | Opened | Refused | End

_EMPTY: Final[dict[str, type[Opening] | type[Opened] | type[End]]] = {
    "opening": Opening,
    "opened": Opened,
    "end": End,
}
#: Two of them go with every connection, and are always the same.
_ENCODED: Final[dict[type[Message], bytes]] = {
    kind: json.dumps({name: {}}).encode("ascii") for name, kind in _EMPTY.items()
}


def encode(message: Message) -> bytes:
    """The text of a message."""
    known = _ENCODED.get(type(message))
    if known is not None:
        return known
    if isinstance(message, Open):
        body: dict[str, Any] = {"open": {"id": message.id}}
        if message.target:
            body["open"]["target"] = message.target
    else:
        assert isinstance(message, Refused)
        body = {"refused": {"status": message.status, "reason": message.reason}}
    return json.dumps(body).encode("ascii")


def parse(text: bytes) -> Message:
    """
    Read a message.

    @raise ReuseError: it is none; the text of the error repeats nothing of it.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise ReuseError("a text message is not JSON") from None
    if not isinstance(body, dict) or len(body) != 1:
        raise ReuseError("a text message is not an object with one member")
    ((name, value),) = body.items()
    if not isinstance(value, dict):
        raise ReuseError("a text message has no object in it")
    if name in _EMPTY and not value:
        return _EMPTY[name]()
    if name == "open" and set(value) == {"id"}:
        return Open(_line(value["id"], _MAX_ID))
    if name == "open" and set(value) == {"id", "target"}:
        target = _line(value["target"], _MAX_TARGET)
        if target:
            return Open(_line(value["id"], _MAX_ID), target)
    if name == "refused" and set(value) == {"status", "reason"}:
        status = value["status"]
        if type(status) is int and 400 <= status <= 999:
            return Refused(status, _line(value["reason"], MAX_MESSAGE))
    raise ReuseError("a text message is none of those that are known")


def _line(value: object, longest: int) -> str:
    if (
        isinstance(value, str)
        and len(value) <= longest
        and value.isascii()
        and value.isprintable()
    ):
        return value
    raise ReuseError("a text in a message is not one line of ASCII")

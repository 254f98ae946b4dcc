"""
A look at the whole way, with no byte for the target: what our listener tells a
sender that asks.

A probe is a tunnel with the sub-protocol L{PROBE}, offered behind
L{STREAM <hybridconn.core.reuse.STREAM>} as in L{hybridconn.core.reuse}: a listener
that does not know it opens a plain tunnel, or says no, as to any other sender.  One
that does opens the tunnel first and then says in text messages, each a JSON object
with one member, what it finds:

    {"listener": {"name": "db", "version": "1.2", "id": "..."}}
    {"target":   {"target": "db.corp:5432", "seconds": 0.0001}}
    {"found":    {"addresses": ["10.1.2.3"], "seconds": 0.002}}
    {"reached":  {"address": "10.1.2.3:5432", "seconds": 0.001}}
    {"tls":      {"protocol": "TLSv1.3", "names": ["db.corp"], "issuer": "...",
                  "ends": 1900000000, "wrong": "", "untrusted": "", "seconds": 0.01}}
    {"failed":   {"step": "reached", "status": 502, "reason": "...", "seconds": 0.1}}

A step that failed is the last one.  C{found} is left out where there is no name,
C{tls} where none is wanted, C{reached} where the target is C{udp:host:port}, to which
nothing is sent.  Then the listener closes with 1000.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal
from urllib.parse import quote, unquote

import attrs
from attrs import field, frozen

from hybridconn.core.commands import Accept
from hybridconn.core.text import printable

#: The sub-protocol of a probe.
PROBE: Final = "hybridconn.probe.v1"
#: In the sender's handshake: the server name of a TLS handshake with the target.
TLS_NAME_HEADER: Final = "HybridConn-TLS-Name"

#: There too: what the sender says at the beginning of a tunnel.
PORT_HEADER: Final = "HybridConn-Port"

#: No message is longer, bytes.
MAX_MESSAGE: Final = 8192
#: How many messages a probe has at most.
MAX_MESSAGES: Final = 8
#: Of a list, so many are told.
MOST_LISTED: Final = 8

_LONGEST: Final = 253
_RAW, _TCP, _UDP = "raw", "tcp:", "udp:"

#: What may fail.
Step = Literal["target", "found", "reached", "tls"]
_STEPS: Final = frozenset({"target", "found", "reached", "tls"})


class ProbeError(Exception):
    """A text message that is none of these."""


@frozen
class ListenerIs:
    """
    Who answers.

    @ivar name: of the machine.
    @ivar id: the tracking id of its control channel, which the relay's log has.
    """

    name: str
    version: str
    id: str


@frozen
class TargetIs:
    """What senders are joined to there."""

    target: str
    seconds: float


@frozen
class Found:
    """The addresses of the target's name, as the listener's machine finds them."""

    addresses: tuple[str, ...]
    seconds: float


@frozen
class Reached:
    """The target took a connection, which is closed again."""

    address: str
    seconds: float


@frozen
class TargetTLS:
    """
    The target and the listener agreed on TLS.

    @ivar ends: when the certificate ends, seconds since 1970-01-01 UTC.
    @ivar wrong: what is wrong with the certificate whoever looks; empty: nothing.
    @ivar untrusted: why the listener's machine does not know its authority.
    """

    protocol: str
    names: tuple[str, ...]
    issuer: str
    ends: float
    wrong: str
    untrusted: str
    seconds: float


@frozen
class Failed:
    """
    Here it ends.

    @ivar status: as in a rejection (relay-protocol section 6.3), 400 to 999.
    @ivar reason: one line for people.
    """

    step: Step = field()
    status: int
    reason: str
    seconds: float

    @step.validator
    def _known(self, _: object, value: str) -> None:
        if value not in _STEPS:
            raise ValueError


Message = ListenerIs | TargetIs | Found | Reached | TargetTLS | Failed

_KINDS: Final[Mapping[str, type[Message]]] = {
    "listener": ListenerIs,
    "target": TargetIs,
    "found": Found,
    "reached": Reached,
    "tls": TargetTLS,
    "failed": Failed,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


def offers_probe(accept: Accept) -> bool:
    """Whether the sender wants to look rather than to be joined."""
    offered = accept.header("Sec-WebSocket-Protocol") or ""
    return PROBE in [name.strip() for name in offered.split(",")]


@frozen
class WantedPort:
    """
    What a sender says at the beginning of its tunnels, in its C{mode}.

    @ivar name: the port that it asks for with azbridge's preamble; L{None}: it says
        nothing.
    @ivar datagrams: for datagrams.
    """

    name: str | None = None
    datagrams: bool = False

    def __str__(self) -> str:
        """As L{PORT_HEADER} has it."""
        if self.name is None:
            return _RAW
        return f"{_UDP if self.datagrams else _TCP}{quote(self.name, safe='')}"


def wanted_port(accept: Accept) -> WantedPort | None:
    """
    @return: L{None} if the sender does not tell.
    @raise ProbeError: it tells something else.
    """
    text = accept.header(PORT_HEADER)
    if text is None:
        return None
    text = text.strip()
    if text == _RAW:
        return WantedPort()
    for start in (_TCP, _UDP):
        if text.startswith(start):
            name = unquote(text.removeprefix(start))
            return WantedPort(name, start == _UDP)
    raise ProbeError(f"{PORT_HEADER} is none of raw, tcp:NAME, udp:NAME")


def encode(message: Message) -> bytes:
    """The text of a message."""
    body = attrs.asdict(message, value_serializer=_shorten)
    return json.dumps({_NAMES[type(message)]: body}).encode("ascii")


def parse(text: bytes) -> Message:
    """
    Read a message.

    @raise ProbeError: it is none; the text of the error repeats nothing of it.
    """
    try:
        body = json.loads(text)
        ((name, value),) = body.items()
        kind = _KINDS[name]
        read = {one.name: _READ[str(one.type)] for one in attrs.fields(kind)}
        if set(value) != set(read):
            raise ValueError
        return kind(**{key: read[key](value[key]) for key in read})
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise ProbeError("a text message is none of a probe's") from None


def _shorten(_: object, __: object, value: Any) -> Any:
    if isinstance(value, str):
        return printable(value, _LONGEST)
    return value[:MOST_LISTED] if isinstance(value, tuple) else value


def _line(value: object) -> str:
    if isinstance(value, str) and len(value) <= _LONGEST and value.isprintable():
        return value
    raise ValueError


def _lines(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and len(value) <= MOST_LISTED:
        return tuple(map(_line, value))
    raise ValueError


def _number(value: object) -> float:
    if isinstance(value, int | float) and 0 <= value < 1e12:
        return float(value)
    raise ValueError


def _status(value: object) -> int:
    if type(value) is int and 400 <= value <= 999:
        return value
    raise ValueError


#: By the types of the fields.
_READ: Final[Mapping[str, Callable[[object], Any]]] = {
    "str": _line,
    "Step": _line,
    "tuple[str, ...]": _lines,
    "float": _number,
    "int": _status,
}

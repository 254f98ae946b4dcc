"""
What must be known of a DNS message to pass it on: its id, its question, and where
its times to live stand.  All else stays the bytes that it is (RFC 1035 section 4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

from attrs import frozen

HEADER = 12
#: What we take by UDP; no answer of ours is near it (RFC 6891 section 6.2.3).
UDP_BYTES = 1232
#: The longest message by TCP, and so the longest that there is.
MOST_BYTES = 65535

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
_RESPONSE, _TRUNCATED = 0x8000, 0x0200
_OPCODE, _RECURSION_DESIRED, _CHECKING_DISABLED = 0x7800, 0x0100, 0x0010
_RECURSION_AVAILABLE = 0x0080
OPT = 41
#: The DO bit among EDNS's flags (RFC 3225).
SIGNATURES = 0x8000


class PacketError(Exception):
    """These bytes are no DNS message, or one that is cut off."""


@frozen
class Question:
    """
    The one question of a message.

    @ivar name: the labels as they came, joined by dots; none of them has a dot or a
        byte that is no ASCII.
    """

    name: str
    kind: int
    cls: int


@frozen
class Edns:
    """
    What a message says of EDNS (RFC 6891 section 6.1.3).

    @ivar signatures: its DO bit: it wants DNSSEC's records.
    """

    version: int
    signatures: bool


def flags(packet: bytes) -> int:
    """The second word of the header."""
    return _word(packet, 2)


def is_query(packet: bytes) -> bool:
    """Whether it asks, and asks as usual (opcode QUERY)."""
    return not flags(packet) & (_RESPONSE | _OPCODE)


def is_response(packet: bytes) -> bool:
    """Whether it answers."""
    return bool(flags(packet) & _RESPONSE)


def is_truncated(packet: bytes) -> bool:
    """Whether it says that the whole answer is to be had by TCP."""
    return bool(flags(packet) & _TRUNCATED)


def status(packet: bytes) -> int:
    """The response code."""
    return flags(packet) & 0x000F


def questions(packet: bytes) -> int:
    """How many questions it has; more than one has no meaning (RFC 9619)."""
    return _word(packet, 4)


def answers(packet: bytes) -> int:
    """How many records answer the question."""
    return _word(packet, 6)


def with_id(packet: bytes, number: int) -> bytes:
    """The same message under another id."""
    return struct.pack("!H", number) + packet[2:]


def id_of(packet: bytes) -> int:
    """The id."""
    return _word(packet, 0)


def question(packet: bytes) -> Question | None:
    """
    The question of a message.

    @return: L{None} if there is none, or more than one, or its name has labels
        that no host name has.
    @raise PacketError: if it is cut off.
    """
    if questions(packet) != 1:
        return None
    labels: list[bytes] = []
    at = HEADER
    while True:
        length = _byte(packet, at)
        at += 1
        if length == 0:
            break
        if length > 63:
            # A pointer; there is nothing before a question to point to.
            raise PacketError("the question has a compressed name")
        labels.append(packet[at : at + length])
        at += length
        if at > HEADER + 255:
            raise PacketError("the name in the question is too long")
    kind, cls = _word(packet, at), _word(packet, at + 2)
    if not all(label.isascii() and b"." not in label for label in labels):
        return None
    name = b".".join(labels).decode("ascii")
    return Question(name, kind, cls)


def asked_bytes(packet: bytes) -> bytes:
    """
    All questions as bytes, which are the same for those that differ in case only.

    @raise PacketError: if it is cut off.
    """
    at = HEADER
    for _ in range(questions(packet)):
        at = _behind_name(packet, at) + 4
    if at > len(packet):
        raise PacketError("the message is cut off")
    return packet[HEADER:at].lower()


def failure(query: bytes, code: int = SERVFAIL) -> bytes:
    """The answer to C{query} when there is none, with a response code."""
    kept = flags(query) & (_OPCODE | _RECURSION_DESIRED | _CHECKING_DISABLED)
    words = _RESPONSE | _RECURSION_AVAILABLE | kept | code
    asked, spoken = b"", None
    with suppress(PacketError):
        # Without its question resolvers take it for another one's, and wait on.
        asked = _one_question(query)
        spoken = edns(query)
    more = b"" if spoken is None else _opt_record(spoken)
    head = struct.pack("!2sHHHHH", query[:2], words, bool(asked), 0, 0, bool(more))
    return head + asked + more


def edns(packet: bytes) -> Edns | None:
    """
    What it says of EDNS; L{None} for nothing.

    @raise PacketError: if the message is cut off or has more than it says.
    """
    places = [at for kind, at in list(_records(packet)) if kind == OPT]
    if not places:
        return None
    words = _word(packet, places[0] + 4), _word(packet, places[0] + 6)
    return Edns(words[0] & 0xFF, bool(words[1] & SIGNATURES))


def _one_question(packet: bytes) -> bytes:
    if questions(packet) != 1:
        return b""
    question(packet)  # raises if it is none that can be repeated
    return packet[HEADER : _behind_name(packet, HEADER) + 4]


def _opt_record(spoken: Edns) -> bytes:
    # Who speaks EDNS is answered by it (RFC 6891 section 6.1.1), DO bit and all.
    words = SIGNATURES if spoken.signatures else 0
    return struct.pack("!BHHIH", 0, OPT, UDP_BYTES, words, 0)


def lifetimes(packet: bytes) -> list[tuple[int, int]]:
    """
    Where the times to live stand, and what they are.

    @raise PacketError: if the message is cut off or has more than it says.
    """
    return list(_lifetimes(packet))


def with_lifetimes(packet: bytes, aged: float) -> bytes:
    """
    The same message with each time to live shorter, but not below nothing.

    @param aged: seconds; infinite for none left.
    """
    made = bytearray(packet)
    for at, seconds in _lifetimes(packet):
        left = int(max(0, seconds - aged)) if aged != float("inf") else 0
        struct.pack_into("!I", made, at, left)
    return bytes(made)


def _lifetimes(packet: bytes) -> Iterator[tuple[int, int]]:
    for kind, at in _records(packet):
        # In an OPT record other things stand in that place.
        if kind != OPT:
            yield at + 4, _word(packet, at + 4) << 16 | _word(packet, at + 6)


def _records(packet: bytes) -> Iterator[tuple[int, int]]:
    """The kind of each record, and where what follows its name begins."""
    at = HEADER
    for _ in range(_word(packet, 4)):
        at = _behind_name(packet, at) + 4
    for _ in range(_word(packet, 6) + _word(packet, 8) + _word(packet, 10)):
        at = _behind_name(packet, at)
        yield _word(packet, at), at
        at += 10 + _word(packet, at + 8)
    if at != len(packet):
        raise PacketError("the message is longer or shorter than it says")


def _behind_name(packet: bytes, at: int) -> int:
    while True:
        length = _byte(packet, at)
        if length >= 0xC0:
            return at + 2
        if length > 63:
            raise PacketError("a name has a label of an unknown kind")
        at += 1 + length
        if length == 0:
            return at


def _byte(packet: bytes, at: int) -> int:
    if at >= len(packet):
        raise PacketError("the message is cut off")
    return packet[at]


def _word(packet: bytes, at: int) -> int:
    if at + 2 > len(packet):
        raise PacketError("the message is cut off")
    return packet[at] << 8 | packet[at + 1]

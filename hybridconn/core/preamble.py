"""
azbridge's words at the beginning of a tunnel, and how it sends datagrams
(relay-protocol section 10.1, product-behaviour section 7.3).

The sender says which port of the listener it wants, by a name, and whether for a stream
or for datagrams; the listener answers with three bytes, and what follows is the
connection itself.

    >>> preamble = Preamble("sql", DATAGRAM)
    >>> preamble.messages()
    (b'\\x01\\x00\\x01\\x03', b'sql')
    >>> parse_preamble(b"\\x01\\x00\\x01\\x03sql and more")
    (Preamble(name='sql', mode=1), 7)
    >>> parse_answer(accepted(DATAGRAM) + b"bytes", DATAGRAM)
    3
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

STREAM: Final = 0
DATAGRAM: Final = 1

#: The version, in two bytes, and the mode follow; then the length of the name.
_VERSION: Final = b"\x01\x00"
_HEAD: Final = 4
_ANSWER: Final = 3

#: What a listener answers that does not take the connection.
UNSUPPORTED: Final = b"\x00\x00\x00"
IS_DATAGRAM: Final = b"\x00\x00\x01"
IS_STREAM: Final = b"\x00\x00\xff"

_REFUSALS: Final = {
    UNSUPPORTED: "the listener does not know this version or mode of the preamble",
    IS_DATAGRAM: 'the listener\'s port is for UDP; use protocol = "udp"',
    IS_STREAM: 'the listener\'s port is for TCP; use protocol = "tcp"',
}

#: The longest name, and the longest datagram, bytes.
MAX_NAME: Final = 255
MAX_DATAGRAM: Final = 65535
#: The longest datagram that IPv4 can carry, bytes.
MAX_UDP: Final = 65507


class BadPreamble(ValueError):
    """
    What came is no preamble.

    @ivar answer: what is answered to it.
    """

    def __init__(self, words: str, answer: bytes = UNSUPPORTED) -> None:
        super().__init__(words)
        self.answer = answer


class BadAnswer(ValueError):
    """The listener said no, or something else altogether; the text says which."""


@frozen
class Preamble:
    """
    What a sender wants.

    @ivar name: of a port of the listener's; a port number as a rule.
    @ivar mode: L{STREAM} or L{DATAGRAM}.
    """

    name: str
    mode: int = STREAM

    def messages(self) -> tuple[bytes, bytes]:
        """The two messages that say it."""
        name = self.name.encode("utf-8")
        return _VERSION + bytes((self.mode, len(name))), name


def check_port_name(name: str) -> None:
    """
    @raise ValueError: C{name} does not fit into a preamble; with a sentence why.
    """
    if not name or len(name.encode("utf-8", "replace")) > MAX_NAME:
        raise ValueError(f"a port's name has 1 to {MAX_NAME} bytes")
    if not name.isprintable():
        raise ValueError("a port's name has printable characters only")


def parse_preamble(data: bytes) -> tuple[Preamble, int] | None:
    """
    Read what a sender wants.

    @return: that and its length in bytes; L{None}: there is more to come.
    @raise BadPreamble: it is none.
    """
    known = min(len(data), len(_VERSION))
    if data[:known] != _VERSION[:known]:
        raise BadPreamble("the sender does not begin with azbridge's preamble")
    if len(data) > 2 and data[2] not in (STREAM, DATAGRAM):
        raise BadPreamble(f"the sender asks for mode {data[2]}, which is not known")
    if len(data) < _HEAD or len(data) < _HEAD + data[3]:
        return None
    end = _HEAD + data[3]
    try:
        name = data[_HEAD:end].decode("utf-8")
        check_port_name(name)
    except ValueError:
        raise BadPreamble("the sender's port name is none") from None
    return Preamble(name, data[2]), end


def looks_like_preamble(data: bytes) -> bool:
    """Whether the first message of a sender is the first one of a preamble."""
    return (
        len(data) >= _HEAD
        and data[:2] == _VERSION
        and data[2] in (STREAM, DATAGRAM)
        and data[3] > 0
        and len(data) in (_HEAD, _HEAD + data[3])
    )


def accepted(mode: int) -> bytes:
    """The answer to a preamble that is taken."""
    return _VERSION + bytes((mode,))


def parse_answer(data: bytes, mode: int) -> int | None:
    """
    Read the listener's answer to a preamble.

    @param mode: what was asked for.
    @return: its length in bytes if it is yes; L{None}: there is more to come.
    @raise BadAnswer: it is not.
    """
    possible = (accepted(mode), *_REFUSALS)
    answer = data[:_ANSWER]
    if not any(one.startswith(answer) for one in possible):
        raise BadAnswer("the listener's answer is not azbridge's")
    if len(answer) < _ANSWER:
        return None
    if answer in _REFUSALS:
        raise BadAnswer(_REFUSALS[answer])
    return _ANSWER


def pack_datagram(data: bytes) -> bytes:
    """
    One datagram as it goes through a tunnel: its length in two bytes, and itself.

    @param data: of at most L{MAX_DATAGRAM} bytes.
    """
    return len(data).to_bytes(2, "big") + data


class DatagramReader:
    """Takes a tunnel's bytes apart into datagrams, however they were cut."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The datagrams that are complete with C{data}."""
        buffer = self._buffer + data
        found: list[bytes] = []
        at = 0
        while len(buffer) - at >= 2:
            end = at + 2 + int.from_bytes(buffer[at : at + 2], "big")
            if len(buffer) < end:
                break
            found.append(buffer[at + 2 : end])
            at = end
        self._buffer = buffer[at:]
        return found

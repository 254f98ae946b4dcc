"""
What apps and proxies say to each other before the bytes of an app: as states that
take bytes and give back bytes.
"""

from __future__ import annotations

import ipaddress
from typing import Protocol

from twisted.python.failure import Failure

from hybridconn.config.addresses import HostPort, parse_host_port
from hybridconn.core.text import printable
from hybridconn.sender.errors import HybridConnectionRefused, HybridConnectionTimeout

#: The longest head of a CONNECT request.
_MOST_BYTES = 16384

Step = tuple[bytes, HostPort | None, bytes]


class TurnedAway(Exception):
    """
    The app speaks something else, or wants what there is not.

    @ivar reply: what it is told before it is cut off.
    @ivar why: for the log.
    """

    def __init__(self, reply: bytes, why: str) -> None:
        super().__init__(why)
        self.reply = reply
        self.why = why


class Handshake(Protocol):
    """One app's way to say where it wants to go."""

    def receive(self, data: bytes) -> Step:
        """
        Take what came.

        @return: the reply, perhaps empty; where the app wants to go, L{None} as long
            as it has not said so; what came behind that.
        @raise TurnedAway: it will never say so.
        """

    def not_allowed(self) -> bytes:
        """The answer when nothing leads there."""

    def no_tunnel(self, failure: Failure) -> bytes:
        """The answer when there is no tunnel."""

    def welcome(self) -> bytes:
        """The answer when there is one."""


class SocksHandshake:
    """SOCKS5 without passwords, CONNECT only (RFC 1928)."""

    _VERSION = 5
    _NO_PASSWORD, _NOTHING_FITS = 0, 255
    _CONNECT = 1
    _IPV4, _NAME, _IPV6 = 1, 3, 4
    _DONE, _FAILED, _FORBIDDEN = 0, 1, 2
    _UNREACHABLE, _REFUSED, _NO_COMMAND, _NO_ADDRESS = 4, 5, 7, 8

    def __init__(self) -> None:
        self._data = b""
        self._greeted = False

    def receive(self, data: bytes) -> Step:
        """See L{Handshake.receive}."""
        self._data += data
        reply = b""
        if self._data[:1] and self._data[0] != self._VERSION:
            raise TurnedAway(b"", f"it speaks SOCKS {self._data[0]}, not 5")
        if not self._greeted:
            if len(self._data) < 2 or len(self._data) < 2 + self._data[1]:
                return b"", None, b""
            methods = self._data[2 : 2 + self._data[1]]
            if self._NO_PASSWORD not in methods:
                raise TurnedAway(
                    bytes([self._VERSION, self._NOTHING_FITS]), "it wants a password"
                )
            self._data = self._data[2 + len(methods) :]
            self._greeted = True
            reply = bytes([self._VERSION, self._NO_PASSWORD])
        wanted, rest = self._request()
        return reply, wanted, rest

    def _request(self) -> tuple[HostPort | None, bytes]:
        data = self._data
        if len(data) < 5:
            return None, b""
        version, command, _, kind, first = data[:5]
        if version != self._VERSION:
            raise TurnedAway(b"", "its request has another version than its greeting")
        if command != self._CONNECT:
            raise TurnedAway(self._say(self._NO_COMMAND), "it wants no TCP connection")
        sizes = {self._IPV4: 4, self._IPV6: 16, self._NAME: 1 + first}
        if kind not in sizes:
            raise TurnedAway(self._say(self._NO_ADDRESS), "its address is of no kind")
        end = 4 + sizes[kind]
        if len(data) < end + 2:
            return None, b""
        if kind == self._NAME:
            host = data[5:end].decode("ascii", "replace")
        else:
            host = str(ipaddress.ip_address(data[4:end]))
        port = int.from_bytes(data[end : end + 2], "big")
        return HostPort(host, port), data[end + 2 :]

    def not_allowed(self) -> bytes:
        """See L{Handshake.not_allowed}."""
        return self._say(self._FORBIDDEN)

    def no_tunnel(self, failure: Failure) -> bytes:
        """See L{Handshake.no_tunnel}."""
        if failure.check(HybridConnectionTimeout):
            return self._say(self._UNREACHABLE)
        refused = failure.check(HybridConnectionRefused)
        return self._say(self._REFUSED if refused else self._FAILED)

    def welcome(self) -> bytes:
        """See L{Handshake.welcome}."""
        return self._say(self._DONE)

    def _say(self, code: int) -> bytes:
        # The address is that of the far end, which is nobody's business.
        return bytes([self._VERSION, code, 0, self._IPV4]) + bytes(6)


class ConnectHandshake:
    """CONNECT of HTTP/1 (RFC 9110 section 9.3.6)."""

    def __init__(self) -> None:
        self._data = b""

    def receive(self, data: bytes) -> Step:
        """See L{Handshake.receive}."""
        self._data += data
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            if len(self._data) > _MOST_BYTES:
                raise TurnedAway(_http(431, "the head is too long"), "its head is long")
            return b"", None, b""
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise TurnedAway(_http(400, "this is no HTTP request"), "it speaks no HTTP")
        if words[0] != "CONNECT":
            why = f"it asks for {printable(words[0][:20])}, not for CONNECT"
            raise TurnedAway(_http(405, "only CONNECT works here"), why)
        try:
            wanted = parse_host_port(words[1])
        except ValueError as error:
            raise TurnedAway(
                _http(400, str(error)), "it names no host and port"
            ) from None
        return b"", wanted, rest

    def not_allowed(self) -> bytes:
        """See L{Handshake.not_allowed}."""
        return _http(403, "this proxy leads to redirected names only")

    def no_tunnel(self, failure: Failure) -> bytes:
        """See L{Handshake.no_tunnel}."""
        late = failure.check(HybridConnectionTimeout)
        return _http(504 if late else 502, failure.getErrorMessage())

    def welcome(self) -> bytes:
        """See L{Handshake.welcome}."""
        return b"HTTP/1.1 200 Connection established\r\n\r\n"


_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    504: "Gateway Timeout",
}


def _http(status: int, text: str) -> bytes:
    body = f"{printable(text)}\n".encode()
    allow = "Allow: CONNECT\r\n" if status == 405 else ""
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n{allow}"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body

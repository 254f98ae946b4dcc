"""SOCKS5 (RFC 1928) with user and password (RFC 1929), without I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final

from hybridconn.core.http import join_authority
from hybridconn.wayout.authentication import reveal
from hybridconn.wayout.errors import Refused
from hybridconn.wayout.proxy import Proxy

_NONE, _PASSWORD, _NO_METHOD = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_MOST: Final = 255

_REPLIES: Final = {
    1: "it failed",
    2: "its rules forbid this host or port",
    3: "the network cannot be reached from there",
    4: "the host cannot be reached from there",
    5: "the connection was refused there",
    6: "it got no answer from there",
    7: "it makes no connections",
    8: "it does not know this kind of address",
}


class Socks5Handshake:
    """
    Asks a proxy for a connection.  A host that is a name goes to the proxy as it is:
    the name is resolved there.

    @ivar done: the proxy opened it.
    @ivar rest: what came behind its answer.
    @raise Refused: the proxy cannot be asked for this.
    """

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self._proxy = proxy
        self._host, self._port = host.strip("[]"), port
        self._login = self._make_login()
        self._request = b"\x05\x01\x00" + _address(self._host) + port.to_bytes(2, "big")
        self._read: Callable[[], bytes | None] = self._method
        self.done = False
        self.rest = b""

    def begin(self) -> bytes:
        """What to say first."""
        if self._login:
            return bytes((5, 2, _NONE, _PASSWORD))
        return bytes((5, 1, _NONE))

    def receive(self, data: bytes) -> bytes:
        """
        Take what the proxy said; empty: it said nothing and closed.

        @return: what to say next.
        @raise Refused: there will be no connection.
        """
        if not data:
            raise Refused("closed the connection without an answer")
        self.rest += data
        said = b""
        while not self.done:
            answer = self._read()
            if answer is None:
                break
            said += answer
        return said

    # Each step takes its part off C{rest}, and gives what is to be said then; or
    # nothing, if not all of it is there.

    def _method(self) -> bytes | None:
        taken = self._take(2)
        if taken is None:
            return None
        version, method = taken
        _check_version(version, 5)
        if method == _PASSWORD and self._login:
            self._read = self._status
            return self._login
        if method == _NONE:
            self._read = self._reply
            return self._request
        if method == _NO_METHOD and not self._login:
            raise Refused(f"asks for a password; set {self._proxy.mend}")
        raise Refused("asks for a kind of log-in that is not known here")

    def _status(self) -> bytes | None:
        taken = self._take(2)
        if taken is None:
            return None
        version, status = taken
        _check_version(version, 1)
        if status:
            raise Refused(
                f"does not accept the user or password; mend {self._proxy.mend}"
            )
        self._read = self._reply
        return self._request

    def _reply(self) -> bytes | None:
        # A proxy that refuses need not send the whole of it.
        if len(self.rest) >= 2:
            _check_version(self.rest[0], 5)
            code = self.rest[1]
            if code:
                place = join_authority(self._host, self._port)
                why = _REPLIES.get(code, "its reason is not known")
                raise Refused(f"refused {place}: {code} ({why})")
        if len(self.rest) < 5:
            return None
        kind = self.rest[3]
        if kind not in (_IPV4, _NAME, _IPV6) or self.rest[2]:
            raise Refused("answered something that is no SOCKS5")
        length = {_IPV4: 4, _IPV6: 16}.get(kind, 1 + self.rest[4])
        if self._take(4 + length + 2) is None:
            return None
        self.done = True
        return b""

    def _take(self, count: int) -> bytes | None:
        if len(self.rest) < count:
            return None
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def _make_login(self) -> bytes:
        if self._proxy.credentials is None:
            return b""
        user = self._proxy.credentials.user.encode()
        password = reveal(self._proxy).encode()
        if not 1 <= len(user) <= _MOST or not 1 <= len(password) <= _MOST:
            raise Refused(
                "cannot be told this user and password: 1 to 255 bytes each; mend "
                f"{self._proxy.mend}"
            )
        return bytes((1, len(user))) + user + bytes((len(password),)) + password


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna") if not host.isascii() else host.encode()
        if not 1 <= len(name) <= _MOST:
            raise Refused("cannot be asked for a name of this length") from None
        return bytes((_NAME, len(name))) + name
    return bytes((_IPV4 if address.version == 4 else _IPV6,)) + address.packed


def _check_version(found: int, expected: int) -> None:
    if found != expected:
        raise Refused(
            "answered something that is no SOCKS5; is it another kind of proxy?"
        )

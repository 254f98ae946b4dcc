"""What is said to a proxy, of whichever kind."""

from __future__ import annotations

from typing import Protocol

from hybridconn.wayout.connect import ConnectHandshake
from hybridconn.wayout.proxy import Proxy
from hybridconn.wayout.socks5 import Socks5Handshake


class IHandshake(Protocol):
    """What is said to a proxy before the connection is ours."""

    done: bool
    rest: bytes

    def begin(self) -> bytes:
        """What to say first."""

    def receive(self, data: bytes) -> bytes:
        """
        Take what the proxy said; empty: it closed.

        @raise Refused: there will be no connection.
        """


def start_handshake(proxy: Proxy, host: str, port: int) -> IHandshake:
    """
    @raise Refused: C{proxy} cannot be asked for that.
    """
    kind = Socks5Handshake if proxy.scheme == "socks5" else ConnectHandshake
    return kind(proxy, host, port)

"""Tests of L{hybridconn.socket_options}."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import ITCPTransport, IUNIXTransport
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from hybridconn.socket_options import tune


@implementer(ITCPTransport)
class TCP(StringTransport):
    """A transport on a socket that is not connected."""

    def __init__(self, handle: socket.socket) -> None:
        super().__init__()
        self.handle = handle

    def getHandle(self) -> socket.socket:
        return self.handle

    def loseWriteConnection(self) -> None: ...

    def getTcpNoDelay(self) -> bool:
        return bool(self.handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def getTcpKeepAlive(self) -> bool:
        return bool(self.handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)


class TuneTests(SynchronousTestCase):
    """Options of a socket."""

    def setUp(self) -> None:
        self.socket = socket.socket()
        self.addCleanup(self.socket.close)
        self.transport: Any = TCP(self.socket)

    def tcp(self, option: int) -> int:
        return self.socket.getsockopt(socket.IPPROTO_TCP, option)

    def check(self, user_timeout: int) -> None:
        self.assertTrue(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        self.assertTrue(self.tcp(socket.TCP_NODELAY))
        self.assertEqual(self.tcp(socket.TCP_KEEPIDLE), 60)
        self.assertEqual(self.tcp(socket.TCP_KEEPINTVL), 10)
        self.assertEqual(self.tcp(socket.TCP_KEEPCNT), 3)
        self.assertEqual(self.tcp(socket.TCP_USER_TIMEOUT), user_timeout)

    def test_tunnel(self) -> None:
        """A leg of a tunnel bears a reader that stands still for ever."""
        tune(self.transport, control=False)
        self.check(0)

    def test_control_channel(self) -> None:
        """A control channel notices data that nobody acknowledges."""
        tune(self.transport, control=True)
        self.check(30_000)

    def test_through_tls(self) -> None:
        """What lies around the TCP transport does not matter."""
        wrapper = ProtocolWrapper(WrappingFactory(None), Protocol())
        wrapper.makeConnection(self.transport)
        tune(wrapper, control=True)
        self.check(30_000)

    def test_no_tcp(self) -> None:
        """Other transports are left alone."""
        tune(StringTransport(), control=True)
        tune(object(), control=True)


class UnixTests(SynchronousTestCase):
    """A UNIX socket."""

    def test_harmless(self) -> None:
        """Though Twisted's transport for one says that it is TCP, nothing is set."""
        one, other = socket.socketpair()
        self.addCleanup(one.close)
        self.addCleanup(other.close)

        @implementer(IUNIXTransport)
        class Unix(TCP):
            def sendFileDescriptor(self, fileno: int) -> None: ...

        tune(Unix(one), control=False)

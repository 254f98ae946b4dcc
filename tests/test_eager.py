"""Tests of L{hybridconn.eager}, over real sockets without a reactor."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.eager import unsent, write_now


class WriteNowTests(SynchronousTestCase):
    """What the kernel takes is on its way; the rest waits its turn."""

    def setUp(self) -> None:
        self.near, self.far = socket.socketpair()
        self.addCleanup(self.near.close)
        self.addCleanup(self.far.close)
        self.near.setblocking(False)
        self.far.setblocking(False)
        self.reactor: Any = MemoryReactor()
        self.transport = Connection(self.near, Protocol(), self.reactor)
        self.transport.connected = 1

    def read(self) -> bytes:
        try:
            return self.far.recv(1 << 24)
        except BlockingIOError:
            return b""

    def test_at_once(self) -> None:
        """No reactor is needed for what the kernel takes."""
        write_now(self.transport, b"now")
        self.assertEqual(self.read(), b"now")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_memory(self) -> None:
        """The buffer may be used again at once, taken or not."""
        buffer = bytearray(b"x" * 3_000_000)
        write_now(self.transport, memoryview(buffer))
        buffer[:] = b"y" * len(buffer)
        received = b""
        while self.transport in self.reactor.getWriters():
            received += self.read()
            self.transport.doWrite()
        received += self.read()
        self.assertTrue(received == b"x" * 3_000_000)

    def test_order(self) -> None:
        """Nothing overtakes what waits."""
        self.transport.write(b"first")
        write_now(self.transport, b"second")
        self.assertEqual(self.read(), b"")
        self.transport.doWrite()
        self.assertEqual(self.read(), b"firstsecond")

    def test_broken(self) -> None:
        """A connection that is gone is found out by the reactor, as ever."""
        self.far.close()
        write_now(self.transport, b"x")
        self.assertEqual(self.reactor.getWriters(), [self.transport])

    def test_after_the_end(self) -> None:
        """Nothing is written behind our FIN, or when there is no connection."""
        self.transport._writeDisconnected = True
        write_now(self.transport, b"x")
        self.transport._writeDisconnected = False
        self.transport.connected = 0
        write_now(self.transport, b"x")
        self.assertEqual(self.read(), b"")

    def test_other_transports(self) -> None:
        """Any other transport gets a plain write."""
        transport = StringTransport()
        write_now(transport, memoryview(b"x"))
        self.assertEqual(transport.value(), b"x")

    def test_unsent(self) -> None:
        """What the kernel has not taken is counted, byte for byte."""
        self.assertEqual(unsent(self.transport), 0)
        size = 3_000_000
        self.transport.write(b"x" * size)
        self.assertEqual(unsent(self.transport), size)
        self.transport.doWrite()
        received = len(self.read())
        self.assertEqual(received + unsent(self.transport), size)
        self.assertEqual(unsent(StringTransport()), 0)

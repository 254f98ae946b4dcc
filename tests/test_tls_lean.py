"""Tests of the lean TLS wrapper, and the guard for the names it borrows."""

from __future__ import annotations

import random
from pathlib import Path
from typing import ClassVar

from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.protocols.tls import BufferingTLSTransport
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.tls import CertificateStore, LeanTLS, TLSPath, tls_factory
from hybridconn.tls import _lean as lean
from tests.web.tls_wire import Authority, End, Pair, Stranger

NAME = "relay.example"


class WrapperCase(SynchronousTestCase):
    """A server with the wrapper that is tested, and a client with Twisted's."""

    path: ClassVar[TLSPath] = "lean"
    version = 0

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        store = CertificateStore([Authority(folder).issue(NAME)])
        clock = Clock()
        self.pair = Pair(
            tls_factory(store, Factory.forProtocol(End), clock, self.path),
            Stranger(NAME.encode(), self.version),
            clock,
        )
        self.server, self.client = self.pair.server, self.pair.client
        self.random = random.Random(5)

    def blob(self, size: int) -> bytes:
        return self.random.randbytes(size)


class DataTests(WrapperCase):
    """What Twisted's wrapper does, this one does."""

    def test_both_ways(self) -> None:
        """Bytes of any length and number arrive, in order."""
        for sizes in ([0, 1, 16384, 16385, 100_000], [1] * 300, [3_000_000, 7]):
            blobs = [self.blob(size) for size in sizes]
            for near, far in (
                (self.server, self.client),
                (self.client, self.server),
            ):
                far.received = b""
                for blob in blobs:
                    near.transport.write(blob)
                near.transport.writeSequence([b"a", b"b"])
                self.pair.flush()
                self.assertTrue(far.received == b"".join(blobs) + b"ab")

    def test_cut_anywhere(self) -> None:
        """A TLS record may come in any pieces."""
        sent = self.blob(70_000)
        self.client.transport.write(sent)
        self.pair.clock.advance(0)
        wire = self.pair.client_wire
        raw = b"".join(wire.stream) if isinstance(wire.stream, list) else wire.stream
        wire.stream = type(wire.stream)()
        start = 0
        while start < len(raw):
            size = self.random.choice((1, 4, 5, 100, 20_000))
            self.pair.server_wire.bufferReceived(raw[start : start + size])
            start += size
        self.assertTrue(self.server.received == sent)

    def test_one_delivery(self) -> None:
        """All records of one read come as one piece, and one write leaves as one."""
        if self.path != "lean":
            return
        pieces: list[int] = []
        self.patch(self.server, "dataReceived", lambda data: pieces.append(len(data)))
        self.client.transport.write(b"x" * 60_000)
        self.pair.flush()
        self.assertEqual(pieces, [60_000])

    def test_close(self) -> None:
        """An orderly end from either side is one."""
        self.server.transport.write(b"last")
        self.server.transport.loseConnection()
        self.server.transport.write(b"void")
        self.pair.flush()
        self.assertEqual(self.client.received, b"last")
        self.assertIsNotNone(self.client.lost)
        self.assertIsNotNone(self.server.lost)

    def test_close_behind_data(self) -> None:
        """What came in front of the end is delivered first."""
        self.client.transport.write(b"x" * 40_000)
        self.client.transport.loseConnection()
        self.pair.flush()
        self.assertEqual(self.server.received, b"x" * 40_000)
        self.assertIsNotNone(self.server.lost)

    def test_broken_record(self) -> None:
        """Bytes that are no TLS end the connection, with what came before."""
        self.client.transport.write(b"good")
        self.pair.flush()
        self.pair.server_wire.bufferReceived(b"\x17\x03\x03\x00\x20" + b"!" * 32)
        self.pair.flush()
        self.assertEqual(self.server.received, b"good")
        self.assertTrue(self.server.lost.check(SSL.Error, ConnectionLost))

    def test_abort(self) -> None:
        """After an abort nothing is delivered."""
        self.server.transport.abortConnection()
        self.client.transport.write(b"void")
        self.pair.flush()
        self.assertEqual(self.server.received, b"")
        self.assertIsNotNone(self.server.lost)

    def test_abort_within(self) -> None:
        """Nor is what is left of a read in which it was aborted."""
        seen: list[bytes] = []

        def abort(data: bytes) -> None:
            seen.append(data)
            self.server.transport.abortConnection()

        self.patch(self.server, "dataReceived", abort)
        self.client.transport.write(b"x" * 1_000_000)
        self.pair.flush()
        self.assertEqual(len(seen), 1)


class TLS12DataTests(DataTests):
    """The same with TLS 1.2."""

    version = SSL.TLS1_2_VERSION


class TwistedDataTests(DataTests):
    """The same with Twisted's wrapper: the tests ask for nothing special."""

    path = "twisted"


class MemoryTests(WrapperCase):
    """Buffers are given back."""

    @property
    def tls(self) -> LeanTLS:
        found = self.server.transport
        assert isinstance(found, LeanTLS)
        return found

    def test_released(self) -> None:
        """A connection that was idle from one look to the next frees its buffers."""
        self.assertFalse(self.tls.release_if_idle())  # the handshake was just now
        self.assertTrue(self.tls.release_if_idle())
        self.assertFalse(self.tls.release_if_idle())  # nothing is left to free
        for size in (10, 300_000):
            blob = self.blob(size)
            self.client.transport.write(blob)
            self.server.transport.write(blob)
            self.pair.flush()
            self.assertTrue(self.server.received == self.client.received == blob)
            self.server.received = self.client.received = b""
            self.assertFalse(self.tls.release_if_idle())
            self.assertTrue(self.tls.release_if_idle())

    def test_half_a_record(self) -> None:
        """What is here of a record is not lost with the buffer."""
        self.client.transport.write(b"x" * 1000)
        self.pair.clock.advance(0)
        wire = self.pair.client_wire
        raw = b"".join(wire.stream) if isinstance(wire.stream, list) else wire.stream
        wire.stream = type(wire.stream)()
        self.pair.server_wire.bufferReceived(raw[:600])
        self.tls.release_if_idle()
        self.assertTrue(self.tls.release_if_idle())
        self.pair.server_wire.bufferReceived(raw[600:])
        self.assertEqual(self.server.received, b"x" * 1000)

    def test_before_and_after(self) -> None:
        """Before the handshake and after the end there is nothing to do."""
        tls = self.tls
        self.patch(tls, "_handshakeDone", False)
        self.assertFalse(tls.release_if_idle() or tls.release_if_idle())
        self.server.transport.loseConnection()
        self.pair.flush()
        self.assertFalse(tls.release_if_idle() or tls.release_if_idle())


class GuardTests(SynchronousTestCase):
    """The names of Twisted and pyOpenSSL that it uses."""

    def test_all_there(self) -> None:
        """With the libraries that are installed it fits."""
        self.assertIsNone(lean.PROBLEM)
        self.assertIs(lean.tls_protocol("lean"), LeanTLS)
        self.assertIs(lean.tls_protocol("twisted"), BufferingTLSTransport)

    def test_not_there(self) -> None:
        """Otherwise the log says so, and Twisted's own wrapper is used."""
        self.patch(lean, "PROBLEM", "pyOpenSSL's SSL_read")
        observer = EventLoggingObserver()
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.assertIs(lean.tls_protocol("lean"), BufferingTLSTransport)
        (event,) = observer
        self.assertEqual(event["problem"], "pyOpenSSL's SSL_read")

"""Tests of L{hybridconn.tls.TLSLook}: everything that is wrong, by one handshake."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.test.iosim import FakeTransport, connect

from hybridconn.tls import CertificateFiles, CertificateStore, ClientTrust, TLSLook
from tests.test_tls import NAME, TLSCase
from tests.web.tls_wire import End, serve


class LookTests(TLSCase):
    """One look at a server."""

    def look(
        self, files: CertificateFiles, host: str = NAME, trusted: bool = True
    ) -> Any:
        clock = Clock()
        return self.look_at(
            serve(CertificateStore([files]), clock), host, trusted, clock
        )

    def look_at(self, server: Any, host: str, trusted: bool, clock: Clock) -> Any:
        trust = ClientTrust((self.authority.file,) if trusted else (), protocols=())
        look = TLSLook(trust, host, clock)
        found = look.found
        peer = IPv4Address("TCP", "192.0.2.7", 40000)
        near: Any = look.factory.buildProtocol(peer)
        far: Any = server.buildProtocol(peer)
        self.server = getattr(far, "wrappedProtocol", None)
        pump = connect(
            far,
            FakeTransport(far, isServer=True, peerAddress=peer),
            near,
            FakeTransport(near, isServer=False),
            clock=clock,
        )
        for _ in range(8):
            clock.advance(0)
            pump.flush()
        return found

    def test_well(self) -> None:
        """A good certificate: protocol, names, who signed it, and when it ends."""
        found = self.successResultOf(self.look(self.authority.issue(NAME)))
        self.assertEqual((found.protocol, found.names), ("TLSv1.3", (NAME,)))
        self.assertIn("trustme", found.issuer)
        self.assertGreater(found.ends, 2e9)
        self.assertEqual((found.wrong, found.untrusted), ("", ""))

    def test_nothing_sent(self) -> None:
        """The server gets no byte, and an orderly end."""
        self.successResultOf(self.look(self.authority.issue(NAME)))
        assert self.server is not None
        self.assertEqual(self.server.received, b"")
        self.assertIsNotNone(self.server.lost)

    def test_all_that_is_wrong(self) -> None:
        """Another name, an end that is past, an authority that nobody knows: each."""
        wrong_name = self.look(self.authority.issue("other.example"))
        self.assertIn("other.example", self.successResultOf(wrong_name).wrong)
        expired = self.look(self.authority.issue(NAME, expired=True))
        self.assertEqual(self.successResultOf(expired).wrong, "it has expired")
        unknown = self.successResultOf(
            self.look(self.authority.issue("other.example"), trusted=False)
        )
        self.assertIn("not trusted", unknown.untrusted)
        self.assertIn("other.example", unknown.wrong)

    def test_no_tls(self) -> None:
        """What speaks no TLS fails as a handshake does."""

        class Plain(End):
            def connectionMade(self) -> None:
                assert self.transport is not None
                self.transport.write(b"220 hello\r\n")

        plain = Factory.forProtocol(Plain)
        self.failureResultOf(self.look_at(plain, NAME, True, Clock()), SSL.Error)

"""Tests of L{hybridconn.dialer}."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IResolutionReceiver,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, SynchronousResolver
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.test.iosim import ConnectionCompleter
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.dialer import ReactorDialer
from hybridconn.interfaces import IDialer
from hybridconn.tls import CertificateRejected, CertificateStore, TLSConfigError
from tests.web.tls_wire import Authority, End, serve


class Names(SynchronousResolver):
    """
    Every name is on this machine.

    @ivar asked: the names, in the order in which they were asked for.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        self.asked.append((hostName, portNumber))
        return super().resolveHostName(
            resolutionReceiver, hostName, portNumber, addressTypes, transportSemantics
        )


class DialerTests(SynchronousTestCase):
    """Where connections go."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.names = Names()
        self.reactor.installNameResolver(self.names)

    def dial(self, dialer: ReactorDialer, secure: bool, host: str = "192.0.2.1") -> Any:
        return dialer.endpoint(host, 8443, secure).connect(Factory.forProtocol(End))

    def test_interface(self) -> None:
        """It is a dialer."""
        verifyObject(IDialer, ReactorDialer(self.reactor))

    def test_plain(self) -> None:
        """Without TLS the protocol has the TCP transport itself."""
        self.reactor.listenTCP(8443, Factory.forProtocol(End))
        dialled = self.dial(ReactorDialer(self.reactor), secure=False)
        self.assertEqual(self.names.asked, [("192.0.2.1", 8443)])
        ConnectionCompleter(self.reactor).succeedOnce()
        end = self.successResultOf(dialled)
        self.assertNotIsInstance(end.transport, TLSMemoryBIOProtocol)

    def test_brackets(self) -> None:
        """An IPv6 address may come as it stands in a URL."""
        for host in ("[2001:db8::1]", "2001:db8::1"):
            for secure in (True, False):
                self.dial(ReactorDialer(self.reactor), secure, host)
                self.assertEqual(self.names.asked[-1], ("2001:db8::1", 8443))

    def test_time_out(self) -> None:
        """An address that does not answer is given up."""
        dialled = self.dial(ReactorDialer(self.reactor, (), 7.0), secure=False)
        self.assertEqual(self.reactor.tcpClients[0][3], 7.0)
        self.reactor.advance(7.0)
        ConnectionCompleter(self.reactor).failOnce()
        self.failureResultOf(dialled)

    def test_authority_is_missing(self) -> None:
        """A file that is missing is an error when the dialer is made."""
        self.assertRaises(TLSConfigError, ReactorDialer, self.reactor, ("no.pem",))

    def test_bad_host(self) -> None:
        """What can be no host name is an error at once."""
        dialer = ReactorDialer(self.reactor)
        self.assertRaises(ValueError, dialer.endpoint, "a\u2024\u2024b", 443, True)


class SecureDialerTests(SynchronousTestCase):
    """TLS on the way out."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.authority = Authority(self.folder)
        self.reactor = MemoryReactorClock()

    def reach(self, name: str, ca_files: tuple[str, ...]) -> Any:
        """Dial a server whose certificate is for C{name}; the client's end."""
        clock = Clock()
        store = CertificateStore([self.authority.issue(name)])
        self.reactor.listenTCP(8443, serve(store, clock))
        dialer = ReactorDialer(self.reactor, ca_files)
        endpoint = dialer.endpoint("192.0.2.1", 8443, True)
        dialled = endpoint.connect(Factory.forProtocol(End))
        pump = ConnectionCompleter(self.reactor).succeedOnce()
        assert pump is not None
        pump.flush()
        return self.successResultOf(dialled)

    def test_trusted(self) -> None:
        """With the authority's file the connection is made."""
        end = self.reach("192.0.2.1", (self.authority.file,))
        self.assertTrue(end.secured)

    def test_several_authorities(self) -> None:
        """Any of several files will do."""
        files = (Authority(self.folder).file, self.authority.file)
        self.assertTrue(self.reach("192.0.2.1", files).secured)

    def test_not_trusted(self) -> None:
        """Without it, or for another address, it is closed, and says why."""
        for name, files in (
            ("192.0.2.1", ()),
            ("192.0.2.2", (self.authority.file,)),
        ):
            self.reactor = MemoryReactorClock()
            end = self.reach(name, files)
            self.assertFalse(end.secured)
            self.assertIsInstance(end.lost.value, CertificateRejected)

"""Tests of L{hybridconn.dialer}."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectBindError
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IResolutionReceiver,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, SynchronousResolver
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.test.iosim import ConnectionCompleter
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.dialer import ReactorDialer
from hybridconn.interfaces import IDialer
from hybridconn.tls import (
    CertificateFiles,
    CertificateRejected,
    CertificateStore,
    TLSConfigError,
    TLSPath,
    tls_factory,
)
from hybridconn.wayout.bypass import Bypass, parse_rule
from hybridconn.wayout.errors import LocalAddressError, ProxyError
from hybridconn.wayout.proxy import Proxy
from hybridconn.wayout.way import WayOut
from hybridconn.web.takeover import replace_protocol
from hybridconn.websocket.words import explain
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


class ProxiedDialerTests(SynchronousTestCase):
    """Through a proxy, which may want TLS of its own."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.authority = Authority(self.folder)
        self.other = Authority(self.folder)
        self.reactor = MemoryReactorClock()
        self.reactor.installNameResolver(Names())

    def proxied(self, way_out: WayOut, tls: TLSPath, shown: str = "proxy.corp") -> Any:
        """
        Dial relay.example.net through a proxy that serves it itself.

        @param shown: the name in the proxy's certificate.
        @return: the dialled Deferred, and the relay's end.
        """
        clock = Clock()
        relay = CertificateStore([self.authority.issue("relay.example.net")])
        ends: list[End] = []

        class Proxying(Protocol):
            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                assert data.startswith(b"CONNECT relay.example.net:443 ")
                self.transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
                inner = tls_factory(relay, Factory.forProtocol(End), clock)
                built: Any = inner.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
                ends.append(built.wrappedProtocol)
                replace_protocol(self.transport, built)

        factory: Any = Factory.forProtocol(Proxying)
        assert way_out.proxy is not None
        if way_out.proxy.scheme == "https":
            proxy = CertificateStore([self.other.issue(shown, file="proxy")])
            factory = tls_factory(proxy, factory, clock)
        self.reactor.listenTCP(3128, factory)
        dialer = ReactorDialer(
            self.reactor, (self.authority.file,), tls=tls, way_out=way_out
        )
        endpoint = dialer.endpoint("relay.example.net", 443, True)
        dialled = endpoint.connect(Factory.forProtocol(End))
        self.reactor.advance(0)
        pump = ConnectionCompleter(self.reactor).succeedOnce()
        assert pump is not None
        for _ in range(6):
            pump.flush()
            clock.advance(0)
            self.reactor.advance(0)
        self.pump = pump
        return dialled, ends

    def both_ways(self, way_out: WayOut, tls: TLSPath) -> None:
        dialled, ends = self.proxied(way_out, tls)
        app = self.successResultOf(dialled)
        self.assertTrue(app.secured)
        for sender, receiver in ((app, ends[0]), (ends[0], app)):
            sender.transport.write(b"x" * 200_000)
            for _ in range(6):
                self.pump.flush()
                self.reactor.advance(0)
            self.assertEqual(receiver.received, b"x" * 200_000)

    def test_plain_proxy(self) -> None:
        """TLS with the relay goes through the proxy untouched."""
        for tls in ("lean", "twisted"):
            self.reactor = MemoryReactorClock()
            self.reactor.installNameResolver(Names())
            way_out = WayOut(proxy=Proxy("http", "proxy.corp", 3128))
            self.both_ways(way_out, tls)

    def test_tls_proxy(self) -> None:
        """TLS with the relay goes through TLS with the proxy."""
        for tls in ("lean", "twisted"):
            self.reactor = MemoryReactorClock()
            self.reactor.installNameResolver(Names())
            way_out = WayOut(
                proxy=Proxy("https", "proxy.corp", 3128),
                proxy_ca_files=(self.other.file,),
            )
            self.both_ways(way_out, tls)

    def test_tls_proxy_refused(self) -> None:
        """The proxy's certificate is verified, against its own authorities too."""
        for shown, files, words in (
            ("proxy.corp", (), "an authority that is not trusted here"),
            ("other.corp", (self.other.file,), "other names (other.corp)"),
        ):
            self.reactor = MemoryReactorClock()
            self.reactor.installNameResolver(Names())
            proxy = Proxy("https", "proxy.corp", 3128)
            way_out = WayOut(proxy=proxy, proxy_ca_files=files)
            dialled, ends = self.proxied(way_out, "lean", shown)
            text = str(self.failureResultOf(dialled, ProxyError).value)
            start = "proxy proxy.corp:3128 shows a certificate that is refused: "
            self.assertTrue(text.startswith(start), text)
            self.assertIn(words, text)
            self.assertEqual(ends, [])

    def test_exceptions(self) -> None:
        """Hosts that need no proxy are dialled themselves."""
        names = Names()
        self.reactor.installNameResolver(names)
        way_out = WayOut(
            proxy=Proxy("http", "proxy.corp", 3128), bypass=Bypass((parse_rule("db"),))
        )
        dialer = ReactorDialer(self.reactor, way_out=way_out)
        for host, secure in (("db", True), ("relay", True), ("relay", False)):
            dialer.endpoint(host, 443, secure).connect(Factory.forProtocol(End))
        self.assertEqual(
            names.asked, [("db", 443), ("proxy.corp", 3128), ("relay", 443)]
        )

    def test_local_address(self) -> None:
        """Dials come from the address that is asked for, those to proxies too."""
        way_out = WayOut(
            plain_proxy=Proxy("http", "proxy.corp", 3128), bind_address="192.0.2.9"
        )
        dialer = ReactorDialer(self.reactor, way_out=way_out)
        for secure in (True, False):
            dialer.endpoint("relay", 443, secure).connect(Factory.forProtocol(End))
        binds = [client[4] for client in self.reactor.tcpClients]
        self.assertEqual(binds, [("192.0.2.9", 0)] * 2)

    def test_bad_local_address(self) -> None:
        """One that cannot be used is named."""
        way_out = WayOut(bind_address="192.0.2.9")
        for number, words in (
            (errno.EADDRNOTAVAIL, "it is no address of this machine"),
            (errno.EAFNOSUPPORT, "it does not fit the address that is dialled"),
        ):
            self.reactor = MemoryReactorClock()
            self.reactor.installNameResolver(Names())
            dialer = ReactorDialer(self.reactor, way_out=way_out)
            dialled = dialer.endpoint("relay", 443, False).connect(
                Factory.forProtocol(End)
            )
            factory: Any = self.reactor.tcpClients[0][2]
            factory.clientConnectionFailed(None, Failure(ConnectBindError(number)))
            self.reactor.advance(1)
            failure = self.failureResultOf(dialled, LocalAddressError)
            self.assertEqual(
                explain(failure), f"cannot dial from bind_address 192.0.2.9: {words}"
            )


class ClientCertificateTests(SynchronousTestCase):
    """A server that asks who we are."""

    def reach(self, way_out: WayOut) -> tuple[Any, Any]:
        """Dial a server that wants a certificate; both ends."""
        folder = Path(self.mktemp())
        folder.mkdir()
        authority = Authority(folder)
        reactor = MemoryReactorClock()
        server = authority.issue("192.0.2.1")
        store = CertificateStore([server])
        context: Any = store._context
        context.load_verify_locations(self.clients.file)
        context.set_verify(
            SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *ok: bool(ok[4])
        )
        ends: list[End] = []

        def build() -> End:
            ends.append(End())
            return ends[-1]

        factory = tls_factory(store, Factory.forProtocol(build), Clock())
        reactor.listenTCP(8443, factory)
        dialer = ReactorDialer(reactor, (authority.file,), way_out=way_out)
        dialled = dialer.endpoint("192.0.2.1", 8443, True).connect(
            Factory.forProtocol(End)
        )
        pump = ConnectionCompleter(reactor).succeedOnce()
        assert pump is not None
        pump.flush()
        return self.successResultOf(dialled), ends[0]

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.clients = Authority(self.folder)

    def test_shown(self) -> None:
        """The certificate of the way out is shown."""
        files = self.clients.issue("agent.corp", file="agent")
        _, server = self.reach(WayOut(client_certificate=files))
        self.assertTrue(server.secured)

    def test_none(self) -> None:
        """Without one there is none, and that server closes."""
        client, server = self.reach(WayOut())
        self.assertFalse(server.secured)
        self.assertIsNotNone(client.lost)

    def test_broken(self) -> None:
        """Files that cannot be used are an error when the dialer is made."""
        one = self.clients.issue("agent.corp", file="agent")
        other = self.clients.issue("agent.corp", file="other")
        mixed = CertificateFiles(one.certificate, other.key)
        self.assertRaises(
            TLSConfigError,
            ReactorDialer,
            MemoryReactorClock(),
            way_out=WayOut(client_certificate=mixed),
        )

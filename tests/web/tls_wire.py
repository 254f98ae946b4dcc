"""Certificates and TLS connections in memory."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, connect
from zope.interface import implementer

from hybridconn.tls import CertificateFiles, CertificateStore, tls_factory


@implementer(IHandshakeListener)
class End(Protocol):
    """
    One end of a connection.

    @ivar secured: the TLS handshake was completed.
    @ivar lost: why the connection ended.
    """

    def __init__(self) -> None:
        self.received = b""
        self.secured = False
        self.lost: Failure | None = None

    @property
    def tls(self) -> Any:
        """The OpenSSL connection."""
        transport: Any = self.transport
        return transport.getHandle()

    def handshakeCompleted(self) -> None:
        self.secured = True

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class Pair:
    """
    A client and a server, connected.

    @ivar server: what the server's factory built.
    """

    def __init__(
        self,
        factory: IProtocolFactory,
        creator: Any,
        clock: Clock | None = None,
        client: Any = None,
    ) -> None:
        self.clock = clock or Clock()
        self.client: Any = client or End()
        outgoing = TLSMemoryBIOFactory(
            creator, True, Factory.forProtocol(lambda: self.client), self.clock
        )
        peer = IPv4Address("TCP", "192.0.2.7", 40000)
        near: Any = outgoing.buildProtocol(peer)
        far: Any = factory.buildProtocol(peer)
        self.server = far.wrappedProtocol
        self.server_wire = FakeTransport(far, isServer=True, peerAddress=peer)
        self.client_wire = FakeTransport(near, isServer=False)
        self.pump = connect(
            far, self.server_wire, near, self.client_wire, clock=self.clock
        )
        self.flush()

    def flush(self) -> None:
        """Let all bytes arrive, also those that are gathered for one turn."""
        for _ in range(4):
            self.clock.advance(0)
            self.pump.flush()


class Authority:
    """A private authority that writes files into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.file = str(folder / f"ca-{id(self)}.pem")
        self._ca.cert_pem.write_to_path(self.file)

    def issue(
        self,
        *names: str,
        file: str = "relay",
        server_names: tuple[str, ...] = (),
        expired: bool = False,
    ) -> CertificateFiles:
        """Write a certificate and its key; over the ones of that name before."""
        end = datetime.datetime(2020, 1, 1) if expired else None
        start = datetime.datetime(2019, 1, 1) if expired else None
        issued = self._ca.issue_cert(
            *names,
            not_after=end,
            not_before=start,
            key_type=trustme.KeyType.ECDSA,
        )
        chain, key = self._folder / f"{file}.pem", self._folder / f"{file}.key"
        before = chain.stat().st_mtime_ns if chain.exists() else 0
        chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        for path in (chain, key):  # two within one tick of the file system's clock
            os.utime(path, ns=(before + 10**9, before + 10**9))
        return CertificateFiles(str(chain), str(key), server_names)


def serve(store: CertificateStore, clock: Clock | None = None) -> IProtocolFactory:
    """A TLS server of L{End}s."""
    return tls_factory(store, Factory.forProtocol(End), clock or Clock())


@implementer(IOpenSSLClientConnectionCreator)
class Stranger:
    """
    A client that believes everything, and is otherwise as it is told.

    @param most: the highest TLS version that it speaks.
    @param protocols: what it offers by ALPN.
    @param ciphers: for TLS 1.2.
    """

    def __init__(
        self,
        name: bytes | None = None,
        most: int = 0,
        protocols: tuple[bytes, ...] = (),
        ciphers: bytes = b"ALL:@SECLEVEL=0",
    ) -> None:
        self._name = name
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_VERSION)
        self._context.set_max_proto_version(most)
        self._context.set_cipher_list(ciphers)
        if protocols:
            self._context.set_alpn_protos(list(protocols))

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if self._name is not None:
            connection.set_tlsext_host_name(self._name)
        return connection

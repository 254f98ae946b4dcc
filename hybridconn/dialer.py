"""The way out to a relay: TCP with or without TLS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from hybridconn.interfaces import IDialer
from hybridconn.tls import ClientTrust, TLSEndpoint, TLSPath


@implementer(IDialer)
class ReactorDialer:
    """
    Dials by host name, all its addresses one after the other and IPv6 and IPv4
    alike.

    @param reactor: for names, connections and time.
    @param ca_files: PEM files with certificates of authorities that are trusted
        in addition to the system's.
    @param connect_timeout: seconds for one address to answer.
    @param tls: C{lean}, or C{twisted} for Twisted's own wrapper.
    @param verify: L{False}: believe any certificate; never for a relay.
    @raise TLSConfigError: if one of C{ca_files} is missing or not usable.
    """

    def __init__(
        self,
        reactor: Any,
        ca_files: Sequence[str] = (),
        connect_timeout: float = 20.0,
        tls: TLSPath = "lean",
        verify: bool = True,
    ) -> None:
        self._reactor = reactor
        self._ca_files = tuple(ca_files)
        self._connect_timeout = connect_timeout
        self._tls = tls
        self._trust = ClientTrust(self._ca_files, verify)

    def endpoint(self, host: str, port: int, secure: bool) -> IStreamClientEndpoint:
        """
        Where C{host} and C{port} are reached.

        A certificate that is not good ends the connection, after the endpoint's
        Deferred has fired, with L{CertificateRejected
        <hybridconn.tls.CertificateRejected>}.

        @param host: a name or an address; brackets around IPv6 are taken off.
        @raise ValueError: C{host} is no host name.
        """
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        plain = HostnameEndpoint(
            self._reactor, host, port, timeout=self._connect_timeout
        )
        if not secure:
            return plain
        return TLSEndpoint(self._trust.options(host), plain, self._reactor, self._tls)

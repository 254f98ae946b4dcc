"""The way out to a relay: TCP with or without TLS, through a proxy or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from hybridconn.interfaces import IDialer
from hybridconn.tls import ClientTrust, TLSEndpoint, TLSPath
from hybridconn.wayout.endpoint import ProxyEndpoint
from hybridconn.wayout.local import FromAddress
from hybridconn.wayout.proxy import Proxy
from hybridconn.wayout.way import WayOut


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
    @param way_out: proxies, and what else there is to say; by default there is no
        proxy, whatever the environment says.
    @ivar way_out: what was given.
    @ivar trust: whom it believes.
    @raise TLSConfigError: if one of C{ca_files}, or a file that C{way_out} names, is
        missing or not usable.
    """

    def __init__(
        self,
        reactor: Any,
        ca_files: Sequence[str] = (),
        connect_timeout: float = 20.0,
        tls: TLSPath = "lean",
        verify: bool = True,
        way_out: WayOut | None = None,
    ) -> None:
        self._reactor = reactor
        self._ca_files = tuple(ca_files)
        self._connect_timeout = connect_timeout
        self._tls = tls
        self.way_out = way_out = way_out or WayOut()
        self.trust = ClientTrust(self._ca_files, verify, way_out.client_certificate)
        self._proxy_trust: ClientTrust | None = None
        proxies = (way_out.proxy, way_out.plain_proxy)
        if any(proxy is not None and proxy.scheme == "https" for proxy in proxies):
            self._proxy_trust = ClientTrust(self._ca_files + way_out.proxy_ca_files)

    def endpoint(self, host: str, port: int, secure: bool) -> IStreamClientEndpoint:
        """
        Where C{host} and C{port} are reached.

        A certificate that is not good ends the connection, after the endpoint's
        Deferred has fired, with L{CertificateRejected
        <hybridconn.tls.CertificateRejected>}.

        @param host: a name or an address; brackets around IPv6 are taken off.
        @raise ValueError: C{host} is no host name.
        """
        host = _bare(host)
        plain = self.plain_endpoint(host, port, secure)
        if not secure:
            return plain
        return TLSEndpoint(self.trust.options(host), plain, self._reactor, self._tls)

    def plain_endpoint(
        self, host: str, port: int, secure: bool
    ) -> IStreamClientEndpoint:
        """
        The same way, through a proxy if there is one, but for TLS at its end.

        @param secure: whether TLS is to come.
        """
        host = _bare(host)
        proxy = self.way_out.proxy_for(host, port, secure)
        if proxy is None:
            return self._plain(host, port)
        return ProxyEndpoint(
            proxy,
            self._to_proxy(proxy),
            host,
            port,
            self._reactor,
            self.way_out.proxy_timeout,
        )

    def _to_proxy(self, proxy: Proxy) -> IStreamClientEndpoint:
        plain = self._plain(proxy.host, proxy.port)
        if proxy.scheme != "https":
            return plain
        assert self._proxy_trust is not None
        options = self._proxy_trust.options(proxy.host)
        return TLSEndpoint(options, plain, self._reactor, self._tls)

    def _plain(self, host: str, port: int) -> IStreamClientEndpoint:
        address = self.way_out.bind_address
        endpoint: IStreamClientEndpoint = HostnameEndpoint(
            self._reactor,
            host,
            port,
            timeout=self._connect_timeout,
            bindAddress=address or None,
        )
        return FromAddress(endpoint, address) if address else endpoint


def _bare(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host

"""What is decided for each dial."""

from __future__ import annotations

from attrs import field, frozen

from hybridconn.core.certificate_files import CertificateFiles
from hybridconn.wayout.bypass import Bypass
from hybridconn.wayout.proxy import Proxy


@frozen
class WayOut:
    """
    How relays are reached; as it stands, directly.

    @ivar proxy: for connections with TLS inside.
    @ivar plain_proxy: for those without.
    @ivar bypass: which hosts are reached without either.
    @ivar proxy_ca_files: further authorities for C{https} proxies, PEM.
    @ivar proxy_timeout: seconds for a proxy to be reached and to let us through.
    @ivar client_certificate: shown to a relay, or what stands before it, that asks.
    @ivar bind_address: the local address to dial from; empty: the system's choice.
    """

    proxy: Proxy | None = None
    plain_proxy: Proxy | None = None
    bypass: Bypass = field(factory=Bypass)
    proxy_ca_files: tuple[str, ...] = ()
    proxy_timeout: float = 15.0
    client_certificate: CertificateFiles | None = None
    bind_address: str = ""

    def proxy_for(self, host: str, port: int, secure: bool) -> Proxy | None:
        """
        @param secure: whether there is TLS inside.
        @return: L{None}: dial directly.
        """
        proxy = self.proxy if secure else self.plain_proxy
        if proxy is None or self.bypass.covers(host, port):
            return None
        return proxy

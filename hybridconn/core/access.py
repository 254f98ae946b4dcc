"""From where, and how, a namespace may be reached at all, whatever the token."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from attrs import field, frozen

#: What every relay asks for anyway.
LEAST_TLS = "1.2"


@frozen
class Access:
    """
    @ivar networks: the only ones from which it may be reached, such as
        C{10.0.0.0/8}; L{None} for all.
    @ivar minimum_tls: C{1.2} or C{1.3}.
    @raise ValueError: one of C{networks} is none.
    """

    networks: tuple[str, ...] | None = None
    minimum_tls: str = LEAST_TLS
    _parsed: tuple[IPv4Network | IPv6Network, ...] = field(
        init=False, repr=False, eq=False
    )

    @_parsed.default
    def _parse(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(map(ip_network, self.networks or ()))

    def admits(self, address: str) -> bool:
        """
        Whether a client may come from there.

        @param address: an IP address.
        """
        if self.networks is None:
            return True
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:  # a transport without addresses
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            # How a port for both kinds shows the older one.
            found = found.ipv4_mapped
        return any(found in network for network in self._parsed)

    def accepts_tls(self, version: str) -> bool:
        """
        Whether a client's TLS is new enough.

        @param version: such as C{TLSv1.3}; empty for plain TCP.
        """
        if self.minimum_tls == LEAST_TLS:
            return True
        return version >= f"TLSv{self.minimum_tls}"


#: From everywhere.
EVERYWHERE = Access()

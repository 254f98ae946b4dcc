"""A host and a port, as people write them."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Network
from typing import Final

from attrs import frozen

_HOST_PORT = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[^:\[\]/\\\s]+)):(?P<port>[0-9]+)",
    re.ASCII,
)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_MAX_NAME = 253

#: Where redirected names lead on a machine with a sender, unless it is told otherwise.
REDIRECTS: Final = IPv4Network("127.77.0.0/16")


@frozen
class HostPort:
    """A host, by name or IP address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_host_port(text: str, lowest_port: int = 1) -> HostPort:
    """
    Read C{host:port} or C{[v6]:port}.

    @raise ValueError: with a sentence on what is wrong.
    """
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        raise ValueError("write it as host:port, or [v6]:port for an IPv6 address")
    host = match["v6"] or match["host"]
    if match["v6"]:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError("what is in brackets is no IPv6 address") from None
    digits = match["port"]
    if len(digits) > 5 or not lowest_port <= int(digits) <= 65535:
        raise ValueError(f"its port is {digits[:20]}; use {lowest_port} to 65535")
    return HostPort(host, int(digits))


def check_name(host: str) -> None:
    """
    Look whether a host is a name that can be looked up, and nothing else.

    @param host: in lower case and without a dot at its end.
    @raise ValueError: with a sentence on what is wrong.
    """
    if not host.isascii():
        raise ValueError("write the name in its xn-- form")
    labels = host.split(".")
    if len(host) > _MAX_NAME or not all(_LABEL.fullmatch(one) for one in labels):
        raise ValueError("its host is no name; write letters, digits, hyphens and dots")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        # Programs read such a name as an address, of which this is none.
        raise ValueError("its host ends in a number, as only addresses do")

"""
The header of the PROXY protocol, version 2: what a target is told of the connection
that follows.  HAProxy's specification of it has the sections.

    >>> header("192.0.2.7", 40000, "10.0.0.5", 5432, [(UNIQUE_ID, b"id")]).hex(" ", -4)
    '0d0a0d0a 000d0a51 5549540a 21110011 c0000207 0a000005 9c401538 05000269 64'
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

#: Section 2.2: the twelve bytes with which every header begins.
SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
#: Section 2.2.5: names the connection; of at most 128 bytes.
UNIQUE_ID: Final = 0x05
#: Section 2.2.7 leaves 0xE0 to 0xEF to applications.  Ours:
ENTITY: Final = 0xE0
RULE: Final = 0xE1
NAMESPACE: Final = 0xE2

_VERSION_AND_PROXY: Final = 0x21
_UNSPECIFIED, _TCP4, _TCP6 = 0x00, 0x11, 0x21
#: More than any value here, and a header that every receiver takes.
_MOST: Final = 255


def header(
    source: str,
    source_port: int,
    destination: str,
    destination_port: int,
    values: Iterable[tuple[int, bytes]] = (),
) -> bytes:
    """
    @param source: an IP address; anything else is told as unknown.
    @param destination: an IP address, or anything else where there is none.
    @param values: a type and a value each; empty ones are left out, long ones cut off.
    """
    tail = b"".join(
        bytes((kind,)) + len(cut).to_bytes(2, "big") + cut
        for kind, value in values
        if (cut := value[: 128 if kind == UNIQUE_ID else _MOST])
    )
    family, addresses = _addresses(source, destination)
    if addresses:
        for port in (source_port, destination_port):
            addresses += port.to_bytes(2, "big")
    length = len(addresses) + len(tail)
    head = bytes((_VERSION_AND_PROXY, family)) + length.to_bytes(2, "big")
    return SIGNATURE + head + addresses + tail


def _addresses(source: str, destination: str) -> tuple[int, bytes]:
    here, there = _address(source), _address(destination)
    if here is None:
        return _UNSPECIFIED, b""
    if there is None:
        there = type(here)(0)
    if isinstance(here, IPv4Address) and isinstance(there, IPv4Address):
        return _TCP4, here.packed + there.packed
    # Both have to be of one family.
    return _TCP6, _as_v6(here).packed + _as_v6(there).packed


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _as_v6(address: IPv4Address | IPv6Address) -> IPv6Address:
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)

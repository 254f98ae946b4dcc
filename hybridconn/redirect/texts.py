"""
What is written into the files of the system: a block of the hosts file, a
C{resolv.conf}, a part of systemd-resolved's configuration.  Text in, text out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import DNS_PORT
from hybridconn.names.plan import WILDCARD, HostAddresses
from hybridconn.names.resolvers import UPSTREAM_MARK

_BEGIN = b"# BEGIN hybridconn (hybridconn redirect undo removes this)"
_END = b"# END hybridconn"
#: Behind the first line, when the file before did not end with a line break.
_JOINED = b" joined"
_BLOCK = re.compile(
    # Editors may have written other line breaks, or none at the end.
    rb"(?P<broken>\n)?" + re.escape(_BEGIN) + rb"(?P<joined> joined)?\r?\n"
    rb"(?:(?!# BEGIN hybridconn).*\n)*?" + re.escape(_END) + rb"(?:\r?\n|\r?\Z)",
)
#: As systemd writes that something is so.
_YES = ("yes", "true", "on", "1", "y", "t")
#: In the first line of each whole file that is ours.
OURS = "# Written by hybridconn redirect install; hybridconn redirect undo puts back"


def hosts_block(hosts: Mapping[str, HostAddresses]) -> bytes:
    """
    Lines for the hosts file: one for each address of each host.  Wildcards cannot
    stand there and are left out.
    """
    lines = [_BEGIN]
    for host, addresses in sorted(hosts.items()):
        if not host.startswith(WILDCARD):
            lines += [f"{address}\t{host}".encode() for address in addresses.all]
    return b"".join(line + b"\n" for line in [*lines, _END])


def with_block(text: bytes, block: bytes) -> bytes:
    """
    A hosts file with our block at its end; one that was there is gone.

    L{without_block} makes the same bytes of it again.
    """
    text = without_block(text)
    if text and not text.endswith(b"\n"):
        return text + b"\n" + block.replace(_BEGIN, _BEGIN + _JOINED, 1)
    return text + block


def without_block(text: bytes) -> bytes:
    """The hosts file without our block; all else is as it was, byte by byte."""

    def rest(match: re.Match[bytes]) -> bytes:
        broken = match["broken"] or b""
        return b"" if match["joined"] and match.end() == len(text) else broken

    return _BLOCK.sub(rest, text)


def has_block(text: bytes) -> bool:
    """Whether our block is there."""
    return _BLOCK.search(text) is not None


def has_open_block(text: bytes) -> bool:
    """Whether there is a block whose end somebody took away."""
    return _BEGIN in _BLOCK.sub(b"", text)


def resolv_conf(before: str, dns: HostPort, upstreams: Iterable[HostPort]) -> bytes:
    """
    A C{resolv.conf} that asks us; search domains and options stay.

    @param before: what it says, bytes that are no UTF-8 as C{surrogateescape} has them.
    @param dns: where we listen; C{resolv.conf} knows no port but 53.
    @param upstreams: the name servers before.
    """
    assert dns.port == DNS_PORT
    lines = [OURS, *_marks(upstreams), f"nameserver {dns.host}"]
    for line in before.splitlines():
        if line.split()[:1] and line.split()[0] in ("search", "domain", "options"):
            lines.append(line)
    made = "".join(f"{line}\n" for line in lines)
    return made.encode("utf-8", "surrogateescape")


def resolved_drop_in(
    hosts: Iterable[str], dns: HostPort, upstreams: Sequence[HostPort]
) -> bytes:
    """
    A part of systemd-resolved's configuration: names below ours are asked of us.

    Servers that its configuration names for all names are taken out, since it would
    ask those for ours too; we pass on to them what is not ours.
    """
    domains = sorted({host.removeprefix(WILDCARD) for host in hosts})
    lines = [
        OURS,
        *_marks(upstreams),
        "[Resolve]",
        "DNS=",
        f"DNS={dns}",
        f"Domains={' '.join(f'~{domain}' for domain in domains)}",
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def resolved_trouble(configuration: str) -> list[str]:
    """
    What systemd-resolved's configuration has against us, with the mends.

    @param configuration: all its files, in their order.
    """
    values: dict[str, str] = {}
    for line in configuration.splitlines():
        key, _, value = line.partition("=")
        values[key.strip()] = value.strip().lower()
    strict = {key for key, value in values.items() if value in _YES}
    told = []
    if "DNSSEC" in strict:
        told.append(
            "with DNSSEC=yes systemd-resolved refuses our answers for names of public"
            " domains, which are not signed; name these, a line each, in"
            " /etc/dnssec-trust-anchors.d/hybridconn.negative"
        )
    if "DNSOverTLS" in strict:
        told.append(
            "with DNSOverTLS=yes systemd-resolved does not ask us, as we speak no TLS;"
            " use DNSOverTLS=opportunistic, or --way hosts"
        )
    return told


def files_first(nsswitch: bytes) -> bytes | None:
    """
    The same C{nsswitch.conf} with the hosts file before all other sources of names.

    @return: L{None} if that is so already.
    """
    lines = nsswitch.splitlines(keepends=True)
    for index, line in enumerate(lines):
        words = line.split(b"#")[0].split()
        if words[:1] == [b"hosts:"]:
            if words[1:2] == [b"files"]:
                return None
            others = [word for word in words[1:] if word != b"files"]
            lines[index] = b" ".join([b"hosts: files", *others]) + b"\n"
            return b"".join(lines)
    return None


def is_ours(text: bytes) -> bool:
    """Whether a whole file was written by us."""
    return text.startswith(OURS.encode())


def _marks(upstreams: Iterable[HostPort]) -> list[str]:
    return [f"{UPSTREAM_MARK}{server}" for server in upstreams]

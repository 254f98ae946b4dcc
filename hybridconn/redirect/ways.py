"""
The ways to have apps find redirected names, each by one file of the system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import DNS_PORT, NamesSettings, read_server
from hybridconn.files import inside
from hybridconn.names.plan import WILDCARD
from hybridconn.names.resolvers import (
    RESOLV_CONF,
    RESOLVED_DROP_IN,
    RESOLVED_UPSTREAMS,
    SystemResolvers,
    find_servers,
)
from hybridconn.redirect.errors import RedirectError
from hybridconn.redirect.journal import Note
from hybridconn.redirect.texts import (
    has_block,
    has_open_block,
    hosts_block,
    resolv_conf,
    resolved_drop_in,
    resolved_trouble,
    with_block,
    without_block,
)
from hybridconn.redirect.way import Names, Way, read

HOSTS = "etc/hosts"
RESOLVED_CONF = "etc/systemd/resolved.conf"


class HostsWay(Way):
    """A marked block in the hosts file."""

    name = "hosts"
    file = HOSTS

    @property
    def path(self) -> Path:
        """The file itself, where a link leads to it: others change it there."""
        return inside(self.root, self.file)

    def text(self, names: Names, current: bytes) -> bytes:
        """See L{Way.text}."""
        wild = sorted(host for host in names.hosts if host.startswith(WILDCARD))
        if wild:
            told = (
                f"{', '.join(wild)}: a hosts file has no wildcards; use --way resolv or"
                " resolved"
            )
            if len(wild) == len(names.hosts):
                raise RedirectError(f"{told}.")
            self.notes = [f"{told} for these"]
        if has_open_block(current):
            self.notes.append(
                f"{self.path} has names of a former install without the end of their"
                " block, which nobody undoes; remove them by hand"
            )
        return with_block(current, hosts_block(names.hosts))

    def is_in_force(self, text: bytes) -> bool:
        """See L{Way.is_in_force}."""
        return has_block(text)

    def leave(self, note: Note, text: bytes) -> bytes | None:
        """See L{Way.leave}."""
        return without_block(text) if has_block(text) else None

    def _undo_unnoted(self) -> bool:
        # The block says all that there is to know.
        current = self.current()
        self.journal.change(self.path, current, without_block(current))
        self.journal.forget()
        return True


class ResolvWay(Way):
    """C{/etc/resolv.conf} names our name server, and no other."""

    name = "resolv"
    file = RESOLV_CONF

    def text(self, names: Names, current: bytes) -> bytes:
        """See L{Way.text}."""
        dns = need_dns(names.settings)
        if dns.port != DNS_PORT:
            raise RedirectError(
                f"resolv.conf can name no port, and [names] dns is {dns}; use port "
                f"{DNS_PORT} there, such as 127.0.0.77:{DNS_PORT}, or --way resolved."
            )
        servers = names.settings.upstreams or SystemResolvers(dns, self.root)()
        if not servers:
            raise RedirectError(
                f"{self.path} names no name server that other names could be asked of; "
                "write them into [names] upstreams."
            )
        text = current.decode("utf-8", "surrogateescape")
        return resolv_conf(text, dns, servers)


class ResolvedWay(Way):
    """A part of systemd-resolved's configuration, for our names only."""

    name = "resolved"
    file = RESOLVED_DROP_IN

    def text(self, names: Names, current: bytes) -> bytes:
        """See L{Way.text}."""
        dns = need_dns(names.settings)
        servers, configuration = names.settings.upstreams, self._configuration()
        self.notes = resolved_trouble(configuration)
        if not servers:
            # Those of its own configuration first: they are taken out there.
            servers = tuple(_configured(configuration))
        if not servers:
            resolved = read(inside(self.root, RESOLVED_UPSTREAMS)).decode(
                "utf-8", "replace"
            )
            ours = current.decode("utf-8", "replace")
            servers = find_servers("", ours, resolved, dns)
        return resolved_drop_in(names.hosts, dns, servers)

    def _configuration(self) -> str:
        """All that it reads, but for what is ours (resolved.conf(5))."""
        parts = sorted(self.path.parent.glob("*.conf"))
        files = [
            inside(self.root, RESOLVED_CONF),
            *(one for one in parts if one != self.path),
        ]
        return "\n".join(read(one).decode("utf-8", "replace") for one in files)


WAYS: Mapping[str, Callable[[Path], Way]] = {
    way.name: way for way in (HostsWay, ResolvWay, ResolvedWay)
}


def need_dns(settings: NamesSettings) -> HostPort:
    """
    Where our name server listens.

    @raise RedirectError: nowhere.
    """
    if settings.dns is None:
        raise RedirectError(
            "this way needs the sender's name server; write into its configuration: "
            '[names] dns = "127.0.0.77:53"'
        )
    return settings.dns


def _configured(text: str) -> Iterator[HostPort]:
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "DNS":
            for word in value.split():
                # A name for TLS and an interface may stand behind the address.
                server = read_server(word.partition("#")[0].partition("%")[0])
                if server is not None:
                    yield server

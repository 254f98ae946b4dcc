"""
The ways to have apps find redirected names, each by one file of the system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from attrs import evolve, frozen

from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import DNS_PORT, NamesSettings, read_server
from hybridconn.files import inside
from hybridconn.names.plan import WILDCARD, HostAddresses
from hybridconn.names.resolvers import (
    RESOLV_CONF,
    RESOLVED_DROP_IN,
    RESOLVED_UPSTREAMS,
    SystemResolvers,
    find_servers,
)
from hybridconn.redirect.entry import Entry, digest
from hybridconn.redirect.errors import RedirectError, not_written
from hybridconn.redirect.journal import Journal, Note
from hybridconn.redirect.loopback import Loopback
from hybridconn.redirect.texts import (
    has_block,
    hosts_block,
    is_ours,
    resolv_conf,
    resolved_drop_in,
    with_block,
    without_block,
)

HOSTS = "etc/hosts"
RESOLVED_CONF = "etc/systemd/resolved.conf"
#: What the ways did, to be undone.
STATE = "var/lib/hybridconn/redirect"
#: Of a journal: it was done for a command, and is to be undone behind it.
_WHILE = "for_a_while"


@frozen
class Names:
    """What is to be redirected, and how."""

    hosts: Mapping[str, HostAddresses]
    settings: NamesSettings

    @property
    def ipv6(self) -> list[str]:
        """Addresses that must be on the loopback interface."""
        return [one.ipv6 for one in self.hosts.values() if one.ipv6 is not None]

    def without_ipv6(self) -> Names:
        """The same without them."""
        hosts = {host: HostAddresses(one.ipv4) for host, one in self.hosts.items()}
        return evolve(self, hosts=hosts)


class Way:
    """
    One way.

    @ivar name: the word for it.
    @ivar notes: what is to be told after the last call, line by line.
    @param root: the folder that stands for C{/}.
    @param loopback: the interface that needs addresses for IPv6.
    """

    name: str
    file: str

    def __init__(
        self, root: Path = Path("/"), loopback: Loopback | None = None
    ) -> None:
        self.root = root
        self._loopback = loopback or Loopback()
        self.journal = Journal(inside(root, f"{STATE}/{self.name}"))
        self.notes: list[str] = []

    # --- to be given by each way ---

    def text(self, names: Names, current: bytes) -> bytes:
        """
        What is to stand in the file.

        @param current: what stands there.
        @raise RedirectError: this way cannot do it.
        """
        raise NotImplementedError

    def is_in_force(self, text: bytes) -> bool:
        """Whether a file has what we wrote."""
        return is_ours(text)

    def leave(self, note: Note, text: bytes) -> bytes | None:
        """
        What is to stand in a file that somebody else changed since.

        @return: L{None} to leave it as it is.
        """
        return None

    # --- for all ---

    @property
    def path(self) -> Path:
        """The file, which may be a link: then that is replaced."""
        folder, _, name = self.file.rpartition("/")
        return inside(self.root, folder) / name

    def current(self) -> bytes:
        """
        What it has, perhaps by a link.

        @raise RedirectError: it cannot be read.
        """
        return _read(inside(self.root, self.file))

    def install(self, names: Names, for_a_while: bool = False) -> bool:
        """
        Do it, again if it is done already.

        @param for_a_while: L{end_of_while} will undo it, unless it is there for
            longer already.
        @return: whether anything changed.
        @raise RedirectError: it cannot be done; nothing is changed then.
        """
        self.notes = []
        with self.journal.locked():
            current, note = self.current(), self.journal.note()
            if note is not None and note.busy:
                self._undo(note)
                current = self.current()
            elif note is not None and not self.is_in_force(current):
                # Somebody else has written the file since: begin anew from that.
                self.journal.forget()
            changed = self._write(names, current, for_a_while)
            trouble = self._loopback.add(names.ipv6)
            if trouble:
                self._write(names.without_ipv6(), self.current(), for_a_while)
                self.notes += trouble
            return changed

    def _write(self, names: Names, current: bytes, for_a_while: bool) -> bool:
        wanted, note = self.text(names, current), self.journal.note()
        if note is not None:
            was = note.more.get(_WHILE, False)
            for_a_while = for_a_while and was
            if wanted == current and was == for_a_while:
                return False
        more = {"loopback": names.ipv6, _WHILE: for_a_while}
        self.journal.change(self.path, current, wanted, more)
        return True

    def end_of_while(self) -> None:
        """
        Undo what was installed for a while.

        @raise RedirectError: it cannot be put back.
        """
        note = self.journal.note()
        if note is not None and note.more.get(_WHILE, False):
            self.undo()

    def undo(self) -> bool:
        """
        Put back what was there.

        @return: whether there was anything to undo.
        @raise RedirectError: it cannot be put back.
        """
        self.notes = []
        if not self.exists():
            return False
        with self.journal.locked():
            note = self.journal.note()
            if note is None:
                return self._undo_unnoted()
            self._undo(note)
            return True

    def exists(self) -> bool:
        """Whether it was installed, in full or in part."""
        return self.journal.note() is not None or self.is_in_force(self.current())

    def status(self) -> str:
        """In one line."""
        note, in_force = self.journal.note(), self.is_in_force(self.current())
        if note is None:
            if in_force:
                return f"{self.path} is ours, but nothing says what was there before"
            return "not installed"
        if note.busy:
            return f"half done in {self.path}; install or undo mends it"
        if not in_force:
            return f"{self.path} was written by somebody else since; install again"
        return f"in force in {self.path}"

    def _undo(self, note: Note) -> None:
        self._loopback.remove(note.more.get("loopback", ()))
        path = Path(note.path)
        now = Entry.look(path)
        broken = note.busy and note.in_place
        text = _read(path)
        left = self.leave(note, text)
        theirs = now != note.original and now.digest not in note.written
        if left is not None:
            # They may have written between two of our writings.
            theirs |= digest(left) != (note.original.digest or digest(b""))
        if not theirs or broken:
            self.journal.undo()
            return
        if left is None and self.is_in_force(text):
            # They changed our text, which asks us, who will not be there.
            self.notes.append(f"{path} was ours: what others changed in it is gone")
            self.journal.undo()
            return
        if left is None:
            self.notes.append(f"{path} was changed by somebody else and stays as it is")
        else:
            self.notes.append(f"{path} was changed by somebody else; that stays")
            self.journal.put(note, now.with_content(left), left)
        self.journal.forget()

    def _undo_unnoted(self) -> bool:
        raise RedirectError(
            f"{self.path} is ours, but nothing says what was there before; write it "
            "anew by hand."
        )


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
        servers = names.settings.upstreams
        if not servers:
            # Those of its own configuration first: they are taken out there.
            servers = tuple(_configured(self._configuration()))
        if not servers:
            resolved = _read(inside(self.root, RESOLVED_UPSTREAMS)).decode(
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
        return "\n".join(_read(one).decode("utf-8", "replace") for one in files)


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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise not_written(path, error) from None

"""
The name servers that this machine asks, or asked before its names were redirected.

What redirects them leaves the old ones in the file that it writes, as comments: so
they are there as long as they are needed, and go with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import read_server
from hybridconn.files import inside

#: Before each name server that was there before, in files that we write.
UPSTREAM_MARK = "# hybridconn upstream "

RESOLV_CONF = "etc/resolv.conf"
#: Where systemd-resolved says which name servers it uses itself.
RESOLVED_UPSTREAMS = "run/systemd/resolve/resolv.conf"
RESOLVED_DROP_IN = "etc/systemd/resolved.conf.d/90-hybridconn.conf"
#: systemd-resolved, which asks us in turn.
_STUBS = frozenset({"127.0.0.53", "127.0.0.54"})


class SystemResolvers:
    """
    Finds them anew when one of the files changed.

    @param ours: where our own name server listens: it is not to ask itself.
    @param root: the folder that stands for C{/}.
    """

    def __init__(self, ours: HostPort | None, root: Path = Path("/")) -> None:
        self._ours = ours
        self._files = [
            # The system follows links by itself, each time anew.
            root / name if root == Path("/") else inside(root, name)
            for name in (RESOLV_CONF, RESOLVED_DROP_IN, RESOLVED_UPSTREAMS)
        ]
        self._seen: object = None
        self._found: tuple[HostPort, ...] = ()

    def __call__(self) -> Sequence[HostPort]:
        """The servers, the first one first."""
        state = [_state(path) for path in self._files]
        if state != self._seen:
            resolv, drop_in, resolved = (_text(path) for path in self._files)
            self._found = find_servers(resolv, drop_in, resolved, self._ours)
            self._seen = state
        return self._found


def find_servers(
    resolv: str, drop_in: str, resolved: str, ours: HostPort | None
) -> tuple[HostPort, ...]:
    """
    @param resolv: the text of C{/etc/resolv.conf}.
    @param drop_in: of our own part of systemd-resolved's configuration.
    @param resolved: of the file in which systemd-resolved says what it uses.
    """
    places: list[Callable[[], Iterable[HostPort]]] = [
        lambda: marked(resolv),
        lambda: nameservers(resolv),
        lambda: nameservers(resolved),
        lambda: marked(drop_in),
    ]
    for place in places:
        found = [one for one in place() if one.host not in _STUBS and one != ours]
        if found:
            return tuple(dict.fromkeys(found))
    return ()


def marked(text: str) -> Iterator[HostPort]:
    """The name servers in our own comments."""
    for line in text.splitlines():
        if line.startswith(UPSTREAM_MARK):
            server = read_server(line.removeprefix(UPSTREAM_MARK))
            if server is not None:
                yield server


def nameservers(text: str) -> Iterator[HostPort]:
    """Those of a C{resolv.conf} (resolv.conf(5))."""
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            server = read_server(words[1])
            if server is not None:
                yield server


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""

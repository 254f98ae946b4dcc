"""
The support bundle: what a person needs to help with a manager, in one archive without
a secret.

Nothing secret is put in: keys and tokens are no part of what is collected.  What texts
of others could hold all the same, such as a log line, is looked through before.
"""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import distributions
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final
from urllib.parse import quote

import attrs
from twisted.internet.defer import Deferred

from hybridconn.core.text import utc_text
from hybridconn.hcm.doctor import Doctor
from hybridconn.hcm.history import History
from hybridconn.hcm.logbook import MOST_LINES, LogBook
from hybridconn.hcm.manager import Manager
from hybridconn.hcm.metrics import MetricsRoutes
from hybridconn.hcm.routes import ManagerRoutes
from hybridconn.management.routing import Route, route
from hybridconn.page.handler import Answer, Call
from hybridconn.wayout.errors import PasswordUnreadable
from hybridconn.wayout.proxy import Credentials

HIDDEN: Final = "***"

_LEAST_PASSWORD: Final = 4

#: Shapes of secrets, each with what may stay in front of it.
_SHAPES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(SharedAccessKey\s*=\s*)[^;\s\"']+",
        r"(SharedAccessSignature\s*=\s*)[^;\s\"']+",
        r"(SharedAccessSignature\s+)sr=[^\s\"']+",
        r"(\b(?:sig|sb-hc-token|token|login|code)(?:=|%3D))[^&;\s\"']+",
        r"(\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}",
        r"(gAAAA)[A-Za-z0-9_=-]{40,}",
    )
)
#: Where passwords in URLs stand: a word, what is in front of the user, what is behind
#: the user, and what is behind the password, which may have more of these of its own.
_URLS: Final = (
    (re.compile(r"\S+"), "://", ":", "@"),
    (re.compile(r"[^\s&]+"), "%3a%2f%2f", "%3a", "%40"),
)
#: As long as it was, which C{lower} does not promise.
_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)
#: A user where there is no C{://}.
_USER: Final = re.compile(r"(?<![\w.%+/-])[\w.%+-]+:")
_README: Final = """\
Support bundle of a hybridconn connection manager.

versions.json       the program, Python, and the libraries in use
service.json        the process, its files, since when it runs
configuration.json  listener.toml and the folder's files, without their secrets
connections.json    every hybrid connection, with its last tunnels
history.json        what their status was
doctor.json         what the manager found when it looked at everything
log.txt             the last lines of its log
metrics.txt         its metrics

No key, token or connection string is in it: they are not collected, and what looks
like one in a text is replaced by ***. Names of hosts, targets and files are in it.
"""


class Bundle:
    """
    @param wall: seconds since 1970-01-01 UTC.
    @param routes: knows what C{/v1/version} says.
    """

    def __init__(
        self,
        manager: Manager,
        history: History,
        metrics: MetricsRoutes,
        wall: Callable[[], float],
    ) -> None:
        self._manager = manager
        self._history = history
        self._metrics = metrics
        self._wall = wall
        self._sources: tuple[LogBook, Doctor, ManagerRoutes] | None = None

    def attach(self, logbook: LogBook, doctor: Doctor, routes: ManagerRoutes) -> None:
        """Say where the rest comes from; there are none before the port is built."""
        self._sources = (logbook, doctor, routes)

    def routes(self) -> Iterator[Route]:
        """For those who may."""
        yield route("GET", "/v1/support-bundle", self._give)

    def _give(self, call: Call) -> Deferred[Answer]:
        assert self._sources is not None, "attach() comes first"
        logbook, doctor, routes = self._sources

        def packed(checks: list[dict[str, Any]]) -> Answer:
            files = dict(self._files(logbook, routes, checks))
            when = self._wall()
            stamp = utc_text(when).translate(_PLAIN)
            name = f"hcm-support-{stamp}"
            return Answer(
                body=pack(name, files, when),
                kind="application/gzip",
                headers=(
                    ("Content-Disposition", f'attachment; filename="{name}.tar.gz"'),
                ),
            )

        return doctor.examine_all().addCallback(packed)

    def _files(
        self, logbook: LogBook, routes: ManagerRoutes, checks: list[dict[str, Any]]
    ) -> Iterator[tuple[str, str]]:
        manager = self._manager
        known = self._secrets()

        def told(value: object) -> str:
            return json.dumps(_cleaned(value, known), indent=2) + "\n"

        yield "README.txt", _README
        yield "versions.json", told(dict(sorted(_libraries())))
        yield "service.json", told(routes.version())
        loaded = manager.loaded
        settings = {"file": loaded.config, "connections": loaded.connections}
        yield (
            "configuration.json",
            told({name: plain(value) for name, value in settings.items()}),
        )
        yield (
            "connections.json",
            told(
                [{**one.view(), "recentTunnels": one.book.views()} for one in manager]
            ),
        )
        yield (
            "history.json",
            told({one.name: self._history.states(one) for one in manager}),
        )
        yield "doctor.json", told(checks)
        lines = [
            f"{utc_text(line.at)} {line.level} {line.text}\n"
            for line in logbook.lines(MOST_LINES)
        ]
        yield "log.txt", clean("".join(lines), known)
        yield "metrics.txt", clean(self._metrics.text(), known)

    def _secrets(self) -> list[str]:
        """Of every connection string in force, and of proxies."""
        found = set()
        for one in self._manager:
            connection = one.one.connection
            for secret in (connection.key, connection.signature):
                if secret is not None:
                    found.add(secret.reveal())
        way = self._manager.loaded.config.way_out
        for proxy in (way.proxy, way.plain_proxy):
            if proxy is not None and proxy.credentials is not None:
                found.update(_forms(proxy.credentials))
        # One may be the beginning of another.
        return sorted(found, key=len, reverse=True)


def _forms(credentials: Credentials) -> Iterator[str]:
    """In which a password may stand somewhere."""
    try:
        password = credentials.password.reveal()
    except PasswordUnreadable:
        return
    # What is shorter stands in many words, which would be gone.
    if len(password) >= _LEAST_PASSWORD:
        yield password
        yield quote(password, safe="")
        yield quote(password)
        pair = f"{credentials.user}:{password}"
        yield base64.b64encode(pair.encode()).decode("ascii")


def _cleaned(value: object, known: Sequence[str]) -> object:
    """
    A value for JSON whose texts are L{clean}.  They are cleaned one by one: JSON writes
    some characters otherwise, so that a secret would not be found in it.
    """
    if isinstance(value, Mapping):
        return {
            clean(str(key), known): _cleaned(item, known) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_cleaned(item, known) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return clean(str(value), known)


_PLAIN: Final = str.maketrans({"-": None, ":": None})


def pack(folder: str, files: Mapping[str, str], when: float) -> bytes:
    """A C{.tar.gz} with C{files} in one folder, for their owner alone."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            data = text.encode("utf-8", "replace")
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o600, int(when)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def clean(text: str, known: Iterable[str] = ()) -> str:
    """
    C{text} without what is, or looks like, a secret.

    >>> clean("Endpoint=sb://a/;SharedAccessKey=abc=;EntityPath=b")
    'Endpoint=sb://a/;SharedAccessKey=***;EntityPath=b'

    @param known: secrets, whatever they look like.
    """
    for secret in known:
        if secret:
            text = text.replace(secret, HIDDEN)
    for shape in _SHAPES:
        text = shape.sub(rf"\g<1>{HIDDEN}", text)
    for word, scheme, colon, at in _URLS:
        text = word.sub(partial(_without_password, scheme, colon, at), text)
    return text


def _without_password(scheme: str, colon: str, at: str, found: re.Match[str]) -> str:
    """One word, in time that grows no faster than it."""
    word = found[0]
    folded = word.translate(_LOWER)
    end = folded.rfind(at)
    if end < 0:
        return word
    begin = folded.find(scheme, 0, end)
    if begin >= 0:
        begin = folded.find(colon, begin + len(scheme), end)
    elif at == "@" and (user := _USER.search(word, 0, end)) is not None:
        begin = user.end() - len(colon)
    if begin < 0:
        return word
    return f"{word[: begin + len(colon)]}{HIDDEN}{word[end:]}"


def plain(value: Any) -> Any:
    """
    A configuration as JSON has it.  Fields that are not for a C{repr} are left out.
    """
    if attrs.has(type(value)):
        if hasattr(value, "text"):  # an address: as it was written
            return value.text
        return {
            field.name: plain(getattr(value, field.name))
            for field in attrs.fields(type(value))
            if field.repr is True
        }
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _libraries() -> Iterator[tuple[str, str]]:
    for one in distributions():
        yield one.metadata["Name"], one.version

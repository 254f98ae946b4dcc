"""What a sender needs of its machine: files, the way of names, a name server."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, TimeoutError
from twisted.names.client import Resolver
from twisted.names.error import (
    DNSQueryTimeoutError,
    DNSServerError,
    DomainError,
)
from twisted.python.failure import Failure

from hybridconn.certificates import expiry
from hybridconn.config.addresses import HostPort
from hybridconn.config.listener import ListenerConfig
from hybridconn.config.secrets import Source, carries_secrets, permission_mistake
from hybridconn.config.sender import SenderConfig
from hybridconn.diagnosis.check import Check, Result
from hybridconn.diagnosis.local import check_port
from hybridconn.names.plan import WILDCARD, HostAddresses
from hybridconn.names.resolvers import SystemResolvers
from hybridconn.redirect.errors import RedirectError
from hybridconn.redirect.ways import WAYS
from hybridconn.websocket.words import is_surprise

_DAY: Final = 86400.0
FILES, CERTIFICATE, WAY, NAME_SERVER, UPSTREAM = (
    "file modes",
    "own certificate",
    "way of names",
    "name server",
    "upstream",
)
_SECRET_FILES: Final = (
    "connection_string_file",
    "proxy_password_file",
    "client_key",
    "key_file",
)
_HERE: Final = "this machine"
#: Asks a name server for the IPv4 addresses of a name; C{None}: no answer.
Ask = Callable[[HostPort, str, Any], Awaitable[list[str] | None]]


def role_of(file: str) -> str:
    """Whose configuration a file is: C{sender}, C{listener} or C{relay}."""
    try:
        raw = tomllib.loads(Path(file).read_text("utf-8-sig"))
    except (OSError, ValueError):
        return "sender"
    if raw.keys() & {"hybrid_connection", "connections", "admin", "allow_targets"}:
        return "listener"
    return "relay" if raw.keys() & {"namespace", "listen", "relay"} else "sender"


def check_modes(file: str, environ: Mapping[str, str] = os.environ) -> list[Check]:
    """
    Whether nobody else may read what holds secrets.

    @param file: a configuration.
    """
    path = Path(file)
    try:
        raw = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError):
        return []  # said by who reads it in full
    source = Source(file, path.parent, environ)
    checks, private = [], 0
    for one in dict.fromkeys(_private_files(path, raw, source)):
        try:
            with one.open("rb") as opened:
                wrong = permission_mistake(opened, one, environ)
        except OSError:
            continue  # the same
        private += 1
        if wrong is not None:
            seen, _, mend = wrong.partition("; ")
            checks.append(Check(str(one), FILES, Result.FAIL, seen, mend))
    if not checks and private:
        seen = f"{private} with secrets, for their owner alone"
        checks.append(Check(file, FILES, Result.PASS, seen))
    return checks


def _private_files(path: Path, raw: Any, source: Source) -> Iterator[Path]:
    if carries_secrets(raw):
        yield path
    yield from _named(raw, source)


def _named(raw: Any, source: Source) -> Iterator[Path]:
    if isinstance(raw, list):
        for item in raw:
            yield from _named(item, source)
    elif isinstance(raw, dict):
        for key, value in raw.items():
            if key in _SECRET_FILES and isinstance(value, str) and "\0" not in value:
                yield source.path(value)
            else:
                yield from _named(value, source)


def check_ways(root: Path = Path("/")) -> list[Check]:
    """Which ways have names found, and whether somebody else has changed them."""
    checks = []
    for name, make in WAYS.items():
        try:
            in_force, words = make(root).look()
        except RedirectError as error:
            checks.append(Check(_HERE, WAY, Result.SKIP, f"{name}: {error}"))
            continue
        if in_force is not None:
            mend = f"install it again: hybridconn redirect install --way {name}"
            seen = f"{name}: {words}"
            checks.append(Check(_HERE, WAY, in_force, seen, "" if in_force else mend))
    if not checks:
        seen = (
            "none is in force: apps find the names by hybridconn exec or a proxy only"
        )
        checks.append(Check(_HERE, WAY, Result.SKIP, seen))
    return checks


def check_own_certificate(
    config: SenderConfig | ListenerConfig, now: float
) -> list[Check]:
    """
    Whether the certificate that is shown to the relay is still good.

    @param now: seconds since 1970-01-01 UTC.
    """
    files = config.way_out.client_certificate
    if files is None:
        return []
    ends = expiry(Path(files.certificate).read_bytes()).timestamp()
    days = int((ends - now) / _DAY)
    seen = f"{files.certificate}, {days} days left"
    mend = "" if ends > now else "get another one, as client_certificate of [way_out]"
    return [Check(_HERE, CERTIFICATE, ends > now, seen, mend)]


def check_front_doors(config: SenderConfig) -> Iterator[Check]:
    """Whether the sender is a proxy for apps where it is to be."""
    for bind in (config.front_door.socks_bind, config.front_door.http_bind):
        if bind is not None and bind.port:
            yield check_port("front door", bind)


async def check_name_server(
    config: SenderConfig,
    hosts: Mapping[str, HostAddresses],
    reactor: Any,
    runs: bool,
    ask: Ask | None = None,
) -> list[Check]:
    """
    Whether the sender's name server answers, and those that it asks.

    @param runs: whether the sender does.
    @param ask: as L{_ask} does.
    """
    ask = ask or _ask
    dns = config.names.dns
    if dns is None or not hosts:
        return []
    if not runs:
        return [Check(_HERE, NAME_SERVER, Result.SKIP, "the sender does not listen")]
    host, planned = next(iter(hosts.items()))
    asked = host.replace(WILDCARD, "hybridconn-test.", 1)
    began = reactor.seconds()
    found = await ask(dns, asked, reactor)
    seconds = reactor.seconds() - began
    if any(host == one.host for it in config.redirects for one in it.endpoints):
        # Each name below a wildcard of many services has an address of its own.
        good = bool(found) and all(
            ip_address(one) in config.names.network for one in found or ()
        )
    else:
        good = found == [planned.ipv4]
    told = "no answer" if found is None else " and ".join(found) or "not found"
    seen = f"{dns}: {asked} is {told}"
    mend = "" if good else "start twistd hcsender; if it runs, see its log"
    checks = [Check(_HERE, NAME_SERVER, good, seen, mend, seconds)]
    servers = config.names.upstreams or SystemResolvers(dns)()
    if not servers:
        mend = "write the network's name servers into [names] upstreams"
        checks.append(Check(_HERE, UPSTREAM, Result.FAIL, "there is none", mend))
    for server in servers:
        began = reactor.seconds()
        answered = await ask(server, _outer_name(config), reactor)
        seconds = reactor.seconds() - began
        good = answered is not None
        seen = f"{server} {'answers' if good else 'does not answer'}"
        mend = "" if good else "mend [names] upstreams, or this machine's resolv.conf"
        checks.append(Check(_HERE, UPSTREAM, good, seen, mend, seconds))
    return checks


def _outer_name(config: SenderConfig) -> str:
    """A name that the network's servers are to know."""
    for redirect in config.redirects:
        return redirect.connection.host
    for forward in config.forwards:
        return forward.connection.host
    return urlsplit(config.app.management).hostname or "localhost"


async def _ask(server: HostPort, name: str, reactor: Any) -> list[str] | None:
    """The IPv4 addresses of a name; L{None}: there was no answer."""
    resolver = Resolver(
        servers=[(server.host, server.port)], timeout=(2,), reactor=reactor
    )
    asking: Deferred[Any] = resolver.lookupAddress(name)
    try:
        answers, _, _ = await asking
    except DNSServerError:
        return None
    except DomainError:
        return []
    except (DNSQueryTimeoutError, TimeoutError, OSError):
        return None
    except Exception as error:
        if is_surprise(Failure(error)):
            raise
        return None
    return [one.payload.dottedQuad() for one in answers if one.type == 1]

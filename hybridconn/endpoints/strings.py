"""
C{hc:} in endpoint strings.

::

    hc:connectionStringFile=/etc/app/send.connection-string
    hc:db:host=relay.example.net:keyName=defaultSender:keyFile=/etc/app/send.key

Both kinds also take C{port}, C{keyEnv} or C{connectionStringEnv} (a variable
instead of a file), C{caFile} (further certificate authorities) and
C{insecure=yes} (plain C{ws://}).  Servers take C{retry=yes} too: wait for the
relay instead of failing when it is not there at first.  Clients take C{target}: the
host and port that is wanted of a listener with many targets, the colon escaped, as in
C{target=db.corp\\:1433}.  A key itself is never a parameter.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen
from twisted.internet.interfaces import (
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

from hybridconn.config.mistakes import Mistake
from hybridconn.config.secrets import Source, read_bytes
from hybridconn.core.connection_string import ConnectionString, ConnectionStringError
from hybridconn.core.entities import Secret
from hybridconn.core.http import split_authority
from hybridconn.core.names import fold, parse_entity_path
from hybridconn.core.targets import TargetError, parse_wanted
from hybridconn.dialer import ReactorDialer
from hybridconn.endpoints.client import HybridConnectionClientEndpoint
from hybridconn.endpoints.server import HybridConnectionServerEndpoint
from hybridconn.wayout.environment import from_environment
from hybridconn.wayout.proxy import parse_proxy
from hybridconn.wayout.way import WayOut

_WHOLE = ("connectionStringFile", "connectionStringEnv")
_PARTS = ("host", "port", "keyName", "keyFile", "keyEnv")
_COMMON = ("caFile", "insecure", "proxy")
_YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@frozen
class Parameters:
    """
    What an C{hc:} string says.

    @ivar connection: with an entity path.
    @ivar ca_files: with further authorities.
    @ivar retry: see L{HybridConnectionServerEndpoint}.
    @ivar way_out: the proxy, if there is one.
    @ivar target: what is wanted of the listener; empty: its own.
    """

    connection: ConnectionString
    ca_files: tuple[str, ...]
    retry: bool = False
    way_out: WayOut = field(factory=WayOut)
    target: str = ""

    def dialer(self, reactor: Any) -> ReactorDialer:
        """
        The way to the relay.

        @raise TLSConfigError: a file of authorities cannot be used.
        """
        return ReactorDialer(reactor, self.ca_files, way_out=self.way_out)


def parse(
    args: Sequence[str],
    given: Mapping[str, str],
    environ: Mapping[str, str],
    more: Sequence[str] = (),
) -> Parameters:
    """
    Read the parameters of an C{hc:} string.

    @param args: those without a name: the hybrid connection, or nothing.
    @param more: names that are known beside the usual ones.
    @raise ValueError: with the parameter that is wrong; never with a secret.
    """
    known = (*_WHOLE, *_PARTS, *_COMMON, *more)
    for name in given:
        if name not in known:
            raise ValueError(
                f"hc: has no parameter {name!r}; it has {', '.join(known)}"
            )
    if len(args) > 1:
        raise ValueError("hc: takes one hybrid connection before its parameters")
    source = Source("hc:", Path(), environ)
    whole = [name for name in _WHOLE if name in given]
    if whole:
        also = [name for name in (*_WHOLE, *_PARTS) if name in given]
        if len(also) > 1:
            raise ValueError(f"hc: {also[1]} cannot stand beside {also[0]}")
        found = _from_whole(whole[0], given[whole[0]], source)
    else:
        found = _from_parts(given, source)
    ca_files = (given["caFile"],) if "caFile" in given else ()
    return Parameters(
        evolve(_with_entity(found, args), secure=not _switch(given, "insecure")),
        ca_files,
        _switch(given, "retry"),
        _way_out(given.get("proxy", "none"), environ),
        _target(given),
    )


def _target(given: Mapping[str, str]) -> str:
    if "target" not in given:
        return ""
    try:
        return str(parse_wanted(given["target"]))
    except TargetError as error:
        raise ValueError(f"hc: target: {error}; its colon is written \\:") from None


def _way_out(text: str, environ: Mapping[str, str]) -> WayOut:
    if text == "none":
        return WayOut()
    try:
        if text == "environment":
            return from_environment(environ)
        proxy = parse_proxy(text, "the environment, with proxy=environment")
    except ValueError as error:
        raise ValueError(f"hc: proxy: {error}") from None
    if proxy.credentials is not None:
        raise ValueError(
            "hc: proxy: leave user and password out of it; they may stand in"
            " HTTPS_PROXY, with proxy=environment"
        )
    return WayOut(proxy=proxy, plain_proxy=proxy)


def _from_whole(name: str, value: str, source: Source) -> ConnectionString:
    text = _content(name, value, source)
    try:
        return ConnectionString.parse(text)
    except ConnectionStringError as error:
        raise ValueError(f"hc: {name}: {error}") from None


def _from_parts(given: Mapping[str, str], source: Source) -> ConnectionString:
    if "host" not in given:
        raise ValueError(
            "hc: needs connectionStringFile, or the hybrid connection and host, as in"
            " hc:db:host=relay.example.net:keyName=defaultSender:keyFile=send.key"
        )
    try:
        host, no_port = split_authority(given["host"])
    except ValueError as error:
        raise ValueError(f"hc: host: {error}") from None
    port = given.get("port", "443")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"hc: port {port!r} is not between 1 and 65535")
    if no_port is not None:
        raise ValueError("hc: write the port as port=, not behind the host")
    keys = [name for name in ("keyFile", "keyEnv") if name in given]
    if len(keys) > 1:
        raise ValueError("hc: keyEnv cannot stand beside keyFile")
    if bool(keys) is not ("keyName" in given):
        raise ValueError("hc: keyName and keyFile (or keyEnv) go together")
    key = None
    if keys:
        key = Secret(_content(keys[0], given[keys[0]], source).strip())
        if not key:
            raise ValueError(f"hc: {keys[0]} leads to no key: it is empty")
    return ConnectionString(host, int(port), None, given.get("keyName"), key)


def _content(name: str, value: str, source: Source) -> str:
    """What is in the file, or the variable, that a parameter names."""
    if name.endswith("Env"):
        found = source.environ.get(value)
        if not found:
            raise ValueError(f"hc: {name}: the environment has no variable {value!r}")
        return found
    try:
        return read_bytes(value, source, private=True).decode("utf-8-sig")
    except Mistake as mistake:
        raise ValueError(f"hc: {name}: {mistake.text}") from None
    except UnicodeDecodeError:
        raise ValueError(f"hc: {name}: {value!r} is not UTF-8 text") from None


def _with_entity(found: ConnectionString, args: Sequence[str]) -> ConnectionString:
    if args:
        try:
            path = parse_entity_path(args[0].strip("/"))
        except ValueError as error:
            raise ValueError(f"hc: the hybrid connection: {error}") from None
        if found.entity_path is not None and fold(found.entity_path) != fold(path):
            raise ValueError("hc: the connection string is for another one")
        return evolve(found, entity_path=path)
    if found.entity_path is None:
        raise ValueError("hc: names no hybrid connection, as db in hc:db:host=...")
    return found


def _switch(given: Mapping[str, str], name: str) -> bool:
    word = given.get(name, "no").lower()
    if word not in _YES:
        raise ValueError(f"hc: {name} is yes or no")
    return _YES[word]


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class ClientParser:
    """C{clientFromString(reactor, "hc:…")}."""

    prefix = "hc"

    def parseStreamClient(
        self, reactor: Any, *args: Any, **kwargs: Any
    ) -> HybridConnectionClientEndpoint:
        """Make the endpoint (Twisted)."""
        found = parse(args, kwargs, os.environ, more=["target"])
        return HybridConnectionClientEndpoint.for_connection(
            found.connection,
            reactor,
            found.dialer(reactor),
            target=found.target,
        )


@implementer(IPlugin, IStreamServerEndpointStringParser)
class ServerParser:
    """C{serverFromString(reactor, "hc:…")}."""

    prefix = "hc"

    def parseStreamServer(
        self, reactor: Any, *args: Any, **kwargs: Any
    ) -> HybridConnectionServerEndpoint:
        """Make the endpoint (Twisted)."""
        found = parse(args, kwargs, os.environ, more=["retry"])
        return HybridConnectionServerEndpoint.for_connection(
            found.connection,
            reactor,
            found.dialer(reactor),
            retry=found.retry,
        )

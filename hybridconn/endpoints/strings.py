"""
C{hc:} in endpoint strings.

::

    hc:connectionStringFile=/etc/app/send.connection-string
    hc:db:host=relay.example.net:keyName=defaultSender:keyFile=/etc/app/send.key
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.interfaces import (
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

from hybridconn.config.mistakes import Mistake
from hybridconn.config.secrets import Source, connection_string, read_bytes
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.entities import Secret
from hybridconn.core.names import parse_entity_path
from hybridconn.dialer import ReactorDialer
from hybridconn.endpoints.client import HybridConnectionClientEndpoint
from hybridconn.endpoints.server import HybridConnectionServerEndpoint
from hybridconn.interfaces import IDialer
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.sender.connector import TunnelConnector
from hybridconn.websocket.addresses import HybridConnectionAddress

_WHOLE = {
    "connectionStringFile": "connection_string_file",
    "connectionStringEnv": "connection_string_env",
}
_PARTS = ("host", "port", "keyName", "keyFile", "keyEnv")
_COMMON = ("caFile", "insecure")
_YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def parse(
    args: tuple[str, ...], kwargs: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[ConnectionString, tuple[str, ...]]:
    """
    Read the parameters of an C{hc:} string.

    @return: the connection string, and the files with further authorities.
    @raise ValueError: with the parameter that is wrong; never with a secret.
    """
    known = (*_WHOLE, *_PARTS, *_COMMON)
    for name in kwargs:
        if name not in known:
            raise ValueError(
                f"hc: has no parameter {name!r}; it has {', '.join(known)}"
            )
    if len(args) > 1:
        raise ValueError("hc: takes one hybrid connection before its parameters")
    source = Source("hc:", Path(), environ)
    whole = {_WHOLE[name]: value for name, value in kwargs.items() if name in _WHOLE}
    try:
        if whole:
            for name in _PARTS:
                if name in kwargs:
                    raise ValueError(f"hc: {name} stands in the connection string")
            found = connection_string(whole, source)
        else:
            found = _from_parts(args, kwargs, source)
    except Mistake as mistake:
        raise ValueError(f"hc: {mistake.text}") from None
    if args:
        found = evolve(found, entity_path=parse_entity_path(args[0]))
    insecure = kwargs.get("insecure", "no").lower()
    if insecure not in _YES:
        raise ValueError("hc: insecure is yes or no")
    ca_files = (kwargs["caFile"],) if "caFile" in kwargs else ()
    return evolve(found, secure=not _YES[insecure]), ca_files


def _from_parts(
    args: tuple[str, ...], kwargs: Mapping[str, str], source: Source
) -> ConnectionString:
    if "host" not in kwargs or not args:
        raise ValueError(
            "hc: needs connectionStringFile, or the hybrid connection and host, as in"
            " hc:db:host=relay.example.net:keyName=defaultSender:keyFile=send.key"
        )
    port = kwargs.get("port", "443")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"hc: port {port!r} is not between 1 and 65535")
    key = None
    if "keyFile" in kwargs:
        key = read_bytes(kwargs["keyFile"], source, private=True).decode().strip()
    elif "keyEnv" in kwargs:
        key = source.environ.get(kwargs["keyEnv"])
        if not key:
            raise ValueError(
                f"hc: the environment has no variable {kwargs['keyEnv']!r}"
            )
    if (key is None) is not ("keyName" not in kwargs):
        raise ValueError("hc: keyName and keyFile (or keyEnv) go together")
    return ConnectionString(
        kwargs["host"].lower(),
        int(port),
        parse_entity_path(args[0]),
        kwargs.get("keyName"),
        None if key is None else Secret(key),
    )


def _dialer(reactor: Any, ca_files: tuple[str, ...]) -> IDialer:
    dialer: IDialer = ReactorDialer(reactor, ca_files)
    return dialer


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class ClientParser:
    """C{clientFromString(reactor, "hc:…")}."""

    prefix = "hc"

    def parseStreamClient(
        self, reactor: Any, *args: Any, **kwargs: Any
    ) -> HybridConnectionClientEndpoint:
        """Make the endpoint (Twisted)."""
        connection, ca_files = parse(args, kwargs, os.environ)
        dialer = _dialer(reactor, ca_files)
        return HybridConnectionClientEndpoint(
            TunnelConnector(connection, dialer, reactor)
        )


@implementer(IPlugin, IStreamServerEndpointStringParser)
class ServerParser:
    """C{serverFromString(reactor, "hc:…")}."""

    prefix = "hc"

    def parseStreamServer(
        self, reactor: Any, *args: Any, **kwargs: Any
    ) -> HybridConnectionServerEndpoint:
        """Make the endpoint (Twisted)."""
        connection, ca_files = parse(args, kwargs, os.environ)
        dialer = _dialer(reactor, ca_files)
        return HybridConnectionServerEndpoint(
            partial(_listener, connection, dialer, reactor),
            HybridConnectionAddress(connection.host, connection.require_entity_path()),
        )


def _listener(
    connection: ConnectionString, dialer: IDialer, reactor: Any, connector: Any
) -> HybridConnectionListener:
    return HybridConnectionListener(connection, connector, dialer, reactor)

"""
Addresses of a listener's targets and of a sender's local ports.
"""

from __future__ import annotations

import ipaddress
import re
import warnings

from attrs import frozen
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    clientFromString,
)
from twisted.internet.interfaces import (
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
)
from twisted.internet.task import Clock
from twisted.plugin import getPlugins

from hybridconn.core.host_port import HostPort as HostPort
from hybridconn.core.host_port import parse_host_port as parse_host_port
from hybridconn.core.http import bare_host
from hybridconn.core.http_url import HttpUrl

# Those that Twisted knows without a plugin.
_BUILT_IN = frozenset({"tcp", "unix", "ssl"})


@frozen
class Target:
    """
    What a listener joins accepted connections to.

    @ivar text: the address as it was written.
    @ivar host_port: host and port, if that is what it is; otherwise C{text} is
        the description of a Twisted client endpoint.
    @ivar http: the address of an HTTP service, if that is what it is.
    """

    text: str
    host_port: HostPort | None = None
    http: HttpUrl | None = None

    def __str__(self) -> str:
        return self.text

    def endpoint(self, reactor: object, timeout: float) -> IStreamClientEndpoint:
        """
        @param reactor: the reactor to connect with.
        @param timeout: seconds, for one attempt at a host and port; other
            endpoints take theirs from their description.
        """
        if self.host_port is None:
            endpoint: IStreamClientEndpoint = clientFromString(reactor, self.text)
            return endpoint
        host, port = self.host_port.host, self.host_port.port
        # A name has many addresses to try; that machinery is dear where none are.
        try:
            version = ipaddress.ip_address(host).version
        except ValueError:
            return HostnameEndpoint(reactor, host, port, timeout)
        kind = TCP4ClientEndpoint if version == 4 else TCP6ClientEndpoint
        return kind(reactor, host, port, int(timeout + 1))


def parse_host_name(text: str) -> str:
    """
    Read a host name or an IP address, with or without brackets.

    @return: in lower case, without brackets.
    @raise ValueError: with a sentence on what is wrong.
    """
    try:
        return bare_host(text)
    except ValueError:
        raise ValueError(
            "write it without scheme and port, like relay.example.net"
        ) from None


def parse_bind(text: str) -> HostPort:
    """
    Read the address of a local port: an IP address and a port, which may be 0
    for any free one.

    @raise ValueError: with a sentence on what is wrong.
    """
    bind = parse_host_port(text, lowest_port=0)
    if bind.host.lower() == "localhost":
        # One address, and the same one whatever the machine's hosts file says.
        return HostPort("127.0.0.1", bind.port)
    try:
        ipaddress.ip_address(bind.host)
    except ValueError:
        raise ValueError(
            "bind to an IP address of this machine, such as 127.0.0.1:15432"
        ) from None
    return bind


def parse_target(text: str) -> Target:
    """
    Read a target: C{host:port}, C{[v6]:port}, an C{http://} or C{https://} URL, or
    the description of a Twisted client endpoint such as C{unix:/run/app.sock}.

    @raise ValueError: with a sentence on what is wrong.
    """
    if re.match(r"https?:/", text, re.IGNORECASE):
        return Target(text, http=HttpUrl.parse(text))
    prefix, colon, _ = text.partition(":")
    if not colon and prefix:
        raise ValueError(
            "write it as host:port, as an http:// or https:// URL, or as the "
            "description of a Twisted client endpoint, such as unix:/run/app.sock"
        )
    if not prefix or "/" in prefix or _looks_like_host(text):
        return Target(text, parse_host_port(text))
    if prefix.lower() in _BUILT_IN:
        _try_description(text)
    elif prefix.lower() not in _plugin_prefixes():
        raise ValueError(
            "write it as host:port, or as a Twisted client endpoint whose type is "
            f"installed, such as unix:/run/app.sock ({prefix[:20]} is not)"
        )
    return Target(text)


def _looks_like_host(text: str) -> bool:
    return text.startswith("[") or re.fullmatch(r"[^:]*:[0-9-]*", text) is not None


def _plugin_prefixes() -> set[str]:
    parsers = getPlugins(IStreamClientEndpointStringParserWithReactor)
    return {parser.prefix.lower() for parser in parsers}


def _try_description(text: str) -> None:
    # Nothing is dialled: it only shows whether the arguments fit, now instead of
    # with the first sender.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clientFromString(Clock(), text)
    except (TypeError, ValueError, KeyError):
        raise ValueError(
            "its arguments do not fit a Twisted client endpoint of this type"
        ) from None

"""The head of an HTTP request as a value."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from attrs import field, frozen

_AUTHORITY = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{0,5}))?"
)

_ABSOLUTE = re.compile(r"(https?|wss?)://([^/?#]*)", re.IGNORECASE)
_USUAL_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def split_authority(text: str) -> tuple[str, int | None]:
    """
    Take C{host[:port]} apart, as it stands in C{Host} or in a URL.

    @return: the host in lower case, without the brackets of an IPv6 address and
        without a final dot, and the port, L{None} if there is none.
    @raise ValueError: if C{text} is no host with an optional port; a user name
        in front of it is not allowed either.
    """
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise ValueError("this is not a host name with an optional port")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError("the port is not between 1 and 65535")
    host = (match["v6"] or match["host"]).lower().rstrip(".")
    if not host:
        raise ValueError("the host name is empty")
    return host, port


def bare_host(text: str) -> str:
    """
    Read a host name or an IP address, with or without the brackets of IPv6.

    @return: in lower case, without brackets.
    @raise ValueError: it is neither; a port behind it is not allowed.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    host, port = split_authority(text)
    if bare != text or port is not None:
        raise ValueError("this is not a host name or an address alone")
    return host


def origin_form(target: str) -> str:
    """
    Path and query of a request target, or of a URL, byte for byte.

    >>> origin_form("https://relay.test?a;"), origin_form("/b?")
    ('/?a;', '/b?')

    @raise ValueError: it is neither a path nor a URL for HTTP or WebSockets.
    """
    if target.startswith("/"):
        return target
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        raise ValueError("it is not a path")
    rest = target[absolute.end() :]
    return rest if rest.startswith("/") else "/" + rest


def names_host(target: str, host: str) -> bool:
    """
    Whether a request target leaves it to C{host} to say where it goes to, or says the
    same.

    @param host: the C{Host} field.
    """
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return True
    usual = _USUAL_PORTS[absolute[1].lower()]
    try:
        (said, port), (field_said, field_port) = (
            split_authority(authority) for authority in (absolute[2], host)
        )
    except ValueError:
        return False
    return (said, port or usual) == (field_said, field_port or usual)


def join_authority(host: str, port: int | None) -> str:
    """Write C{host[:port]}, with brackets around an IPv6 address."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _path_only(target: str) -> str:
    return repr(target.partition("?")[0])


def _pairs(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(headers)


@frozen
class RequestHead:
    """
    Request line and header fields as received.  Text is ISO 8859-1, so that
    every octet is kept.  The C{repr} shows neither query nor headers, as both
    may carry tokens.

    @ivar method: in the case in which it was sent.
    @ivar target: the request target, undecoded.
    @ivar version: C{"1.1"} or C{"1.0"}.
    @ivar headers: names in their original case, in order, repeated ones apart.
    """

    method: str
    target: str = field(repr=_path_only)
    version: str = field(default="1.1")
    headers: tuple[tuple[str, str], ...] = field(
        default=(), repr=False, converter=_pairs
    )
    _values: dict[str, list[str]] = field(init=False, repr=False, eq=False)

    @_values.default
    def _index(self) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for name, value in self.headers:
            values.setdefault(name.lower(), []).append(value)
        return values

    def get_all(self, name: str) -> list[str]:
        """The values of all fields called C{name}, in any case, in order."""
        return list(self._values.get(name.lower(), ()))

    def get(self, name: str) -> str | None:
        """
        The value of C{name}; several are joined as relay-protocol section 5
        says: with C{", "}, those of C{Cookie} with C{"; "}.
        """
        values = self._values.get(name.lower())
        if not values:
            return None
        if len(values) == 1:
            return values[0]
        return ("; " if name.lower() == "cookie" else ", ").join(values)

    @property
    def authority(self) -> str:
        """The C{Host} field as it is; empty if there is none."""
        return self.get("host") or ""

    @property
    def host(self) -> str:
        """
        The host of the C{Host} field: lower case, no port, no brackets.  Empty
        if the field is missing or is no host.
        """
        try:
            return split_authority(self.authority)[0]
        except ValueError:
            return ""

    @property
    def wants_websocket(self) -> bool:
        """Whether the request asks to become a WebSocket."""
        return self._has_token("connection", "upgrade") and self._has_token(
            "upgrade", "websocket"
        )

    def _has_token(self, name: str, token: str) -> bool:
        return any(
            part.strip().lower() == token
            for value in self._values.get(name, ())
            for part in value.split(",")
        )

"""
The kinds of values that a configuration holds beside plain text, numbers and
switches: each has a word for the docs and a function that reads it.

A kind is the second part of an C{Annotated} type of a table's field; the loader
finds it there.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from attrs import frozen

from hybridconn.certificates import check_certificates
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.secrets import Source, read_bytes
from hybridconn.core.entities import Secret
from hybridconn.core.sas import MAX_KEY

_LONGEST_WAIT = 366 * 86400.0


@frozen
class Kind:
    """
    @ivar word: what the docs call it.
    @ivar raw: the type that must stand in the file.
    @ivar read: makes the value of it, or raises L{Mistake}.
    """

    word: str
    raw: type
    read: Callable[[Any, Source], Any]


def _seconds(value: float, source: Source) -> float:
    if not math.isfinite(value) or not 0 < value <= _LONGEST_WAIT:
        raise Mistake(f"{value} is no usable time; write seconds, more than 0.")
    return value


def _share(value: float, source: Source) -> float:
    if not 0 < value < 1:
        raise Mistake(f"{value} is no share; write a number between 0 and 1.")
    return value


def _count(value: int, source: Source) -> int:
    if not 0 <= value <= 100_000:
        raise Mistake(f"{value} is no usable number; use 0 to 100000.")
    return value


def _port(value: int, source: Source) -> int:
    if not 0 <= value <= 65535:
        raise Mistake(f"{value} is no port; use 1 to 65535, or 0 for any free one.")
    return value


def _interface(value: str, source: Source) -> str:
    if value:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise Mistake(
                f"{shown(value)} is no address of this machine; use an IP address, "
                'or "" for every IPv4 address and "::" for every address.'
            ) from None
    return value


def _key(value: str, source: Source) -> Secret:
    # The value itself must not get into any of these messages.
    if not value:
        raise Mistake("is empty; make keys with: hybridconn init.")
    if len(value) > MAX_KEY:
        raise Mistake(f"has {len(value)} characters; use {MAX_KEY} at most.")
    if not value.isprintable() or ";" in value or value != value.strip():
        raise Mistake(
            "has a line break, a semicolon, or a blank at an end, which no connection "
            "string can hold; make keys with: hybridconn init."
        )
    return Secret(value)


def _name(value: str, source: Source) -> str:
    if not value.strip():
        raise Mistake("is empty; write a name.")
    if len(value) > MAX_KEY:
        raise Mistake(f"has {len(value)} characters; use {MAX_KEY} at most.")
    if not value.isprintable() or ";" in value or value != value.strip():
        raise Mistake(
            f"{shown(value)} has a line break, a semicolon, or a blank at an end, "
            "which no connection string can hold; leave it out."
        )
    return value


def _as_it_is(value: Any, source: Source) -> Any:
    return value


def _authorities(value: str, source: Source) -> Path:
    content = read_bytes(value, source, private=False)
    try:
        check_certificates(content)
    except ValueError as error:
        raise Mistake(f"{shown(value)} {error}.") from None
    return source.path(value)


def _public_url(value: str, source: Source) -> str:
    if not value:
        return value
    try:
        url = urlsplit(value)
        good = url.scheme in ("ws", "wss") and url.hostname and url.port != 0
        bare = url.path in ("", "/") and not (url.query or url.fragment)
    except ValueError:
        good = bare = False
    if not good or not bare or "@" in value or not value.isprintable() or " " in value:
        raise Mistake(
            f"{shown(value)} is no address of a relay; write it like "
            '"wss://relay.example.net:443".'
        )
    return value.rstrip("/")


def choice(*words: str) -> Callable[[str, Source], str]:
    """What reads one of C{words}."""
    known = " or ".join(f'"{word}"' for word in words)

    def read(value: str, source: Source) -> str:
        if value not in words:
            raise Mistake(f"{shown(value)} is not known; use {known}.")
        return value

    return read


#: Who reads and writes the frames of tunnels.
DataPathName = Annotated[
    Literal["slim", "autobahn"], Kind("name", str, choice("slim", "autobahn"))
]
#: Whose code lies between TLS and the network.
TLSPathName = Annotated[
    Literal["lean", "twisted"], Kind("name", str, choice("lean", "twisted"))
]
Seconds = Annotated[float, Kind("seconds", float, _seconds)]
Share = Annotated[float, Kind("number between 0 and 1", float, _share)]
Count = Annotated[int, Kind("number", int, _count)]
Port = Annotated[int, Kind("port", int, _port)]
Interface = Annotated[str, Kind("IP address", str, _interface)]
Key = Annotated[Secret, Kind("key", str, _key)]
Name = Annotated[str, Kind("name", str, _name)]
#: A file that is looked at together with something else.
FileName = Annotated[str, Kind("file", str, _as_it_is)]
VariableName = Annotated[str, Kind("variable", str, _as_it_is)]
Authorities = Annotated[Path, Kind("file", str, _authorities)]
PublicUrl = Annotated[str, Kind("URL", str, _public_url)]

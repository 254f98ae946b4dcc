"""
The JSON of commands, from a peer that may write anything (reliability-security T14).

Each command is one JSON object with exactly one member, which names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from attrs import frozen

MAX_COMMAND_BYTES = 65535
"""Existing listeners read a command into a buffer of 64 KiB."""

MAX_DEPTH = 16
"""How deep objects and lists may be nested."""


_ADDRESS = re.compile(r"wss?://[\x21-\x7e]+", re.IGNORECASE)


def path_only(address: str) -> str:
    """An address as it may be shown: its query has the secret."""
    return repr(address.partition("?")[0])


@frozen
class CommandError(Exception):
    """
    A command that cannot be understood.

    @ivar detail: what is wrong; nothing of the command is in it.
    @ivar closes: whether the channel is to be closed with 1008; otherwise the
        command is ignored and logged.
    """

    detail: str
    closes: bool = False

    def __str__(self) -> str:
        return self.detail


def encode_command(name: str, value: Mapping[str, Any]) -> str:
    """Write a command."""
    return json.dumps({name: value}, ensure_ascii=False, separators=(",", ":"))


def object_in(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A member that is an object; an empty one if it is not there or no object."""
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    """A value as text: what is no text in its JSON, lists and objects as nothing."""
    if value is None or isinstance(value, dict | list):
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def address_in(parent: Mapping[str, Any], command: str) -> str:
    """
    The rendezvous address in a relay's command.

    @raise CommandError: there is none.
    """
    address = parent.get("address")
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise CommandError(f"'{command}.address' is not the address of a WebSocket")
    return address


def port_of(value: object) -> int:
    """A port number; 0 for what is none."""
    return value if type(value) is int and 0 <= value <= 65535 else 0


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("doubled member")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def parse_command(text: str | bytes, max_bytes: int) -> tuple[str, Any]:
    """
    Read a command.

    @return: its name and its value.
    @raise CommandError: it is none.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(data) > max_bytes:
        raise CommandError("the command is too long", closes=True)
    try:
        value = _decoder.decode(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise CommandError("the command is not JSON") from None
    if not isinstance(value, dict) or len(value) != 1:
        raise CommandError("the command is not an object with one member")
    if _depth(value) > MAX_DEPTH:
        raise CommandError("the command is nested too deep")
    (item,) = value.items()
    return item


def _depth(value: object) -> int:
    """Count levels without recursion, as a peer decides how many there are."""
    depth = 0
    level = [value]
    while level := [v for v in level if isinstance(v, dict | list)]:
        depth += 1
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
    return depth

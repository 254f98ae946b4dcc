"""
The commands of the control channel: JSON text and frozen classes (relay-protocol
section 5, reliability-security T14).

Each command is one JSON object with exactly one member, which names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from attrs import field, frozen

from hybridconn.core.entities import Secret
from hybridconn.core.refusals import HeadersTooLarge

MAX_COMMAND_BYTES = 65535
"""Existing listeners read a command into a buffer of 64 KiB."""

MAX_DEPTH = 16
"""How deep objects and lists may be nested."""


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


_ADDRESS = re.compile(r"wss?://[\x21-\x7e]+", re.IGNORECASE)


def _path_only(address: str) -> str:
    return repr(address.partition("?")[0])


@frozen
class Accept:
    """
    Relay to listener: a sender waits at C{address}.

    C{{"accept": {"address": "wss://…", "id": "…", "connectHeaders": {…},
    "remoteEndpoint": {"address": "203.0.113.9", "port": 51234}}}}

    @ivar address: where to dial, once.  Whoever has it gets the sender, so the
        C{repr} leaves its query out.
    @ivar id: the sender's tracking id.
    @ivar connect_headers: the sender's request headers.
    @ivar remote_address: the sender's IP address.
    @ivar remote_port: 0 to 65535.
    """

    address: str = field(repr=_path_only)
    id: str
    connect_headers: Mapping[str, str] = field(factory=dict, repr=False)
    remote_address: str = ""
    remote_port: int = 0

    def header(self, name: str) -> str | None:
        """The value of a connect header, its name in any case."""
        folded = name.lower()
        for key, value in self.connect_headers.items():
            if key.lower() == folded:
                return value
        return None


@frozen
class RenewToken:
    """
    Listener to relay: go on with this token.

    C{{"renewToken": {"token": "SharedAccessSignature sr=…"}}}
    """

    token: Secret


@frozen
class Unknown:
    """
    A command that this version does not know; it is ignored.

    @ivar name: the name of the command, at most 64 characters of it.
    """

    name: str


def encode_accept(accept: Accept, max_bytes: int = MAX_COMMAND_BYTES) -> str:
    """
    Write an C{accept} command.

    @param max_bytes: the most that the text may have as UTF-8.
    @raise HeadersTooLarge: if it has more: the sender's headers, path and query
        are too long together.
    """
    text = _encode(
        "accept",
        {
            "address": accept.address,
            "id": accept.id,
            "connectHeaders": dict(accept.connect_headers),
            "remoteEndpoint": {
                "address": accept.remote_address,
                "port": accept.remote_port,
            },
        },
    )
    if len(text.encode()) > max_bytes:
        raise HeadersTooLarge("The request's header fields and target are too large")
    return text


def encode_renew_token(token: Secret | str) -> str:
    """Write a C{renewToken} command; the token goes in as it is."""
    plain = token.reveal() if isinstance(token, Secret) else token
    return _encode("renewToken", {"token": plain})


def _encode(name: str, value: Mapping[str, Any]) -> str:
    return json.dumps({name: value}, ensure_ascii=False, separators=(",", ":"))


def parse_listener_command(
    text: str | bytes, max_bytes: int = MAX_COMMAND_BYTES
) -> RenewToken | Unknown:
    """
    Read a command that a listener sent to the relay.

    @raise CommandError: if it is no command, or a known one with wrong content.
    """
    name, value = _parse(text, max_bytes)
    if name != "renewToken":
        return Unknown(name[:64])
    token = value.get("token") if isinstance(value, dict) else None
    if not isinstance(token, str) or not token:
        raise CommandError("'renewToken.token' is required", closes=True)
    return RenewToken(Secret(token))


def parse_relay_command(
    text: str | bytes, max_bytes: int = MAX_COMMAND_BYTES
) -> Accept | Unknown:
    """
    Read a command that a relay sent to a listener.

    @raise CommandError: if it is no command, or a known one with wrong content.
    """
    name, value = _parse(text, max_bytes)
    if name != "accept":
        return Unknown(name[:64])
    if not isinstance(value, dict):
        raise CommandError("'accept' is not an object")
    address = value.get("address")
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise CommandError("'accept.address' is not the address of a WebSocket")
    remote = _object(value, "remoteEndpoint")
    port = remote.get("port")
    return Accept(
        address=address,
        id=_text(value.get("id")),
        connect_headers={
            key: _text(item) for key, item in _object(value, "connectHeaders").items()
        },
        remote_address=_text(remote.get("address")),
        remote_port=port if type(port) is int and 0 <= port <= 65535 else 0,
    )


def _object(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return value if isinstance(value, str) else json.dumps(value)


# --- JSON from a peer --------------------------------------------------------


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("doubled member")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _parse(text: str | bytes, max_bytes: int) -> tuple[str, Any]:
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

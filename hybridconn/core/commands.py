"""
The commands of the control channel: JSON text and frozen classes (relay-protocol
section 5).  Those for HTTP are in L{hybridconn.core.http_commands}.
"""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern

from attrs import field, frozen

from hybridconn.core.command_json import (
    MAX_COMMAND_BYTES,
    CommandError,
    address_in,
    encode_command,
    object_in,
    parse_command,
    path_only,
    port_of,
    text_of,
)
from hybridconn.core.entities import Secret
from hybridconn.core.http_commands import (
    Request,
    RequestOffer,
    Response,
    parse_request,
    parse_response,
)
from hybridconn.core.refusals import HeadersTooLarge
from hybridconn.core.text import printable


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

    address: str = field(repr=path_only)
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
    text = encode_command(
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
    return encode_command("renewToken", {"token": plain})


def parse_listener_command(
    text: str | bytes, max_bytes: int = MAX_COMMAND_BYTES
) -> RenewToken | Response | Unknown:
    """
    Read a command that a listener sent to the relay.

    @raise CommandError: if it is no command, or a known one with wrong content.
    """
    name, value = parse_command(text, max_bytes)
    if name == "response":
        return parse_response(value)
    if name != "renewToken":
        return Unknown(name[:64])
    token = value.get("token") if isinstance(value, dict) else None
    if not isinstance(token, str) or not token:
        raise CommandError("'renewToken.token' is required", closes=True)
    return RenewToken(Secret(token))


def parse_relay_command(
    text: str | bytes, max_bytes: int = MAX_COMMAND_BYTES
) -> Accept | Request | RequestOffer | Unknown:
    """
    Read a command that a relay sent to a listener.

    @raise CommandError: if it is no command, or a known one with wrong content.
    """
    name, value = parse_command(text, max_bytes)
    if name == "request":
        return parse_request(value)
    if name != "accept":
        return Unknown(printable(name, 64))
    if not isinstance(value, dict):
        raise CommandError("'accept' is not an object")
    remote = object_in(value, "remoteEndpoint")
    return Accept(
        address=address_in(value, "accept"),
        # These two stand in logs.
        id=printable(text_of(value.get("id"))),
        # A tunnel keeps them, and they are the same for most.
        connect_headers={
            intern(key): intern(text_of(item))
            for key, item in object_in(value, "connectHeaders").items()
        },
        remote_address=printable(text_of(remote.get("address"))),
        remote_port=port_of(remote.get("port")),
    )

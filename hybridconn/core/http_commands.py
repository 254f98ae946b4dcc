"""
The commands for HTTP requests and their responses (relay-protocol section 7).

A C{request} that fits is written to the control channel whole, its body as one
binary message behind it; of any other only the address of a rendezvous is, and the
whole command waits there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from hybridconn.core.command_json import (
    MAX_COMMAND_BYTES,
    CommandError,
    address_in,
    encode_command,
    object_in,
    path_only,
    port_of,
    text_of,
)

Fields = tuple[tuple[str, str], ...]

#: Values of this field cannot be joined: a comma may stand in each.
_APART = "set-cookie"


@frozen
class RequestOffer:
    """
    Relay to listener: an HTTP request waits at C{address}, to be read there.

    C{{"request": {"address": "wss://…"}}}
    """

    address: str = field(repr=path_only)


@frozen
class Request:
    """
    Relay to listener: an HTTP request.

    C{{"request": {"address": "wss://…", "id": "…", "requestTarget": "/hyco/a?x=1",
    "method": "POST", "remoteEndpoint": {…}, "requestHeaders": {…}, "body": true}}}

    @ivar address: where a response may be written that does not fit into the
        control channel; good once.
    @ivar id: comes back in the response.
    @ivar target: path and query in origin form, undecoded, with the entity's path
        and without the protocol's own parameters.
    @ivar headers: without those that are only for one hop.
    @ivar body: whether a binary message with the body follows.
    """

    address: str = field(repr=path_only)
    id: str
    method: str
    target: str = field(repr=path_only)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    remote_address: str = ""
    remote_port: int = 0
    body: bool = False


@frozen
class Response:
    """
    Listener to relay: the answer to a request.

    C{{"response": {"requestId": "…", "statusCode": 200, "statusDescription": "OK",
    "responseHeaders": {…}, "body": true}}}

    @ivar request_id: that of the request.
    @ivar status: as the listener gave it; 0 if it gave none.
    @ivar reason: empty: the usual one.
    @ivar headers: repeated ones apart; not yet checked.
    @ivar body: whether a message with the body follows on the same socket.
    """

    request_id: str
    status: int = 200
    reason: str = ""
    headers: Fields = field(default=(), repr=False)
    body: bool = False


def encode_request_offer(address: str) -> str:
    """
    Write a C{request} that is to be read at C{address}.  Existing listeners see by
    the missing members that it is one.
    """
    return encode_command("request", {"address": address})


def encode_request(request: Request) -> str:
    """Write a whole C{request} command."""
    return encode_command(
        "request",
        {
            "address": request.address,
            "id": request.id,
            "requestTarget": request.target,
            "method": request.method,
            "remoteEndpoint": {
                "address": request.remote_address,
                "port": request.remote_port,
            },
            "requestHeaders": dict(request.headers),
            "body": request.body,
        },
    )


def parse_request(value: object) -> Request | RequestOffer:
    """
    Read the value of a C{request} command.

    @raise CommandError: it is none.
    """
    if not isinstance(value, dict):
        raise CommandError("'request' is not an object")
    address = address_in(value, "request")
    if "method" not in value:
        return RequestOffer(address)
    method, target = text_of(value["method"]), text_of(value.get("requestTarget"))
    if not method or not target.startswith("/"):
        raise CommandError("'request.method' or 'request.requestTarget' is wrong")
    remote = object_in(value, "remoteEndpoint")
    headers = object_in(value, "requestHeaders")
    return Request(
        address=address,
        id=text_of(value.get("id")),
        method=method,
        target=target,
        headers={name: text_of(item) for name, item in headers.items()},
        remote_address=text_of(remote.get("address")),
        remote_port=port_of(remote.get("port")),
        body=value.get("body") is True,
    )


def encode_response(response: Response) -> str:
    """
    Write a C{response} command.  Equal names are joined, as one name can stand only
    once in JSON; several cookies are a list.
    """
    return encode_command(
        "response",
        {
            "requestId": response.request_id,
            "statusCode": response.status,
            "statusDescription": response.reason,
            "responseHeaders": joined(response.headers),
            "body": response.body,
        },
    )


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    """Header fields as a JSON object."""
    names: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for name, value in headers:
        names.setdefault(name.lower(), name)
        values.setdefault(name.lower(), []).append(value)
    return {
        names[folded]: items
        if folded == _APART and len(items) > 1
        else ", ".join(items)
        for folded, items in values.items()
    }


def parse_response(value: object) -> Response:
    """
    Read the value of a C{response} command.  Only the id is needed to make sense of
    it; whether the rest can be an answer is for the one who asked.

    @raise CommandError: it names no request.
    """
    if not isinstance(value, dict):
        raise CommandError("'response' is not an object")
    request_id = value.get("requestId")
    if not isinstance(request_id, str) or not request_id:
        raise CommandError("'response.requestId' is required")
    return Response(
        request_id=request_id,
        status=_status(value.get("statusCode")),
        reason=text_of(value.get("statusDescription")),
        headers=tuple(_fields(object_in(value, "responseHeaders"))),
        body=value.get("body") is True,
    )


def _status(value: object) -> int:
    # The vendor's own example has it as a string (section 7.3).
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:6])
    return value if type(value) is int else 0


def _fields(headers: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in headers.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str | int | float):
                yield name, one if isinstance(one, str) else json.dumps(one)


def fits(text: str, max_bytes: int = MAX_COMMAND_BYTES) -> bool:
    """Whether a command may go over the control channel."""
    return len(text.encode("utf-8", "surrogatepass")) <= max_bytes

"""Schemas of what goes on, and of tokens."""

from __future__ import annotations

from typing import Final

from hybridconn.core.entities import Claim
from hybridconn.management.about import Schema
from hybridconn.management.live_operations import MOST_LIFETIME
from hybridconn.management.schemas import (
    COUNT,
    TIME,
    answer,
    choice,
    nullable,
    object_of,
    resource,
    string,
    text,
)


def _status(**more: Schema) -> Schema:
    return resource(
        "Microsoft.Relay/Status",
        answer(
            listeners=COUNT,
            drainingListeners=COUNT,
            tunnels=COUNT,
            httpRequests=COUNT,
            waitingSenders=COUNT,
            bytesFromSenders=COUNT,
            bytesFromListeners=COUNT,
            ended=answer(
                tunnels=COUNT,
                httpRequests=COUNT,
                bytesFromSenders=COUNT,
                bytesFromListeners=COUNT,
            ),
            **more,
        ),
    )


STATUS: Final = _status()
RELAY_STATUS: Final = _status(
    runningSince=TIME, namespaces=COUNT, hybridConnections=COUNT
)
_LISTENER: Final[dict[str, Schema]] = {
    "address": string("Its IP address and port"),
    "connectedAt": TIME,
    "connections": COUNT,
    "trackingId": string(),
    "listenerId": string("The one that it gave itself"),
    "rule": string("Whose key its token was signed with"),
    "draining": {
        "type": "boolean",
        "description": "It is given no new sender and no new HTTP request",
    },
    "userAgent": string("The program, as it calls itself"),
}
LISTENER: Final = resource(
    "Microsoft.Relay/Namespaces/HybridConnections/Listeners",
    object_of(*_LISTENER, **_LISTENER, tokenExpiresAt=TIME),
)
TUNNEL: Final = resource(
    "Microsoft.Relay/Namespaces/HybridConnections/Tunnels",
    answer(
        kind=choice("Tunnel", "HttpRequest"),
        startedAt=TIME,
        sender=string("Its IP address and port"),
        listener=string("The name of its listener"),
        listenerAddress=string(),
        trackingId=string(),
        rule=string("Whose key the sender's token was signed with"),
        bytesFromSender=COUNT,
        bytesFromListener=COUNT,
    ),
)
TOKEN_ASKED: Final[Schema] = {
    **object_of(
        role=nullable(choice(*(claim.value for claim in Claim))),
        rule=nullable(text(description="Else the nearest that gives the role")),
        lifetime={
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MOST_LIFETIME},
                {"type": "string", "pattern": "^[1-9][0-9]{0,7}$"},
                {"type": "null"},
            ],
            "description": "Seconds",
        },
    ),
    "anyOf": [
        object_of("role", role={"type": "string"}),
        object_of("rule", rule={"type": "string"}),
    ],
}
TOKEN: Final = answer(
    token=string("For ServiceBusAuthorization"),
    rule=string("Whose key signed it"),
    audience=string("What it opens, and all below", format="uri"),
    expiresAt=TIME,
)

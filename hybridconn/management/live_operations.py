"""
What goes on at the relay as it is answered, and tokens for it: operations of this
server's own, which Azure does not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from hybridconn.core.entities import Claim
from hybridconn.core.live import Counts, LiveListener, LiveTunnel
from hybridconn.core.names import fold
from hybridconn.core.resources import (
    ConnectionResource,
    NamespaceResource,
    RuleResource,
)
from hybridconn.core.sas import audience_of, sign
from hybridconn.management.bodies import Body
from hybridconn.management.calls import Json
from hybridconn.management.errors import bad_request, not_found
from hybridconn.management.relay_operations import RelayOperations
from hybridconn.management.server import Server, time_text

_KIND = "Microsoft.Relay/Namespaces/HybridConnections"
#: Seconds for which a token may be good: ten years, and what is usual.
MOST_LIFETIME = 10 * 366 * 86400
LIFETIME = 3600


def show_counts(place: str, name: str, counts: Counts) -> Json:
    """
    What goes on somewhere.

    @param place: the resource id of that.
    """
    return {
        "id": f"{place}/status",
        "name": name,
        "type": "Microsoft.Relay/Status",
        "properties": {
            "listeners": counts.listeners,
            "drainingListeners": counts.draining,
            "tunnels": counts.tunnels,
            "httpRequests": counts.requests,
            "waitingSenders": counts.waiting,
            "bytesFromSenders": counts.sender_bytes,
            "bytesFromListeners": counts.listener_bytes,
            "ended": {
                "tunnels": counts.ended_tunnels,
                "httpRequests": counts.ended_requests,
                "bytesFromSenders": counts.ended_sender_bytes,
                "bytesFromListeners": counts.ended_listener_bytes,
            },
        },
    }


def show_listener(place: str, one: LiveListener) -> Json:
    """
    One control channel.

    @param place: the resource id of its hybrid connection.
    """
    properties: Json = {
        "address": one.address,
        "connectedAt": time_text(one.since),
        "connections": one.connections,
        "trackingId": one.tracking,
        "listenerId": one.sb_hc_id,
        "rule": one.rule,
        "draining": one.draining,
        "userAgent": one.agent,
    }
    if one.expires is not None:
        properties["tokenExpiresAt"] = time_text(one.expires)
    return {
        "id": f"{place}/listeners/{quote(one.id, safe='')}",
        "name": one.id,
        "type": f"{_KIND}/Listeners",
        "properties": properties,
    }


def show_tunnel(place: str, one: LiveTunnel) -> Json:
    """
    One tunnel or HTTP request.

    @param place: the resource id of its hybrid connection.
    """
    return {
        "id": f"{place}/tunnels/{quote(one.id, safe='')}",
        "name": one.id,
        "type": f"{_KIND}/Tunnels",
        "properties": {
            "kind": "HttpRequest" if one.http else "Tunnel",
            "startedAt": time_text(one.since),
            "sender": one.sender,
            "listener": one.listener,
            "listenerAddress": one.listener_address,
            "trackingId": one.tracking,
            "rule": one.rule,
            "bytesFromSender": one.sender_bytes,
            "bytesFromListener": one.listener_bytes,
        },
    }


class Tokens:
    """
    Makes SAS tokens for the data plane.

    @param operations: on what there is.
    """

    def __init__(self, server: Server, operations: RelayOperations) -> None:
        self._server = server
        self._operations = operations

    def make(
        self, one: NamespaceResource, it: ConnectionResource | None, body: Body
    ) -> Json:
        """
        A token for a hybrid connection, or for all of a namespace.

        @raise ApiError: 400 or 404: no rule is named, or none gives what is wanted.
        """
        wanted = body.text("role")
        claim = None
        if wanted is not None:
            claim = Claim(
                body.choice("role", tuple(claim.value for claim in Claim), "")
            )
        seconds = body.number("lifetime", 1, MOST_LIFETIME) or LIFETIME
        rule = self._rule(one, it, body.text("rule"), claim)
        expires_at = int(self._server.now()) + seconds
        audience = audience_of(
            self._operations.host(one), "" if it is None else it.path
        )
        return {
            "token": sign(audience, rule.name, rule.primary_key.reveal(), expires_at),
            "rule": rule.name,
            "audience": audience,
            "expiresAt": time_text(expires_at),
        }

    def _rule(
        self,
        one: NamespaceResource,
        it: ConnectionResource | None,
        name: str | None,
        claim: Claim | None,
    ) -> RuleResource:
        parents = [*([it.key] if it else []), (*one.key, "")]
        known = [rule for key in parents for rule in self._operations.rules(key)]
        if name is not None:
            return _named(known, name, claim)
        if claim is None:
            raise bad_request("Say with 'role' or 'rule' what the token is to open.")
        # The nearest that opens no more than it must.
        giving = [rule for rule in known if claim in rule.rights]
        if not giving:
            raise not_found(f"An authorization rule with the right {claim.value}")
        return min(giving, key=lambda rule: len(rule.rights))


def _named(
    rules: Iterable[RuleResource], name: str, claim: Claim | None
) -> RuleResource:
    for rule in rules:
        if rule.key[-1] == fold(name):
            if claim is not None and claim not in rule.rights:
                raise bad_request(
                    f"The authorization rule '{rule.name}' does not give {claim.value}."
                )
            return rule
    raise not_found(f"The authorization rule '{name}'")

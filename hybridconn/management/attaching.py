"""What is checked of a hybrid connection that an app is to use (section 8.2)."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from hybridconn.core.names import fold
from hybridconn.core.resources import ConnectionResource, Key
from hybridconn.management.bodies import Body
from hybridconn.management.errors import bad_request, not_found
from hybridconn.management.relay_operations import endpoint_of

#: Characters of a host name (RFC 1035 section 2.3.4).
MOST_HOST_NAME: Final = 255
_IN_A_GROUP: Final = ["subscriptions", "resourcegroups", "providers"]


def same_names(namespace: str, path: str, properties: Body) -> None:
    """
    @raise ApiError: 400, the body names another one than the path does.
    """
    for member, expected in (("serviceBusNamespace", namespace), ("relayName", path)):
        given = properties.text(member)
        if given and fold(given) != fold(expected):
            raise bad_request(f"'properties.{member}' and the path differ.")


def place_of(namespace: str, path: str, properties: Body) -> tuple[str, str] | None:
    """
    The subscription and group of C{relayArmUri}, folded, if that is given.

    @raise ApiError: 400, it is another one's, or no id of a hybrid connection.
    """
    uri = properties.text("relayArmUri")
    if not uri:
        return None
    # A slash in the hybrid connection's own name may be escaped or not.
    parts = [fold(unquote(part)) for part in uri.strip("/").split("/", 9)]
    words = [*_IN_A_GROUP, "namespaces", "hybridconnections"]
    if len(parts) != 10 or parts[::2] != words or parts[5] != "microsoft.relay":
        raise bad_request(
            "'properties.relayArmUri' is wrong: use the id of a hybrid connection."
        )
    if (parts[7], parts[9]) != (fold(namespace), fold(path)):
        raise bad_request("'properties.relayArmUri' and the path differ.")
    return parts[1], parts[3]


def plan_key(wanted: str) -> Key:
    """
    The key of the plan that has an id.

    @raise ApiError: 404, it can be no plan's.
    """
    parts = [fold(unquote(part)) for part in wanted.strip("/").split("/")]
    words = [*_IN_A_GROUP, "serverfarms"]
    if len(parts) != 8 or parts[::2] != words or parts[5] != "microsoft.web":
        raise not_found("'properties.serverFarmId' is no plan's id: the plan")
    return parts[1], parts[3], parts[7]


def host_name_of(properties: Body) -> str | None:
    """The C{hostname}; nobody looks it up here."""
    return properties.text("hostname", most=MOST_HOST_NAME)


def endpoint_in(it: ConnectionResource) -> tuple[str, int]:
    """
    Where a hybrid connection leads.

    @raise ApiError: 400, its metadata does not say.
    """
    endpoint = endpoint_of(it)
    if endpoint is None:
        raise bad_request(
            "The hybrid connection's userMetadata has no endpoint item of the form "
            "host:port."
        )
    host, _, port = endpoint.rpartition(":")
    return host, int(port)

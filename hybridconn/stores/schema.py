"""The tables of a database, and rows of them as resources and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    MetaData,
    Table,
    Text,
)

from hybridconn.core.entities import Claim, Secret
from hybridconn.core.resources import (
    KINDS,
    AttachmentResource,
    ConnectionResource,
    Key,
    NamespaceResource,
    PlanResource,
    Resource,
    RuleResource,
    SiteResource,
)
from hybridconn.stores.vault import Vault

metadata = MetaData()

#: Between the names of a key; no name has it.
_BETWEEN = "\x1f"


def _table(name: str, *columns: Column[Any]) -> Table:
    return Table(name, metadata, Column("key", Text, primary_key=True), *columns)


def _text(name: str) -> Column[Any]:
    return Column(name, Text, nullable=False)


def _number(name: str) -> Column[Any]:
    return Column(name, Float(53), nullable=False)


TABLES: Mapping[type[Resource], Table] = {
    NamespaceResource: _table(
        "namespaces",
        *map(_text, ("name", "subscription", "group", "location", "tags")),
        *map(_text, ("host_names", "public_network_access", "minimum_tls_version")),
        *map(_text, ("default_action", "ip_rules")),
        *map(_number, ("created", "updated")),
    ),
    ConnectionResource: _table(
        "hybrid_connections",
        *map(_text, ("namespace", "path", "user_metadata", "status")),
        Column("requires_client_authorization", Boolean, nullable=False),
        *map(_number, ("created", "updated")),
    ),
    RuleResource: _table(
        "authorization_rules",
        *map(_text, ("namespace", "path", "name", "rights", "primary_key")),
        Column("secondary_key", Text),
    ),
    PlanResource: _table(
        "plans",
        *map(_text, ("subscription", "group", "name", "location", "tier", "sku")),
        Column("capacity", Integer, nullable=False),
        _text("tags"),
    ),
    SiteResource: _table(
        "sites",
        *map(_text, ("subscription", "group", "name", "location", "plan", "tags")),
    ),
    AttachmentResource: _table(
        "attachments",
        *map(_text, ("site", "slot", "namespace", "path", "relay_id", "hostname")),
        Column("port", Integer, nullable=False),
        *map(_text, ("send_key_name", "send_key")),
        _number("set_at"),
    ),
}

#: One row: how often something was changed, and the name of the key that seals.
STATE = Table(
    "store_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    _text("sealed_with"),
)
#: What each revision changed, as JSON: kind and key of each resource.
LOG = Table(
    "change_log",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    _text("places"),
)
#: The relays that share their listeners, until when in seconds since 1970-01-01 UTC.
NODES = Table(
    "nodes",
    metadata,
    Column("name", Text, primary_key=True),
    _number("alive_until"),
)
#: The columns that hold secrets.
SEALED: Mapping[type[Resource], tuple[str, ...]] = {
    RuleResource: ("primary_key", "secondary_key"),
    AttachmentResource: ("send_key",),
}

BY_KIND = {kind.kind: kind for kind in KINDS}


def key_text(key: Key) -> str:
    """A key as it stands in its column."""
    return _BETWEEN.join(key)


def key_of(text: str) -> Key:
    """The same read back."""
    return tuple(text.split(_BETWEEN))


def to_row(resource: Resource, vault: Vault) -> dict[str, Any]:
    """A resource as a row."""
    row: dict[str, Any] = {"key": key_text(resource.key)}
    for field in attrs.fields(type(resource)):
        row[field.name] = _stored(getattr(resource, field.name), vault)
    return row


def _stored(value: Any, vault: Vault) -> Any:
    if isinstance(value, Secret):
        return vault.seal(value)
    if isinstance(value, frozenset):
        return json.dumps(sorted(claim.value for claim in value))
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return value


_READERS: Mapping[str, Callable[[Any, Vault], Any]] = {
    "tags": lambda text, _: json.loads(text),
    "host_names": lambda text, _: tuple(json.loads(text)),
    "ip_rules": lambda text, _: tuple(json.loads(text)),
    "plan": lambda text, _: tuple(json.loads(text)),
    "rights": lambda text, _: frozenset(map(Claim, json.loads(text))),
    "primary_key": lambda text, vault: vault.open(text),
    "secondary_key": lambda text, vault: None if text is None else vault.open(text),
    "send_key": lambda text, vault: vault.open(text),
}


def from_row(kind: type[Resource], row: Mapping[str, Any], vault: Vault) -> Resource:
    """
    A row as a resource.

    @raise VaultError: its secrets cannot be opened.
    """
    values = {}
    for field in attrs.fields(kind):
        read = _READERS.get(field.name)
        value = row[field.name]
        values[field.name] = value if read is None else read(value, vault)
    return kind(**values)

"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TEXTS = {
    "namespaces": (
        *("name", "subscription", "group", "location", "tags"),
        *("host_names", "public_network_access", "minimum_tls_version"),
    ),
    "hybrid_connections": ("namespace", "path", "user_metadata"),
    "authorization_rules": ("namespace", "path", "name", "rights", "primary_key"),
    "plans": ("subscription", "group", "name", "location", "tier", "sku", "tags"),
    "sites": ("subscription", "group", "name", "location", "plan", "tags"),
    "attachments": (
        *("site", "slot", "namespace", "path", "relay_id", "hostname"),
        *("send_key_name", "send_key"),
    ),
}
_OTHERS: dict[str, tuple[tuple[str, object, bool], ...]] = {
    "namespaces": (("created", sa.Float(53), False), ("updated", sa.Float(53), False)),
    "hybrid_connections": (
        ("requires_client_authorization", sa.Boolean(), False),
        ("created", sa.Float(53), False),
        ("updated", sa.Float(53), False),
    ),
    "authorization_rules": (("secondary_key", sa.Text(), True),),
    "plans": (("capacity", sa.Integer(), False),),
    "sites": (),
    "attachments": (("port", sa.Integer(), False), ("set_at", sa.Float(53), False)),
}


def upgrade() -> None:
    """Make them."""
    for name, texts in _TEXTS.items():
        columns: list[sa.Column[object]] = [sa.Column("key", sa.Text, primary_key=True)]
        columns += [sa.Column(text, sa.Text, nullable=False) for text in texts]
        for column, kind, nullable in _OTHERS[name]:
            columns.append(sa.Column(column, kind, nullable=nullable))  # type: ignore[arg-type]
        op.create_table(name, *columns)


def downgrade() -> None:
    """Drop them."""
    for name in reversed(tuple(_TEXTS)):
        op.drop_table(name)

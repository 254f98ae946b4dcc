"""Network rules of namespaces; hybrid connections that can be disabled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

#: What rows that are there get.
_NEW = (
    ("namespaces", "default_action", "Allow"),
    ("namespaces", "ip_rules", "[]"),
    ("hybrid_connections", "status", "Active"),
)


def upgrade() -> None:
    """Add them."""
    for table, name, value in _NEW:
        column: sa.Column[str] = sa.Column(
            name, sa.Text, nullable=False, server_default=value
        )
        op.add_column(table, column)


def downgrade() -> None:
    """Drop them."""
    for table, name, _ in reversed(_NEW):
        op.drop_column(table, name)

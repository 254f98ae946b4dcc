"""A number that each change raises, and what each of them changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Begin at zero."""
    state = op.create_table(
        "store_state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("sealed_with", sa.Text, nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "revision": 0, "sealed_with": ""}])
    op.create_table(
        "change_log",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("places", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("change_log")
    op.drop_table("store_state")

"""API keys, and the counter that moves whenever one of them changes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A last use is not a change: it decides nothing.
WATCHED = {
    "insert": "INSERT",
    "delete": "DELETE",
    "update": "UPDATE OF hash, id, name, scopes, expires_at, revoked_at",
}
TRIGGER = (
    "CREATE TRIGGER api_keys_{name} AFTER {event} ON api_keys "
    "BEGIN UPDATE api_key_changes SET value = value + 1; END"
)


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("hint", sa.String(length=16), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Integer(), nullable=True),
        sa.Column("revoked_at", sa.Integer(), nullable=True),
        sa.Column("last_used_at", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
    )
    op.create_index(op.f("ix_api_keys_id"), "api_keys", ["id"])
    op.create_table(
        "api_key_changes",
        sa.Column("value", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("value", name=op.f("pk_api_key_changes")),
    )
    op.execute("INSERT INTO api_key_changes VALUES (0)")
    for name, event in WATCHED.items():
        op.execute(TRIGGER.format(name=name, event=event))


def downgrade() -> None:
    op.drop_table("api_key_changes")
    op.drop_table("api_keys")

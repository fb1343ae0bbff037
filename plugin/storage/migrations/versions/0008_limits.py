"""Limits, and the counter that moves whenever one of them changes."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TRIGGER = (
    "CREATE TRIGGER limits_{event} AFTER {event} ON limits "
    "BEGIN UPDATE limit_changes SET value = value + 1; END"
)


def upgrade() -> None:
    op.create_table(
        "limits",
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.Column("cap", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("scope", "subject", "measure", "period", name=op.f("pk_limits")),
    )
    op.create_table(
        "limit_changes",
        sa.Column("value", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("value", name=op.f("pk_limit_changes")),
    )
    op.execute("INSERT INTO limit_changes VALUES (0)")
    for event in ("insert", "update", "delete"):
        op.execute(TRIGGER.format(event=event))


def downgrade() -> None:
    op.drop_table("limit_changes")
    op.drop_table("limits")

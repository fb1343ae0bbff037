"""The identity that a database shares with its data directories: one row at most."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "storage_identity",
        sa.Column("only", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_storage_identity")),
        sa.CheckConstraint('"only" = 1', name=op.f("ck_storage_identity_only")),
    )


def downgrade() -> None:
    op.drop_table("storage_identity")

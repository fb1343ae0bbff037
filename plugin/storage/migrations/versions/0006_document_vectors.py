"""Vectors of the chunks of documents, and what tells that they changed and who makes them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "document_vectors",
        sa.Column("chunk_serial", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chunk_serial", name=op.f("pk_document_vectors")),
        sa.ForeignKeyConstraint(
            ["chunk_serial"],
            ["document_chunks.serial"],
            name=op.f("fk_document_vectors_chunk_serial_document_chunks"),
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "document_vector_changes",
        sa.Column("caller_id", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("caller_id", name=op.f("pk_document_vector_changes")),
    )
    op.create_table(
        "document_filling",
        sa.Column("until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("until", name=op.f("pk_document_filling")),
    )
    op.execute("INSERT INTO document_filling VALUES (0)")


def downgrade() -> None:
    for name in ("document_filling", "document_vector_changes", "document_vectors"):
        op.drop_table(name)

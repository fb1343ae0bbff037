"""How much each caller stores, kept by triggers."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TRIGGERS = {
    "storage_use_files_added": ("INSERT ON files", "files", "NEW", "NEW.bytes + 4096"),
    "storage_use_files_gone": ("DELETE ON files", "files", "OLD", "-(OLD.bytes + 4096)"),
    "storage_use_documents_added": ("INSERT ON documents", "documents", "NEW", "NEW.bytes"),
    "storage_use_documents_gone": ("DELETE ON documents", "documents", "OLD", "-OLD.bytes"),
    # a row is inserted without an answer: its size is 0 until one is kept
    "storage_use_answers_kept": (
        "UPDATE OF size ON idempotency_keys",
        "answers",
        "NEW",
        "NEW.size - OLD.size",
    ),
    "storage_use_answers_gone": ("DELETE ON idempotency_keys", "answers", "OLD", "-OLD.size"),
}


def upgrade() -> None:
    op.create_table(
        "storage_use",
        sa.Column("caller_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("caller_id", "kind", name=op.f("pk_storage_use")),
    )
    op.add_column(
        "documents", sa.Column("bytes", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.execute(
        "UPDATE documents SET bytes = 1024 + coalesce((SELECT sum(length(CAST(text AS BLOB))) "
        "FROM document_chunks WHERE document_serial = documents.serial), 0)"
    )
    for kind, table, size in (
        ("files", "files", "sum(bytes + 4096)"),
        ("documents", "documents", "sum(bytes)"),
        ("answers", "idempotency_keys", "sum(size)"),
    ):
        op.execute(
            f"INSERT INTO storage_use SELECT caller_id, '{kind}', {size} FROM {table} "  # noqa: S608 - names of our own
            "GROUP BY caller_id"
        )
    for name, (event, kind, row, more) in _TRIGGERS.items():
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} BEGIN "  # noqa: S608 - names of our own
            f"INSERT INTO storage_use VALUES ({row}.caller_id, '{kind}', {more}) "
            "ON CONFLICT (caller_id, kind) DO UPDATE SET bytes = bytes + excluded.bytes; END"
        )


def downgrade() -> None:
    for name in _TRIGGERS:
        op.execute(f"DROP TRIGGER {name}")
    op.drop_column("documents", "bytes")
    op.drop_table("storage_use")

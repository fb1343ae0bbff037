"""Documents of the callers, their chunks, and the full-text index that follows the chunks."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Porter's stems of English words; a character that is not ASCII belongs to a word.
INDEX = (
    "CREATE VIRTUAL TABLE document_index USING fts5("
    "heading, body, content='document_chunks', content_rowid='serial', tokenize='porter ascii')"
)
ADDED = (
    "CREATE TRIGGER document_chunks_added AFTER INSERT ON document_chunks BEGIN "
    "INSERT INTO document_index (rowid, heading, body) "
    "VALUES (new.serial, new.heading, new.body); END"
)
GONE = (
    "CREATE TRIGGER document_chunks_gone AFTER DELETE ON document_chunks BEGIN "
    "INSERT INTO document_index (document_index, rowid, heading, body) "
    "VALUES ('delete', old.serial, old.heading, old.body); END"
)


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("caller_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=True),
        sa.Column("source", sa.String(length=100), nullable=True),
        sa.Column("source_id", sa.String(length=200), nullable=True),
        sa.Column("url", sa.String(length=1000), nullable=True),
        sa.Column("author", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("chunk_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_documents")),
        sa.UniqueConstraint("caller_id", "id", name=op.f("uq_documents_caller_id_id")),
    )
    op.create_table(
        "document_chunks",
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("document_serial", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("heading", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_document_chunks")),
        sa.ForeignKeyConstraint(
            ["document_serial"],
            ["documents.serial"],
            name=op.f("fk_document_chunks_document_serial_documents"),
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint(
            "document_serial",
            "position",
            name=op.f("uq_document_chunks_document_serial_position"),
        ),
    )
    for statement in (INDEX, ADDED, GONE):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("document_index")
    op.drop_table("document_chunks")
    op.drop_table("documents")

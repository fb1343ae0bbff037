"""The ledger: rows in a chain, balances, calls under way, journals read."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("serial", _SERIAL, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.String(length=64), nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("caller_id", sa.String(length=64), nullable=True),
        sa.Column("caller_name", sa.String(length=256), nullable=True),
        sa.Column("door", sa.String(length=32), nullable=True),
        sa.Column("action", sa.String(length=256), nullable=False),
        sa.Column("model", sa.String(length=256), nullable=True),
        sa.Column("answered_by", sa.String(length=256), nullable=True),
        sa.Column("subject", sa.String(length=256), nullable=True),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("duration", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_ledger")),
    )
    op.create_index(op.f("ix_ledger_worker_number"), "ledger", ["worker", "number"], unique=True)
    op.create_index(op.f("ix_ledger_request_id"), "ledger", ["request_id"])
    op.create_index(op.f("ix_ledger_caller_id_time"), "ledger", ["caller_id", "time"])
    op.create_index(op.f("ix_ledger_time"), "ledger", ["time"])
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_head")),
    )
    first = sa.text("INSERT INTO ledger_head VALUES (1, 0, :zeros)").bindparams(zeros=bytes(32))
    op.execute(first)
    op.create_table(
        "ledger_balances",
        sa.Column("caller_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("action", sa.String(length=256), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "caller_id", "day", "model", "action", name=op.f("pk_ledger_balances")
        ),
    )
    op.create_index(op.f("ix_ledger_balances_day"), "ledger_balances", ["day"])
    op.create_table(
        "ledger_open",
        sa.Column("worker", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("worker", "number", name=op.f("pk_ledger_open")),
    )
    op.create_table(
        "ledger_journals",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_ledger_journals")),
    )


def downgrade() -> None:
    for name in (
        "ledger_journals",
        "ledger_open",
        "ledger_balances",
        "ledger_head",
        "ledger",
    ):
        op.drop_table(name)

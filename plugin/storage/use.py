"""How much each caller stores, and the quotas that bound it.

Triggers of migration 0012 keep the table `storage_use`, whoever writes or deletes rows. A quota is
checked in the transaction that wrote the rows, after them: SQLite has one writer at a time, so no
number of parallel calls gets past it.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Select, String, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from plugin.errors import QuotaUsedUp
from plugin.storage.database import metadata

FILES, DOCUMENTS, ANSWERS = "files", "documents", "answers"

PER_FILE, PER_DOCUMENT, PER_ANSWER = 4_096, 1_024, 512
"""Bytes that each counts besides its content: empty ones take room as well."""

storage_use = Table(
    "storage_use",
    metadata,
    Column("caller_id", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Quota:
    """How many bytes of one `kind` a caller may store; 0: no quota.

    `setting` is the name of what sets it, `remedy` what the caller can do.
    """

    kind: str
    limit: int
    setting: str
    remedy: str

    def check(self, used: int, more: int = 0) -> None:
        """Raise `QuotaUsedUp` if `used` bytes and `more` exceed it."""
        if self.limit and used + more > self.limit:
            raise QuotaUsedUp(self.kind, self.limit, used, more, self.setting, self.remedy)


@dataclass(frozen=True, slots=True)
class Quotas:
    """The quotas of every caller."""

    files: Quota
    documents: Quota
    answers: Quota


def quotas(files: int = 0, documents: int = 0, answers: int = 0) -> Quotas:
    """Return the quotas of so many bytes; 0: none."""
    return Quotas(
        Quota(FILES, files, "PLUGIN_QUOTA_FILES", "Delete files that you no longer need"),
        Quota(
            DOCUMENTS,
            documents,
            "PLUGIN_QUOTA_DOCUMENTS",
            "Delete documents that you no longer need",
        ),
        Quota(
            ANSWERS,
            answers,
            "PLUGIN_QUOTA_ANSWERS",
            "Send the call without Idempotency-Key, or wait until answers are 24 hours old",
        ),
    )


def used(connection: Connection, caller_id: str, kind: str) -> int:
    """Return how many bytes a caller stores, as this transaction sees it."""
    row = connection.execute(_wanted(caller_id, kind)).first()
    return 0 if row is None else int(row.bytes)


async def used_now(connection: AsyncConnection, caller_id: str, kind: str) -> int:
    """Return the same on the event loop."""
    row = (await connection.execute(_wanted(caller_id, kind))).first()
    return 0 if row is None else int(row.bytes)


async def check_written(
    connection: AsyncConnection, caller_id: str, quota: Quota, written: int
) -> None:
    """Check a quota after `written` bytes were added in this transaction.

    Raises `QuotaUsedUp`; then the transaction must be rolled back. What makes the use no larger is
    never refused, so that a caller over a lowered quota can still replace and shrink.
    """
    if quota.limit and written > 0:
        now = await used_now(connection, caller_id, quota.kind)
        quota.check(now - written, written)


def _wanted(caller_id: str, kind: str) -> Select[Any]:
    column = storage_use.c
    return select(column.bytes).where(column.caller_id == caller_id, column.kind == kind)

"""The chain of the ledger: each row's hash holds all rows before it.

A row's hash is SHA-256 of the hash of the row before it (32 bytes; zeros before the first) and of
the row's fields, in the order of `FIELDS`, as a JSON array: integers, texts and null, UTF-8,
without spaces, as `json.dumps(fields, ensure_ascii=False, separators=(",", ":"))` writes it.
"""

from collections.abc import Sequence
from hashlib import sha256

import orjson

FIELDS = (
    "serial",
    "kind",
    "time",
    "worker",
    "number",
    "request_id",
    "caller_id",
    "caller_name",
    "door",
    "action",
    "model",
    "answered_by",
    "subject",
    "tokens_in",
    "tokens_out",
    "reserved",
    "units",
    "status",
    "duration",
    "ended",
    "detail",
)
"""Everything of a row but its hash."""

START = bytes(32)
"""What stands for the hash before the first row."""

Value = int | str | None


def link(previous: bytes, fields: Sequence[Value]) -> bytes:
    """The hash of a row."""
    return sha256(previous + orjson.dumps(list(fields))).digest()

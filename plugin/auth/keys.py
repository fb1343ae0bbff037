"""API keys: what one looks like, and the table that holds their hashes."""

import hashlib
import re
import secrets
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    String,
    Table,
    insert,
    select,
    update,
)

from plugin.errors import NotFound
from plugin.storage.database import Commits, metadata

PREFIX = "gpk_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH = 30  # 62 ** 30 is 178 bits
_CHECKSUM_LENGTH = 6  # 62 ** 6 holds every CRC32
_SHAPE = re.compile(rb"gpk_[0-9A-Za-z]{%d}" % (_RANDOM_LENGTH + _CHECKSUM_LENGTH))

api_keys = Table(
    "api_keys",
    metadata,
    Column("serial", Integer, primary_key=True),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("id", String(32), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("hint", String(16), nullable=False),
    Column("scopes", String, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("expires_at", Integer),
    Column("revoked_at", Integer),
    Column("last_used_at", Integer),
)
"""One row a secret; rotating gives the same `id` another row. Times are seconds since the epoch."""

CHANGES = "api_key_changes"

api_key_changes = Table(
    CHANGES, metadata, Column("value", Integer, primary_key=True, autoincrement=False)
)
"""One row, one number: moved by triggers, so that a change made by hand counts as well."""

State = Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown, this once."""

    id: str
    name: str
    key: str
    scopes: tuple[str, ...]
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known about a secret; `hint` is how it begins. Times are seconds since the epoch."""

    hash: bytes
    id: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None

    def state(self, now: float) -> State:
        """Whether the secret opens the gate at `now`, and if not, why."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "active"


class Secret(NamedTuple):
    """What a request needs to know about a secret."""

    serial: int
    id: str
    name: str
    scopes: str
    expires_at: int | None
    revoked_at: int | None


_ONE = f"SELECT {', '.join(Secret._fields)} FROM api_keys WHERE hash = ?"  # noqa: S608 - our own names


def find_secret(commits: Commits, digest: bytes) -> Secret | None:
    """The secret with this hash, by the table's unique index; on the event loop, so past the ORM.

    Raises one of `FAILURES` when the database cannot be asked.
    """
    row = commits.ask(_ONE, digest)
    return None if row is None else Secret._make(row)


def make_key() -> str:
    """A fresh key: `gpk_`, 178 random bits, and their checksum."""
    random = _letters(_RANDOM_LENGTH)
    return PREFIX + random + _checksum(random.encode())


def well_formed(key: bytes) -> bool:
    """Whether `key` could be one of ours: shape and checksum fit, so that no typo is looked up."""
    if _SHAPE.fullmatch(key) is None:
        return False
    random, checksum = key[len(PREFIX) : -_CHECKSUM_LENGTH], key[-_CHECKSUM_LENGTH:]
    return _checksum(random).encode() == checksum


def hash_key(key: bytes) -> bytes:
    """What is stored of a key. Its 178 random bits need no salt and no slow hash."""
    return hashlib.sha256(key).digest()


class KeyStore:
    """Makes, lists, revokes and rotates keys. Blocking: for commands and for start-up."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock

    def create(self, name: str, scopes: Iterable[str], lifetime: int | None = None) -> NewKey:
        """A key for a new caller; `lifetime` is in seconds, None is for ever."""
        expires_at = None if lifetime is None else int(self._clock()) + lifetime
        with self._engine.begin() as connection:
            caller = "key_" + _letters(12)
            return self._add(connection, caller, name, tuple(scopes), expires_at)

    def list(self) -> Sequence[KeyRecord]:
        """Every secret that was ever made, the oldest first."""
        with self._engine.connect() as connection:
            return _read(connection)

    def any(self) -> bool:
        """Whether a secret was ever made."""
        with self._engine.connect() as connection:
            return connection.execute(select(api_keys.c.serial).limit(1)).first() is not None

    def revoke(self, caller_id: str) -> None:
        """Close the gate to every secret of this caller, from its next request on."""
        with self._engine.begin() as connection:
            self._known(connection, caller_id)
            connection.execute(
                update(api_keys)
                .where(api_keys.c.id == caller_id, api_keys.c.revoked_at.is_(None))
                .values(revoked_at=int(self._clock()))
            )

    def rotate(self, caller_id: str, overlap: int = 0) -> NewKey:
        """A new secret for the same caller; the old ones live for `overlap` more seconds."""
        now = int(self._clock())
        with self._engine.begin() as connection:
            living = [
                record
                for record in self._known(connection, caller_id)
                if record.state(now) == "active"
            ]
            if not living:
                raise NotFound(f"{caller_id} is revoked or expired; create a new key instead")
            until = now + overlap
            connection.execute(
                update(api_keys)
                .where(
                    api_keys.c.id == caller_id,
                    api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > until),
                )
                .values(expires_at=until)
            )
            last = living[-1]
            return self._add(connection, last.id, last.name, last.scopes, last.expires_at)

    def _known(self, connection: Connection, caller_id: str) -> Sequence[KeyRecord]:
        records = _read(connection, caller_id)
        if not records:
            raise NotFound(f"no key has the id {caller_id}; `plugin keys list` shows the ids")
        return records

    def _add(
        self,
        connection: Connection,
        caller: str,
        name: str,
        scopes: tuple[str, ...],
        expires_at: int | None,
    ) -> NewKey:
        key = make_key()
        row = {
            "hash": hash_key(key.encode()),
            "id": caller,
            "name": name,
            "hint": key[: len(PREFIX) + 4],
            "scopes": " ".join(scopes),
            "created_at": int(self._clock()),
            "expires_at": expires_at,
        }
        connection.execute(insert(api_keys).values(row))
        return NewKey(caller, name, key, scopes, expires_at)


def _read(connection: Connection, caller_id: str | None = None) -> list[KeyRecord]:
    columns = [column for column in api_keys.c if column.name != "serial"]
    query = select(*columns).order_by(api_keys.c.serial)
    if caller_id is not None:
        query = query.where(api_keys.c.id == caller_id)
    return [_record(row) for row in connection.execute(query).mappings()]


def _record(row: Any) -> KeyRecord:
    return KeyRecord(**{**row, "scopes": tuple(row["scopes"].split())})


def _letters(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(random: bytes) -> str:
    number, digits = zlib.crc32(random), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits

"""The identity that a database and its data directories share.

A start moves files away that the database does not know. Beside a wrong, new or lost database
these would be all files. So the service refuses a database and a directory that do not belong
together, before it changes anything. Several directories may share one database: each host has its
own. A backup of either part contains its identity.
"""

import os
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Integer,
    String,
    Table,
    func,
    inspect,
    select,
)
from sqlalchemy import column as column_
from sqlalchemy import table as table_
from sqlalchemy.dialects.sqlite import insert

from plugin.errors import CannotRun
from plugin.storage.database import FAILURES, metadata, open_blocking, sqlite_path

FILE = "identity"
"""The file in a data directory that holds its identity."""

UPLOADS = "files"
"""The folder in a data directory that holds uploaded files, each named by its id."""

_UPLOAD = "file-"
_AT_ONCE = 500
_FEW = 10
"""One upload of so many may be unknown to a database that has no identity, or one in all."""
_ONE = re.compile(r"[0-9a-f]{32}")

identities = Table(
    "storage_identity",
    metadata,
    Column("only", Integer, primary_key=True),
    Column("id", String(32), nullable=False),
    CheckConstraint('"only" = 1', name="only"),
)
_files = table_("files", column_("id"))  # declared above this room, in `gpt.files`


def check(directory: Path, url: str) -> bool:
    """Return whether a data directory and the database of `url` have the same identity.

    It changes nothing, and the database may have any schema. Raises `CannotRun` when they have
    different identities. Where one has none, raises it when the database does not know the uploads,
    but for a few: a killed upload leaves a file without a row.
    """
    if not sqlite_path(url).exists():
        uploads = _uploads(directory)
        if uploads:
            raise _unknown(directory, url, len(uploads), len(uploads))
        return False
    ours = _read(directory)
    engine = open_blocking(url)
    try:
        with engine.connect() as connection:
            return _is_joined(connection, directory, url, ours)
    except FAILURES as error:
        raise CannotRun(f"{sqlite_path(url)} cannot be used: {error}") from None
    finally:
        engine.dispose()


def join(directory: Path, url: str) -> None:
    """Give a pair that `check` has let pass one identity, that of either part or a new one.

    Raises `CannotRun` when another process was faster, and the two now differ.
    """
    ours = _read(directory)
    engine = open_blocking(url)
    try:
        with engine.begin() as connection:
            agreed = _agree(connection, ours)
    except FAILURES as error:
        raise CannotRun(f"{sqlite_path(url)} cannot be used: {error}") from None
    finally:
        engine.dispose()
    if ours is None:
        _write(directory, agreed)
    elif ours != agreed:
        raise _different(directory, url, ours, agreed)


def _is_joined(connection: Connection, directory: Path, url: str, ours: str | None) -> bool:
    theirs = _identity_in(connection)
    if ours is not None and theirs is not None:
        if ours != theirs:
            raise _different(directory, url, ours, theirs)
        return True
    uploads = _uploads(directory)
    unknown = len(uploads) - _count_known(connection, uploads)
    if unknown == len(uploads) > 0 or unknown > max(1, len(uploads) // _FEW):
        raise _unknown(directory, url, unknown, len(uploads))
    return False


def adopt(directory: Path, url: str) -> tuple[str | None, str]:
    """Make a data directory belong to the database of `url`, which has the newest schema.

    Return the identity of the directory before, None if it had none, and the one that it has now.
    Raises `CannotRun`.
    """
    path = directory / FILE
    before = None
    with suppress(OSError):
        before = path.read_text("ascii", errors="replace").strip()
    engine = open_blocking(url)
    try:
        with engine.begin() as connection:
            now = _agree(connection, before if before and _ONE.fullmatch(before) else None)
    except FAILURES as error:
        raise CannotRun(f"{sqlite_path(url)} cannot be used: {error}") from None
    finally:
        engine.dispose()
    if before != now:
        with suppress(FileNotFoundError):
            path.unlink()
        _write(directory, now)
    return before, now


def _read(directory: Path) -> str | None:
    path = directory / FILE
    try:
        found = path.read_text("ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotRun(f"{path} cannot be read: {error.strerror}") from None
    if not _ONE.fullmatch(found):
        raise CannotRun(
            f"{path} is damaged, so the service cannot tell to which database this directory "
            "belongs. Restore the file, or run `plugin storage adopt`"
        )
    return found


def _write(directory: Path, identity: str) -> None:
    """Put the file there whole, unless another process already has."""
    path, new = directory / FILE, directory / f".{FILE}.{os.getpid()}.{token_hex(4)}"
    try:
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, f"{identity}\n".encode())
            os.fsync(file)
        finally:
            os.close(file)
        with suppress(FileExistsError):
            os.link(new, path)
    except OSError as error:
        raise CannotRun(f"{path} cannot be written: {error.strerror}") from None
    finally:
        new.unlink(missing_ok=True)


def _identity_in(connection: Connection) -> str | None:
    if not _has(connection, identities.name):
        return None
    return connection.execute(select(identities.c.id)).scalar_one_or_none()


def _has(connection: Connection, table: str) -> bool:
    """Return whether a database, of any schema, has a table."""
    return inspect(connection).has_table(table)


def _agree(connection: Connection, wanted: str | None) -> str:
    """Return the identity of the database; without one it gets the wanted one, or a new one."""
    new = insert(identities).values(only=1, id=wanted or token_hex(16)).on_conflict_do_nothing()
    connection.execute(new)
    found: str = connection.execute(select(identities.c.id)).scalar_one()
    return found


def _uploads(directory: Path) -> list[str]:
    folder = directory / UPLOADS
    if not folder.is_dir():
        return []
    return [name for name in os.listdir(folder) if name.startswith(_UPLOAD)]  # noqa: PTH208 - names


def _count_known(connection: Connection, uploads: Collection[str]) -> int:
    if not _has(connection, _files.name):
        return 0
    names, found = list(uploads), 0
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        known = select(func.count()).select_from(_files).where(_files.c.id.in_(some))
        found += connection.execute(known).scalar_one()
    return found


_WAY_OUT = (
    "Set PLUGIN_DATABASE_URL and PLUGIN_DATA_DIR to a pair that belongs together. To use this pair "
    "from now on, run `plugin storage adopt`: files that the database does not know then go to a "
    "trash and stay there for 7 days"
)


def _different(directory: Path, url: str, ours: str, theirs: str) -> CannotRun:
    return CannotRun(
        f"the data directory {directory} belongs to another database than {sqlite_path(url)}: "
        f"their identities are {ours} and {theirs}. {_WAY_OUT}"
    )


def _unknown(directory: Path, url: str, unknown: int, uploads: int) -> CannotRun:
    some = "the uploaded file" if uploads == 1 else f"{unknown} of the {uploads} uploaded files"
    return CannotRun(
        f"the database {sqlite_path(url)} does not know {some} in {directory / UPLOADS}: it is "
        f"new, old, or belongs to another directory. {_WAY_OUT}"
    )

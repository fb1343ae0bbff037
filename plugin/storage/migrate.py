"""Brings a database to the newest schema, and costs almost nothing when it is there already."""

import contextlib
import logging
import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from plugin.errors import CannotRun
from plugin.storage.database import open_blocking, sqlite_path
from plugin.storage.identity import check, join

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PATIENCE = 20.0
"""Seconds to wait for another process that is migrating the same database."""


def prepare(directory: Path, url: str) -> None:
    """Make the data directory, bring the database of `url` to the newest schema, and join the two.

    Raises `CannotRun` when one of them cannot be used, or when they do not belong together.
    """
    joined = check(directory, url)
    make_ready(directory, url)
    if not joined:
        join(directory, url)


def make_ready(directory: Path, url: str) -> None:
    """Make the data directory, and bring the database of `url` to the newest schema.

    The files of the database are readable for this user alone. Raises `CannotRun`.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(directory, str(error.strerror).lower()) from None
    file = sqlite_path(url)
    if not os.access(directory, os.W_OK | os.X_OK) or (
        file.exists() and not os.access(file, os.W_OK)
    ):
        raise _unusable(directory, "it is read-only for this user")
    _close_to_others(file)
    upgrade(url)
    _close_to_others(file)


def _close_to_others(file: Path) -> None:
    changed = []
    for path in (file, *(file.with_name(f"{file.name}-{part}") for part in ("wal", "shm"))):
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if not mode & _OTHERS:
                continue
            try:
                path.chmod(mode & ~_OTHERS)
            except OSError as error:
                log.warning("other users may read %s: %s", path, error.strerror)
            else:
                changed.append(path.name)
    if changed:
        log.info("other users can no longer read %s in %s", ", ".join(changed), file.parent)


def upgrade(url: str) -> None:
    """Bring the database of `url` to the newest schema, whoever else is doing the same."""
    path = sqlite_path(url)
    found, newest = current(path), head()
    if found == newest:
        return
    if found is not None and found > newest:
        raise CannotRun(
            f"{path} has schema {found}, made by a newer version of the plugin (this one knows "
            f"{newest}); update the plugin, or give another PLUGIN_DATA_DIR"
        )
    _make_private(path)
    _run_patiently(url)


def _make_private(path: Path) -> None:
    """Make a new database empty and for this user alone: SQLite gives its other files that mode."""
    with contextlib.suppress(OSError):  # it is there already; or SQLite says why it cannot be
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def head() -> str:
    """The newest revision: the greatest number that a file in `versions` begins with."""
    return max(file.name.split("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def current(path: Path) -> str | None:
    """The revision that the database in `path` has, None when there is none yet."""
    if not path.exists():
        return None
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_PATIENCE)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        # No such table: the file is new, or another process has just begun to fill it.
        return None
    except sqlite3.DatabaseError as error:
        raise CannotRun(
            f"{path} is not a usable database ({error}); restore it or move it away"
        ) from None
    return str(row[0]) if row else None


def _unusable(directory: Path, reason: str) -> CannotRun:
    return CannotRun(
        f"the data directory {directory} cannot be used: {reason}; make it writable, or give "
        "another PLUGIN_DATA_DIR"
    )


def _run_patiently(url: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return _run(url)
        except OperationalError as error:
            # Switching a new file to WAL does not wait for a lock, as everything else does.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise CannotRun(f"{sqlite_path(url)} cannot be migrated: {error.orig}") from error
            time.sleep(0.05)
        except DatabaseError as error:
            raise CannotRun(f"{sqlite_path(url)} cannot be migrated: {error.orig}") from error


def _run(url: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = open_blocking(url)
    _take_the_write_lock_first(engine)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def _take_the_write_lock_first(engine: Engine) -> None:
    # The driver begins a transaction only before DML; DDL must be inside one as well, and a second
    # process must wait before it looks which revision is there.
    @event.listens_for(engine, "connect")
    def _manual(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

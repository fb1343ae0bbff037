"""A database that was migrated once in this process, for tests that need one as a start."""

import contextlib
import os
import tempfile
from functools import cache
from pathlib import Path

from plugin.storage import migrate

migrate_for_real = migrate._run_patiently


@cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "plugin.db"
        migrate_for_real(f"sqlite:///{file}")
        assert not file.with_name("plugin.db-wal").exists(), "the copy would lack what is in it"
        return file.read_bytes()


def place_database(file: Path) -> bool:
    """Put a migrated database at `file`. Return False, and change nothing, where a file exists."""
    if file.exists():
        return False
    new = file.with_name(f"{file.name}.{os.getpid()}.new")
    new.write_bytes(_template())
    with contextlib.suppress(FileExistsError):
        os.link(new, file)
    new.unlink()
    return True

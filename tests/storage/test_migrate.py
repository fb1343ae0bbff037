import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import plugin
from plugin.errors import CannotRun
from plugin.storage import migrate
from plugin.storage.database import metadata, open_blocking
from tests.sizes import sized

MIGRATING = sized(2, 4)
"""Processes that migrate one database at once."""


def _import_every_owner_of_a_table() -> None:
    for module in walk_packages(plugin.__path__, "plugin."):
        if not module.name.startswith(("plugin.storage.migrations.", "plugin.__main__")):
            import_module(module.name)


def test_the_migrated_schema_is_the_declared_one(url: str) -> None:
    _import_every_owner_of_a_table()
    migrate.upgrade(url)
    engine = open_blocking(url)
    with engine.connect() as connection:
        kinds = connection.exec_driver_sql("SELECT name, type FROM pragma_table_list")
        # MetaData has no word for a virtual table, nor for those that SQLite keeps behind it
        virtual = {name for name, kind in kinds if kind in {"virtual", "shadow"}}

        def is_declared(name: str | None, kind: str, _parents: object) -> bool:
            return kind != "table" or name not in virtual

        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": is_declared,
            },
        )
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert {"api_keys", "todos", "documents"} <= set(metadata.tables)
    assert "document_index" in virtual
    assert differences == []


def test_the_head_is_known_without_alembic() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.head()]


def test_every_migration_can_be_taken_back(url: str, tmp_path: Path) -> None:
    from alembic import command

    migrate.upgrade(url)
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    engine = open_blocking(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "plugin.db")) as database:
        left = database.execute(
            "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        ).fetchall()
    assert {name for (name,) in left} <= {
        "alembic_version",
        "pk_alembic_version",
        "alembic_version_pkc",
    }


def test_what_was_stored_before_there_were_quotas_is_counted(url: str, tmp_path: Path) -> None:
    from alembic import command

    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    engine = open_blocking(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0010")
        for statement in (
            "INSERT INTO files VALUES ('file-1', 'ann', 'a', 'batch', 100, 'x', 1, NULL)",
            (
                "INSERT INTO documents (serial, caller_id, id, updated_at, chunk_count) "
                "VALUES (1, 'ann', 'd', 1, 1)"
            ),
            (
                "INSERT INTO document_chunks (document_serial, position, text, heading, body) "
                "VALUES (1, 0, 'éa', '', '')"
            ),
            "INSERT INTO idempotency_keys VALUES ('bob', 'k', x'00', 1, NULL, 200, 7, NULL, NULL)",
        ):
            connection.exec_driver_sql(statement)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "plugin.db")) as database:
        counted = "SELECT * FROM storage_use ORDER BY caller_id, kind"
        assert database.execute(counted).fetchall() == [
            ("ann", "documents", 1_024 + 3),
            ("ann", "files", 4_096 + 100),
            ("bob", "answers", 7),
        ]
        for table in ("files", "documents", "idempotency_keys"):
            database.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
        assert {row[2] for row in database.execute(counted)} == {0}


def test_a_database_at_head_costs_no_alembic(url: str) -> None:
    migrate.upgrade(url)
    program = (
        "import sys; from plugin.storage import migrate; migrate.upgrade(sys.argv[1]);"
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program, url], check=True, capture_output=True, text=True
    )
    assert done.stdout == "False\n"


def test_several_processes_may_migrate_at_once(url: str, tmp_path: Path) -> None:
    program = "import sys; from plugin.storage import migrate; migrate.upgrade(sys.argv[1])"
    running = [
        subprocess.Popen(  # noqa: S603 - our own words
            [sys.executable, "-c", program, url], stderr=subprocess.PIPE
        )
        for _ in range(MIGRATING)
    ]
    outcomes = [(one.wait(60), one.communicate()[1]) for one in running]
    assert [code for code, _ in outcomes] == [0] * MIGRATING, outcomes
    with closing(sqlite3.connect(tmp_path / "plugin.db")) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (migrate.head(),)
        ]
        assert database.execute("SELECT value FROM api_key_changes").fetchall() == [(0,)]
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_file_that_is_no_database_is_named(url: str, tmp_path: Path) -> None:
    (tmp_path / "plugin.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(CannotRun, match=r"plugin\.db is not a usable database"):
        migrate.upgrade(url)


def test_a_newer_schema_is_left_alone(url: str, tmp_path: Path) -> None:
    migrate.upgrade(url)
    with closing(sqlite3.connect(tmp_path / "plugin.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    with pytest.raises(CannotRun, match="newer version of the plugin"):
        migrate.upgrade(url)


def test_a_data_directory_that_cannot_be_made_is_one_line(url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotRun, match="PLUGIN_DATA_DIR"):
        migrate.prepare(tmp_path / "file" / "data", url)


def test_what_is_read_only_is_one_line(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.prepare(tmp_path, url)
    for name in (tmp_path, tmp_path / "plugin.db"):

        def writable(path: Path, _mode: int, name: Path = name) -> bool:
            return path != name

        monkeypatch.setattr(os, "access", writable)
        with pytest.raises(CannotRun, match="it is read-only for this user; make it writable"):
            migrate.prepare(tmp_path, url)


def test_a_new_data_directory_is_its_owners(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    migrate.prepare(directory, f"sqlite:///{directory / 'plugin.db'}")
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_new_database_is_its_owners_from_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, int] = {}
    run = migrate._run_patiently

    def look(url: str) -> None:
        def modes() -> None:
            for path in tmp_path.glob("plugin.db*"):
                seen[path.name] = seen.get(path.name, 0) | path.stat().st_mode & 0o777

        modes()
        with closing(sqlite3.connect(tmp_path / "plugin.db")) as first:
            first.execute("PRAGMA journal_mode=WAL")
            first.execute("CREATE TABLE other (one)")
            modes()
            first.execute("DROP TABLE other")
            first.commit()
        run(url)
        modes()

    monkeypatch.setattr(migrate, "_run_patiently", look)
    before = os.umask(0)
    try:
        migrate.prepare(tmp_path, f"sqlite:///{tmp_path / 'plugin.db'}")
    finally:
        os.umask(before)
    assert seen == {"plugin.db": 0o600, "plugin.db-wal": 0o600, "plugin.db-shm": 0o600}

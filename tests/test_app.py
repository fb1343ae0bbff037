import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from plugin.app import create_app, scopes
from plugin.auth.keys import KeyStore
from plugin.errors import CannotRun
from plugin.settings import Settings
from plugin.storage.database import open_blocking
from plugin.storage.migrate import prepare


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path / "data", log_level="warning")


@pytest.fixture
def keys(settings: Settings) -> Iterator[KeyStore]:
    prepare(settings.data_dir, settings.database)
    engine = open_blocking(settings.database)
    yield KeyStore(engine, time.time)
    engine.dispose()


@pytest.fixture
def service(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_it_makes_its_own_database(service: TestClient, settings: Settings) -> None:
    parts = service.get("/readyz").json()["parts"]
    assert parts == {"database": "ready", "engine": "stopped"}
    assert (settings.data_dir / "plugin.db").exists()


def test_a_revocation_by_another_process_counts_from_the_next_request(
    service: TestClient, keys: KeyStore, settings: Settings, tmp_path: Path
) -> None:
    made = keys.create("Ann", ["*"])
    assert service.get("/todos", headers=_bearer(made.key)).status_code == 200
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "plugin", "keys", "revoke", made.id],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        env={"PLUGIN_DATA_DIR": str(settings.data_dir), "PYTHONPATH": ":".join(sys.path)},
    )
    refused = service.get("/todos", headers=_bearer(made.key))
    assert refused.status_code == 401
    assert refused.json()["detail"] == "The API key is revoked."


def test_a_rotated_key_keeps_its_data(service: TestClient, keys: KeyStore) -> None:
    first = keys.create("Ann", ["*"])
    service.post("/todos", headers=_bearer(first.key), json={"text": "milk"})
    second = keys.rotate(first.id)
    assert service.get("/todos", headers=_bearer(second.key)).json()["total"] == 1
    assert service.get("/todos", headers=_bearer(first.key)).status_code == 401


def test_scopes_hold(service: TestClient, keys: KeyStore) -> None:
    reader = _bearer(keys.create("Ann", ["todos:read"]).key)
    assert service.get("/todos", headers=reader).status_code == 200
    refused = service.post("/todos", headers=reader, json={"text": "milk"})
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")


def test_a_database_that_fails_is_no_5xx_before_authentication(
    service: TestClient, keys: KeyStore, settings: Settings
) -> None:
    known = _bearer(keys.create("Ann", ["weather:read"]).key)
    assert service.get("/todos", headers=known).status_code == 403
    with closing(sqlite3.connect(settings.data_dir / "plugin.db")) as database:
        database.execute("DROP TABLE api_keys")
        database.execute("UPDATE api_key_changes SET value = value + 1")
        database.commit()
    assert service.get("/todos", headers=known).status_code == 403
    assert service.get("/todos", headers=_bearer("gpk_" + "0" * 36)).status_code == 401
    assert service.get("/todos").status_code == 401


def test_the_last_use_is_written_when_it_stops(settings: Settings, keys: KeyStore) -> None:
    key = keys.create("Ann", ["*"]).key
    with TestClient(create_app(settings)) as client:
        client.get("/todos", headers=_bearer(key))
    (record,) = keys.list()
    assert record.last_used_at is not None


OF_THE_GPT_API = {"gpt:use", "files:read", "files:write", "usage:read", "metrics:read"}
OPERATIONS = """
    from fastapi import APIRouter
    from plugin.operations import operation

    router = APIRouter(prefix="/greetings")

    @router.get("", operation_id="greet", summary="Greet")
    @operation(scope="greetings:read")
    async def greet(name: str = "world") -> str:
        "Greet somebody."
        return f"Hello, {name}"
"""


def _package(directory: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    package = directory / name
    package.mkdir()
    (package / "__init__.py").write_text('"""Operations."""\n')
    (package / "greetings.py").write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(directory))
    return Settings(
        _env_file=None,
        data_dir=directory / "d",
        operations=(name,),
        built_in=("todos",),
        log_level="error",
    )


def test_operations_of_another_package_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _package(tmp_path, "gate_test_company", OPERATIONS, monkeypatch)
    of_operations = [scope for scope in scopes(settings) if scope not in OF_THE_GPT_API]
    assert of_operations == ["greetings:read", "todos:read", "todos:write"]
    prepare(settings.data_dir, settings.database)
    engine = open_blocking(settings.database)
    key = KeyStore(engine, time.time).create("Ann", ["greetings:read"]).key
    engine.dispose()
    with TestClient(create_app(settings)) as client:
        greeted = client.get("/greetings?name=Ann", headers=_bearer(key))
        assert greeted.json() == "Hello, Ann"
        misspelt = client.get("/greetings?nmae=Ann", headers=_bearer(key)).json()
        assert misspelt["errors"][0]["nearest"] == "name"
        assert "/greetings" in client.get("/openapi.json").json()["paths"]


def test_an_operation_that_declares_no_scope_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    careless = OPERATIONS.replace('    @operation(scope="greetings:read")\n', "")
    settings = _package(tmp_path, "gate_test_careless", careless, monkeypatch)
    with pytest.raises(CannotRun, match="not declared as an operation"):
        create_app(settings)


def test_what_is_open_is_named_here(settings: Settings) -> None:
    app: Any = create_app(settings)
    gateway = app._app._app
    opened = {entry.template for entry in gateway._table if entry.access is None}
    assert opened == {
        "/.well-known/ai-plugin.json",
        "/.well-known/logo.png",
        "/docs",
        "/docs/docs.css",
        "/docs/docs.js",
        "/healthz",
        "/openapi.json",
        "/v1/openapi.json",
        "/readyz",
        "/tools",
    }
    assert sum(entry.access is not None for entry in gateway._table) >= 5

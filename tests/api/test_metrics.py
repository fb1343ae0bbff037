from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from plugin.app import create_app
from plugin.auth.keys import KeyStore
from plugin.gate.limits import Limit
from plugin.gate.limits_store import LimitStore
from plugin.ledger.reader import balances
from plugin.settings import Settings
from plugin.storage.database import open_blocking


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path, log_level="error", engine="none")


def bearer(settings: Settings, *scopes: str) -> dict[str, str]:
    engine = open_blocking(settings.database)
    try:
        made = KeyStore(engine, lambda: 1_800_000_000.0).create("prometheus", frozenset(scopes))
    finally:
        engine.dispose()
    return {"authorization": f"Bearer {made.key}"}


def test_whoever_has_the_scope_reads_what_the_service_did(settings: Settings) -> None:
    with TestClient(create_app(settings)) as client:
        key = bearer(settings, "metrics:read", "todos:read")
        assert client.get("/todos", headers=key).status_code == 200
        assert client.get("/no/such/path").status_code == 404
        reply = client.get("/metrics", headers=key)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain")
    counted = {
        (sample.labels["http_route"], sample.labels["plugin_status_class"]): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
        if sample.name == "http_server_request_duration_seconds_count"
    }
    assert counted == {("/todos", "2xx"): 1, ("other", "4xx"): 1}
    assert "http_server_active_requests 1.0" in reply.text
    assert "plugin_workers 1.0" in reply.text


def test_a_scrape_is_no_call_of_the_ledger_and_meets_no_limit(settings: Settings) -> None:
    with TestClient(create_app(settings)) as client:
        key = bearer(settings, "metrics:read", "todos:read")
        engine = open_blocking(settings.database)
        LimitStore(engine).set(Limit("key", "*", "requests", "minute", 1))
        assert client.get("/todos", headers=key).status_code == 200
        for _ in range(5):
            assert client.get("/metrics", headers=key).status_code == 200
        assert client.get("/todos", headers=key).status_code == 429
    used = balances(engine, 0, 2**30, ["action"])
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT action FROM ledger WHERE kind = 'call'").all()
    engine.dispose()
    assert [(one.action, one.calls) for one in used] == [("list_todos", 1)]
    assert rows == [("list_todos",)]


def test_nobody_else_does(settings: Settings) -> None:
    with TestClient(create_app(settings)) as client:
        assert client.get("/metrics").status_code == 401
        reply = client.get("/metrics", headers=bearer(settings, "todos:read"))
    assert reply.status_code == 403
    assert "metrics:read" in reply.json()["detail"]


def test_it_is_nothing_for_models_to_call(settings: Settings) -> None:
    with TestClient(create_app(settings)) as client:
        for path in ("/openapi.json", "/v1/openapi.json", "/tools"):
            assert "/metrics" not in client.get(path).text

from pathlib import Path
from typing import Any

import pytest

from plugin.errors import CannotRun
from plugin.settings import Settings, load, unknown_names


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_defaults_serve_on_this_machine_alone() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.trusted_proxies == ()
    assert settings.database.endswith("/data/plugin.db")
    assert settings.well_known_dir.name == ".well-known"


def test_every_setting_says_what_is_allowed() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_dot_env_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("PLUGIN_PORT=9001\nPLUGIN_HOST=::1\nUNRELATED=1\n")
    monkeypatch.setenv("PLUGIN_PORT", "9002")
    settings = load()
    assert (settings.port, settings.host) == (9002, "::1")


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("PLUGIN_OPERATIONS", "a.b, c", "operations", ("a.b", "c")),
        ("PLUGIN_TRUSTED_PROXIES", "10.0.0.0/8,::1", "trusted_proxies", ("10.0.0.0/8", "::1")),
        ("PLUGIN_UPSTREAMS", '[{"name":"vllm"}]', "upstreams", ({"name": "vllm"},)),
        ("PLUGIN_MODEL_ALIASES", '{"gpt-4":"qwen3-8b"}', "model_aliases", {"gpt-4": "qwen3-8b"}),
        ("PLUGIN_LOG_LEVEL", "WARNING", "log_level", "warning"),
        ("PLUGIN_DATABASE_URL", "", "database_url", None),
        ("PLUGIN_ENGINE_THREADS", "3", "engine_threads", 3),
    ],
)
def test_values_are_typed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, expected: object
) -> None:
    monkeypatch.setenv(name, value)
    assert getattr(load(), field) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLUGIN_PORT", "70000"),
        ("PLUGIN_PORT", "http"),
        ("PLUGIN_WORKERS", "0"),
        ("PLUGIN_PUBLIC_URL", "plugin.example.com"),
        ("PLUGIN_DATABASE_URL", "mysql://root:hunter2@db/x"),
        ("PLUGIN_OPERATIONS", "my-company"),
        ("PLUGIN_TRUSTED_PROXIES", "proxy.local"),
        ("PLUGIN_LOG_LEVEL", "loud"),
        ("PLUGIN_UPSTREAMS", '[{"api_key":"hunter2"'),
        ("PLUGIN_MODEL_ALIASES", "[]"),
        ("PLUGIN_BODY_LIMIT", "-1"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(CannotRun) as caught:
        load()
    line = caught.value.detail
    allowed = Settings.model_fields[name.removeprefix("PLUGIN_").lower()].description
    assert line.startswith(f"{name}: ")
    assert line.endswith(f"give {allowed}")
    assert "\n" not in line
    assert "hunter2" not in line


def test_a_name_that_is_no_setting_gets_the_nearest_one() -> None:
    lines = unknown_names({"PLUGIN_PROT": "1", "PLUGIN_PORT": "2", "PATH": "x", "PLUGIN_QQQ": ""})
    assert lines == [
        "PLUGIN_PROT is not a setting and is ignored; did you mean PLUGIN_PORT?",
        "PLUGIN_QQQ is not a setting and is ignored",
    ]


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({"public_url": "https://plugin.example.com/"}, "https://plugin.example.com"),
        ({"host": "0.0.0.0", "port": 80}, "http://127.0.0.1:80"),  # noqa: S104 - compared, not bound
        ({"host": "::", "port": 80}, "http://[::1]:80"),
        ({"host": "::1", "port": 80}, "http://[::1]:80"),
    ],
)
def test_the_address_for_callers(given: dict[str, Any], address: str) -> None:
    assert Settings(**given).base_url == address

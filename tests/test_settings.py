import json
from pathlib import Path
from typing import Any

import pytest

from plugin import operations
from plugin.errors import CannotRun
from plugin.settings import BUILT_IN, Settings, data_dir, load, unknown_names
from plugin.settings.env_file import values
from plugin.settings.notices import warnings, without_effect


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
        ("PLUGIN_DATABASE_URL", "postgresql://root:hunter2@db/x"),
        ("PLUGIN_COUNTERS_URL", "redis://:hunter2@counters/0"),
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
    assert ("is not supported yet" in line) is value.startswith(("postgresql", "redis"))


ISSUER = {"issuer": "https://id.example.com", "audience": "gpt-plugin", "algorithm": "RS256"}
PUBLISHED = ISSUER | {"jwks_url": "https://id.example.com/jwks.json"}


def test_issuers_are_typed_and_their_keys_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = ISSUER | {"issuer": "ours", "algorithm": "HS256", "key": "hunter2hunter2"}
    monkeypatch.setenv("PLUGIN_JWT_ISSUERS", json.dumps([PUBLISHED, fixed]))
    published, with_key = load().jwt_issuers
    assert (published.jwks_url, published.key) == ("https://id.example.com/jwks.json", None)
    assert with_key.key is not None
    assert with_key.key.get_secret_value() == "hunter2hunter2"
    assert "hunter2" not in repr(load())


@pytest.mark.parametrize(
    ("issuers", "reason"),
    [
        ([ISSUER], "item 1: either key or jwks_url is asked for"),
        ([PUBLISHED | {"key": "hunter2"}], "item 1: either key or jwks_url is asked for"),
        ([PUBLISHED, PUBLISHED], "(an issuer is named twice)"),
        ([PUBLISHED | {"algorithm": "none"}], "item 1, algorithm: "),
        ([PUBLISHED | {"algorithm": "HS256"}], "a secret is not published"),
        ([PUBLISHED | {"algorithm": ["RS256"]}], "item 1, algorithm: "),
        ([PUBLISHED | {"audience": ""}], "item 1, audience: "),
        ([PUBLISHED | {"audience": ["a"]}], "item 1, audience: "),
        ([PUBLISHED | {"issuer": 7}], "item 1, issuer: "),
        ([PUBLISHED, {"issuer": "hunter2"}], "item 2, audience: "),
        ([PUBLISHED | {"jwks": "hunter2"}], "item 1, jwks: "),
        ([PUBLISHED | {"jwks_url": "http://id.example.com/jwks"}], "https is asked for"),
        ([PUBLISHED | {"jwks_url": "http://127.0.0.1.example.com/"}], "https is asked for"),
        ([PUBLISHED | {"jwks_url": "file:///etc/passwd"}], "https is asked for"),
        ([PUBLISHED | {"jwks_url": "https://"}], "https is asked for"),
        ([PUBLISHED | {"jwks_url": "https://a:hunter2@id.example.com/"}], "is not sent"),
        ([PUBLISHED | {"jwks_url": "https://[::1"}], "item 1, jwks_url: "),
        (["hunter2"], "item 1: "),
        ("hunter2", ""),
        ({"issuer": "hunter2"}, ""),
    ],
)
def test_a_wrong_issuer_is_one_line_that_says_where(
    monkeypatch: pytest.MonkeyPatch, issuers: object, reason: str
) -> None:
    monkeypatch.setenv("PLUGIN_JWT_ISSUERS", json.dumps(issuers))
    with pytest.raises(CannotRun) as caught:
        load()
    line = caught.value.detail
    assert line.startswith("PLUGIN_JWT_ISSUERS: its value is not allowed")
    assert reason in line
    assert line.endswith("and key or jwks_url")
    assert "\n" not in line
    assert "hunter2" not in line


UPSTREAM = {"name": "vllm", "base_url": "http://10.0.0.7:8000/v1/", "models": ["qwen3-8b"]}


def test_upstreams_are_typed_and_their_keys_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = {"id": "bge-m3", "kind": "embedding", "context_window": 8192, "retires": "2027-01-31"}
    second = UPSTREAM | {"name": "b", "api_key": "hunter2", "models": [vectors], "timeout": 5}
    monkeypatch.setenv("PLUGIN_UPSTREAMS", json.dumps([UPSTREAM, second]))
    first, other = load().upstreams
    assert (first.base_url, first.api_key) == ("http://10.0.0.7:8000/v1", None)
    assert [(model.id, model.kind) for model in first.models] == [("qwen3-8b", "text")]
    assert other.models[0].model_dump() == vectors | {"strengths": None}
    assert (other.timeout, other.retries) == (5.0, 2)
    assert other.api_key is not None
    assert other.api_key.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(load())


@pytest.mark.parametrize(
    ("upstreams", "reason"),
    [
        ([{"name": "vllm"}], "item 1, base_url: "),
        ([UPSTREAM, UPSTREAM], "(an upstream is named twice)"),
        ([UPSTREAM | {"name": "a b"}], "item 1, name: "),
        ([UPSTREAM | {"base_url": "ftp://a/v1"}], "an address with http or https"),
        ([UPSTREAM | {"base_url": "https://"}], "an address with http or https"),
        ([UPSTREAM | {"base_url": "https://u:hunter2@a/v1"}], "the key goes into api_key"),
        ([UPSTREAM | {"base_url": "https://a/v1?key=hunter2"}], "without a query"),
        ([UPSTREAM | {"base_url": "https://a/ b"}], "without a query"),
        ([UPSTREAM | {"base_url": "https://[::1"}], "item 1, base_url: "),
        ([UPSTREAM | {"api_key": "hunter2\r\nHost: inside"}], "a key is plain ASCII"),
        ([UPSTREAM | {"api_key": ""}], "a key is plain ASCII"),
        ([UPSTREAM | {"models": []}], "item 1, models: "),
        ([UPSTREAM | {"models": "qwen3-8b"}], "item 1, models: "),
        ([UPSTREAM | {"models": ["a", "a"]}], "a model is listed twice"),
        ([UPSTREAM | {"models": ["a", 7]}], "item 1, models, item 2: "),
        ([UPSTREAM | {"models": ["a\nb"]}], "item 1, models, item 1, id: "),
        ([UPSTREAM | {"models": [{"id": "a", "kind": "sound"}]}], "models, item 1, kind: "),
        ([UPSTREAM | {"models": [{"id": "a", "retires": "soon"}]}], "item 1, retires: "),
        ([UPSTREAM | {"timeout": 0}], "item 1, timeout: "),
        ([UPSTREAM | {"timeout": "5"}], "item 1, timeout: "),
        ([UPSTREAM | {"retries": 1.5}], "item 1, retries: "),
        ([UPSTREAM | {"headers": {"x": "hunter2"}}], "item 1, headers: "),
        ("hunter2", ""),
    ],
)
def test_a_wrong_upstream_is_one_line_that_says_where(
    monkeypatch: pytest.MonkeyPatch, upstreams: object, reason: str
) -> None:
    monkeypatch.setenv("PLUGIN_UPSTREAMS", json.dumps(upstreams))
    with pytest.raises(CannotRun) as caught:
        load()
    line = caught.value.detail
    assert line.startswith("PLUGIN_UPSTREAMS: its value is not allowed")
    assert reason in line
    assert line.endswith("api_key and models")
    assert "\n" not in line
    assert "hunter2" not in line


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9000", "[::1]:9000"])
def test_keys_of_this_machine_may_come_in_the_clear(host: str) -> None:
    given = PUBLISHED | {"jwks_url": f"http://{host}/jwks"}
    assert Settings.model_validate({"jwt_issuers": [given]}).jwt_issuers[0].jwks_url


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


@pytest.mark.parametrize(
    ("given", "offered"),
    [("none", ()), ("todos", ("todos",)), ("weather, todos", ("weather", "todos"))],
)
def test_built_in_operations_can_be_left_out(
    monkeypatch: pytest.MonkeyPatch, given: str, offered: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PLUGIN_BUILT_IN", given)
    assert load().built_in == offered


def test_the_built_in_operations_are_those_of_the_package() -> None:
    folder = Path(operations.__file__).parent
    modules = {
        file.parent.name if file.stem == "__init__" else file.stem
        for file in (*folder.glob("*.py"), *folder.glob("*/__init__.py"))
        if "router = APIRouter" in file.read_text()
    }
    assert modules - {"operations"} == set(BUILT_IN)


def test_a_broken_file_is_one_line() -> None:
    Path(".env").write_bytes(b"\xff\xfe\0")
    with pytest.raises(CannotRun, match=r"\.env is not UTF-8"):
        load()


def test_a_name_in_the_file_that_is_no_setting_is_told() -> None:
    Path(".env").write_text("PLUGIN_PROT=1\nPLUGIN_KEY=x\n")
    assert unknown_names({}) == [
        "PLUGIN_PROT is not a setting and is ignored; did you mean PLUGIN_PORT?"
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# ours\n\nPLUGIN_PORT=http\n", r"PLUGIN_PORT \(\.env line 3\): 'http' is not allowed"),
        ("PLUGIN_PORT=1\nPLUGIN_PORT=http\n", r"PLUGIN_PORT \(\.env line 2\)"),
        ("PLUGIN_PORT=1\nwhat is this\n", r"\.env line 2: this is not NAME=value"),
        ("PLUGIN_PORT\n", r"\.env line 1: this is not NAME=value"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(content)
    with pytest.raises(CannotRun, match=message):
        load()


def test_no_line_is_told_of_what_the_environment_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PLUGIN_PORT=http\n")
    monkeypatch.setenv("PLUGIN_PORT", "https")
    with pytest.raises(CannotRun, match="PLUGIN_PORT: 'https'"):
        load()


def test_the_data_directory_is_known_in_spite_of_other_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_dir() == Path("data")
    (tmp_path / ".env").write_text("what is this\nPLUGIN_PORT=http\nPLUGIN_DATA_DIR=there\n")
    assert data_dir() == Path("there")
    monkeypatch.setenv("PLUGIN_DATA_DIR", "elsewhere")
    assert data_dir() == Path("elsewhere")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLUGIN_PUBLIC_URL", "https://ann:hunter2@example.com/?a"),
        ("PLUGIN_PUBLIC_URL", "https://example.com/?key=hunter2"),
        ("PLUGIN_PUBLIC_URL", "https://ann:hunter2/@example.com"),
        ("PLUGIN_PUBLIC_URL", "ann:hunter2@example.com"),
        ("PLUGIN_PUBLIC_URL", "https://example.com/#hunter2"),
        ("PLUGIN_WEATHER_FORECAST_URL", "ftp://ann:hunter2@example.com"),
        ("PLUGIN_WEATHER_FORECAST_URL", "https://example.com/v1 ?apikey=hunter2"),
        ("PLUGIN_WEATHER_GEOCODING_URL", "example.com/v1?apikey=hunter2"),
        ("PLUGIN_TRACES", "collector?token=hunter2"),
    ],
)
@pytest.mark.parametrize("in_file", [True, False])
def test_a_refused_address_does_not_show_what_it_holds(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, *, in_file: bool
) -> None:
    if in_file:
        Path(".env").write_text(f'{name}="{value}"\n')
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(CannotRun) as caught:
        load()
    assert caught.value.detail.startswith(name)
    assert "hunter2" not in caught.value.detail


def test_an_address_with_a_user_is_warned_of_and_callers_are_not_told_it() -> None:
    given = Settings(
        public_url="https://ann:hunter2@example.com/x/",
        weather_forecast_url="https://ann:hunter2@example.com",
        weather_geocoding_url="https://example.com?apikey=hunter2",
    )
    assert given.base_url == "https://example.com/x"
    assert warnings(given, {}) == [
        "PLUGIN_PUBLIC_URL holds a user name or a password. Callers are not told it. Remove it.",
        (
            "PLUGIN_WEATHER_FORECAST_URL holds a user name or a password. Requests are not sent "
            "with one. Remove it."
        ),
    ]


def test_an_empty_variable_is_the_default_whatever_the_file_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("PLUGIN_BODY_LIMIT=2048\nPLUGIN_DATA_DIR=there\nPLUGIN_ENGINE=none\n")
    assert (load().body_limit, str(load().data_dir), str(data_dir())) == (2048, "there", "there")
    monkeypatch.setenv("PLUGIN_BODY_LIMIT", "")
    monkeypatch.setenv("plugin_data_dir", "")
    assert (load().body_limit, str(load().data_dir), str(data_dir())) == (1_048_576, "data", "data")
    assert load().engine == "none"
    monkeypatch.setenv("PLUGIN_BODY_LIMIT", "4096")
    assert load().body_limit == 4096


def test_an_empty_variable_is_not_a_fault_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PLUGIN_BODY_LIMIT=lots\n")
    monkeypatch.setenv("PLUGIN_BODY_LIMIT", "")
    assert load().body_limit == 1_048_576


def test_what_a_reload_does_not_change_is_told() -> None:
    Path(".env").write_text("PLUGIN_WORKERS=2\nPLUGIN_QUEUE=1\n")
    asked, before = Settings(workers=4), values()
    assert without_effect(asked, asked, before, {"PLUGIN_QUEUE": "7"}, {"workers"}) == []
    Path(".env").write_text(
        "PLUGIN_WORKERS=3\nPLUGIN_QUEUE=2\nPLUGIN_PORT=1\nPLUGIN_ENGINE=none\nOTHER=1\n"
    )
    read = Settings(workers=4)
    assert without_effect(read, asked, before, {"plugin_queue": "7"}, {"workers"}) == [
        "PLUGIN_PORT has changed. That takes effect after a stop and a start.",
        (
            "PLUGIN_QUEUE in .env has no effect, because the service was started with it in its "
            "environment."
        ),
        (
            "PLUGIN_WORKERS in .env has no effect, because the service was started with the option "
            "--workers."
        ),
    ]

"""Which key goes to which address."""

from pathlib import Path

import pytest

from plugin.cli.gpt_api.api_account import find
from plugin.errors import CannotRun

HERE = "http://127.0.0.1:8000/v1"
CONFIG = "[default]\napi_key = sk-%file\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PLUGIN_PORT", "PLUGIN_DATA_DIR", "PLUGIN_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def _config(home: Path, text: str, mode: int = 0o600) -> None:
    file = home / ".openai" / "config"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


def _first_key(home: Path, folder: str = "data") -> None:
    (home / folder).mkdir()
    (home / folder / "first-key").write_text("gpk_first\n")


def test_the_nearest_key_counts(home: Path) -> None:
    assert find(None, None, {}).key is None
    _first_key(home)
    assert find(None, None, {}).key == "gpk_first"
    _config(home, CONFIG)
    assert find(None, None, {}).key == "sk-%file"
    assert find(None, None, {"OPENAI_API_KEY": "sk-env\n"}).key == "sk-env"
    assert find(None, None, {"OPENAI_API_KEY": ""}).key == "sk-%file"
    given = find("sk-given", None, {"OPENAI_API_KEY": "sk-env"})
    assert given.key == "sk-given"
    assert "sk-given" not in repr(given)


def test_the_nearest_address_counts(home: Path) -> None:
    assert find("k", None, {}).base_url == HERE
    _config(home, CONFIG + "base_url = http://file/v1/\n")
    assert find("k", None, {}).base_url == "http://file/v1"
    old = {"OPENAI_API_BASE": "http://old/v1"}
    assert find("k", None, old).base_url == "http://old/v1"
    assert find("k", None, old | {"OPENAI_BASE_URL": "http://new/v1"}).base_url == "http://new/v1"
    assert find("k", "https://given/v1/", old).base_url == "https://given/v1"


def test_the_service_of_this_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGIN_PORT", "9123")
    _first_key(home, "elsewhere")
    (home / ".env").write_text("PLUGIN_DATA_DIR=elsewhere\n")
    found = find(None, None, {"PLUGIN_PORT": "9123"})
    assert (found.base_url, found.key) == ("http://127.0.0.1:9123/v1", "gpk_first")
    assert find(None, "http://localhost:9123/v1", {}).key == "gpk_first"


def test_the_first_key_goes_to_no_other_service(home: Path) -> None:
    _first_key(home)
    elsewhere = ("https://api.openai.com/v1", "http://127.0.0.1:11434/v1", "http://localhost.x/v1")
    for other in elsewhere:
        assert find(None, other, {}).key is None
    assert find(None, HERE, {}).key == "gpk_first"


def test_a_config_that_others_read_is_warned_of(home: Path) -> None:
    _config(home, CONFIG, 0o644)
    assert "chmod 600 ~/.openai/config" in find(None, None, {}).warning
    assert find("k", None, {}).warning == ""
    _config(home, CONFIG, 0o600)
    assert find(None, None, {}).warning == ""


def test_a_broken_config_is_said_without_the_key(home: Path) -> None:
    _config(home, "api_key = sk-secret\n")
    with pytest.raises(CannotRun, match=r"write \[default\]") as caught:
        find(None, None, {})
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:8000", "file:///etc/passwd", "http://", "http://u:p@host/v1"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    if not address:
        assert find("k", address, {}).base_url == HERE
        return
    with pytest.raises(CannotRun, match="address") as caught:
        find("k", address, {})
    assert "u:p" not in caught.value.detail

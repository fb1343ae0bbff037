import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from plugin.api import cached, well_known
from plugin.app import create_app
from plugin.contract import manifest
from plugin.errors import CannotRun
from plugin.settings import Settings

CHATGPT = ["https://chatgpt.com", "https://chat.openai.com"]
SHARED = ["/.well-known/ai-plugin.json", "/.well-known/logo.png", "/openapi.json"]
STRANGERS = [
    *("https://evil.example", "http://chatgpt.com", "https://chatgpt.com.evil.example"),
    *("https://chatgpt.com:444", "null", ""),
]


def test_the_manifest_is_strictly_valid_where_it_is_served(doors: TestClient) -> None:
    reply = doors.get("/.well-known/ai-plugin.json")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    served_from = "https://plugin.example.com/.well-known/ai-plugin.json"
    assert manifest.strict(reply.json(), served_from) == []


def test_its_addresses_are_those_of_the_setting(doors: TestClient) -> None:
    made = doors.get("/.well-known/ai-plugin.json").json()
    assert made["api"] == {"type": "openapi", "url": "https://plugin.example.com/openapi.json"}
    assert made["logo_url"] == "https://plugin.example.com/.well-known/logo.png"
    assert made["legal_info_url"] == "https://example.com/legal"
    assert made["auth"] == {"type": "user_http", "authorization_type": "bearer"}
    servers = doors.get("/openapi.json").json()["servers"]
    assert servers == [{"url": "https://plugin.example.com"}]


def test_people_find_one_name_everywhere(doors: TestClient) -> None:
    name = doors.get("/.well-known/ai-plugin.json").json()["name_for_human"]
    assert doors.get("/openapi.json").json()["info"]["title"] == name


def test_the_host_a_client_names_changes_nothing(doors: TestClient) -> None:
    ours = doors.get("/.well-known/ai-plugin.json").content
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    assert doors.get("/.well-known/ai-plugin.json", headers=headers).content == ours


def test_the_logo_is_a_small_png(doors: TestClient) -> None:
    reply = doors.get("/.well-known/logo.png")
    assert reply.headers["content-type"] == "image/png"
    assert reply.content.startswith(b"\x89PNG")
    assert len(reply.content) < 30_000


@pytest.mark.parametrize("path", [*SHARED, "/tools?target=mcp", "/docs", "/docs/docs.js"])
def test_documents_are_cacheable_and_answer_304(doors: TestClient, path: str) -> None:
    first = doors.get(path)
    etag = first.headers["etag"]
    assert first.headers["cache-control"] == f"public, max-age={cached.FRESH_SECONDS}"
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = doors.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    assert doors.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    head = doors.head(path)
    assert (head.status_code, head.headers["etag"], head.content) == (200, etag, b"")


@pytest.mark.parametrize("path", SHARED)
@pytest.mark.parametrize("origin", CHATGPT)
def test_pages_of_chatgpt_may_read_them(doors: TestClient, path: str, origin: str) -> None:
    reply = doors.get(path, headers={"Origin": origin})
    assert reply.headers["access-control-allow-origin"] == origin
    assert reply.headers["vary"] == "Origin"
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "openai-ephemeral-user-id",
    }
    preflight = doors.options(path, headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == origin
    assert preflight.headers["access-control-allow-methods"] == "GET, HEAD"
    assert preflight.headers["access-control-allow-headers"] == "openai-ephemeral-user-id"


@pytest.mark.parametrize("path", SHARED)
@pytest.mark.parametrize("origin", STRANGERS)
def test_pages_of_others_may_not(doors: TestClient, path: str, origin: str) -> None:
    for reply in (
        doors.get(path, headers={"Origin": origin}),
        doors.options(path, headers={"Origin": origin, "Access-Control-Request-Method": "GET"}),
    ):
        assert reply.status_code in {200, 204}
        assert "access-control-allow-origin" not in reply.headers
        assert reply.headers["vary"] == "Origin"  # or a cache would hand it on


Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = Path(__file__).parents[2] / ".well-known"
    copy = tmp_path / "well-known"
    copy.mkdir()
    for name in (well_known.MANIFEST, well_known.LOGO):
        (copy / name).write_bytes((source / name).read_bytes())
    return copy


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda made: made.pop("name_for_model"), "name_for_model"),
        (lambda made: made.update(name_for_human="x" * 51), "/name_for_human"),
        (lambda made: made.update(description_for_model="x" * 8001), "/description_for_model"),
        (lambda made: made.update(auth={"type": "user_http"}), "/auth"),
        (lambda made: made.update(contact_email="nobody"), "/contact_email"),
        (lambda made: made.pop("api"), "api.url must be"),
        (lambda made: made["api"].update(url="https://x.example/spec.yaml"), "api.url must be"),
    ],
)
def test_a_template_that_no_door_accepts_stops_the_start_in_one_line(
    settings: Settings, folder: Path, edit: Edit, why: str
) -> None:
    made = json.loads((folder / well_known.MANIFEST).read_text())
    edit(made)
    (folder / well_known.MANIFEST).write_text(json.dumps(made))
    with pytest.raises(CannotRun) as stopped:
        create_app(settings.model_copy(update={"well_known_dir": folder}))
    assert why in stopped.value.detail
    assert "\n" not in stopped.value.detail


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("ai-plugin.json", b"{", "is not JSON"),
        ("ai-plugin.json", b"[]", "is not a JSON object"),
        ("ai-plugin.json", b"\xff\xfe", "is not JSON"),
        ("ai-plugin.json", None, "cannot be read"),
        ("logo.png", None, "cannot be read"),
        ("logo.png", b"<svg/>", "is not a PNG"),
    ],
)
def test_a_broken_or_missing_file_is_named(
    settings: Settings, folder: Path, name: str, content: bytes | None, why: str
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(CannotRun, match=why) as stopped:
        create_app(settings.model_copy(update={"well_known_dir": folder}))
    assert name in stopped.value.detail


def test_a_template_of_ones_own_address_moves_as_a_whole(folder: Path) -> None:
    template = json.loads((folder / well_known.MANIFEST).read_text())
    moved = well_known.make(template, "https://my.example/base")
    back = well_known.make(moved, "http://127.0.0.1:8000")
    assert moved["api"]["url"] == "https://my.example/base/openapi.json"
    assert moved["logo_url"] == "https://my.example/base/.well-known/logo.png"
    assert back == template

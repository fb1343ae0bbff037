import json
from pathlib import Path
from typing import Any

import pytest

from plugin.contract.manifest import read, strict
from plugin.errors import CannotRun
from tests.contract.conftest import SAMPLES, manifests

GOOD: dict[str, Any] = {
    "schema_version": "v1",
    "name_for_human": "Todos",
    "name_for_model": "todos",
    "description_for_human": "Keep a list.",
    "description_for_model": "Keep the user's list.",
    "auth": {"type": "none"},
    "api": {"type": "openapi", "url": "https://api.example.com/openapi.json"},
    "logo_url": "https://example.com/logo.png",
    "contact_email": "me@example.com",
    "legal_info_url": "http://example.com/legal",
}
OAUTH = {
    "type": "oauth",
    "client_url": "https://example.com/authorize",
    "scope": "",
    "authorization_url": "https://example.com/token",
    "authorization_content_type": "application/json",
    "verification_tokens": {"openai": "abc"},
}


def pointers(**changes: Any) -> list[str]:
    document = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    return [note.pointer for note in strict(document)]


def test_a_good_manifest_has_no_note() -> None:
    assert strict(GOOD, served_from="https://example.com/.well-known/ai-plugin.json") == []
    assert pointers(auth={"type": "user_http", "authorization_type": "bearer"}) == []
    assert pointers(auth={"type": "service_http", "authorization_type": "basic"}) == []
    assert pointers(auth={**OAUTH, "scope": "read"}) == []
    local = "http://127.0.0.1:8000/openapi.json"
    assert pointers(api={"type": "openapi", "url": local, "has_user_authentication": False}) == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"schema_version": "v2"}, "/schema_version"),
        ({"name_for_human": ...}, "/name_for_human"),
        ({"name_for_human": "x" * 51}, "/name_for_human"),
        ({"name_for_model": "x" * 51}, "/name_for_model"),
        ({"name_for_model": 3}, "/name_for_model"),
        ({"description_for_human": "x" * 121}, "/description_for_human"),
        ({"description_for_model": "x" * 8_001}, "/description_for_model"),
        ({"auth": ...}, "/auth"),
        ({"auth": {"type": "magic"}}, "/auth/type"),
        ({"auth": []}, "/auth/type"),
        ({"auth": {"type": "user_http"}}, "/auth/authorization_type"),
        (
            {"auth": {"type": "user_http", "authorization_type": "digest"}},
            "/auth/authorization_type",
        ),
        ({"auth": OAUTH}, "/auth/scope"),
        ({"auth": {**OAUTH, "scope": "a", "client_url": "/x"}}, "/auth/client_url"),
        ({"auth": {"type": "none", "verification_tokens": []}}, "/auth/verification_tokens"),
        ({"api": ...}, "/api"),
        ({"api": "https://example.com"}, "/api"),
        ({"api": {"url": "https://example.com/a"}}, "/api/type"),
        ({"api": {"type": "openapi"}}, "/api/url"),
        ({"api": {"type": "openapi", "url": "/openapi.json"}}, "/api/url"),
        ({"api": {"type": "openapi", "url": "http://example.com/a"}}, "/api/url"),
        ({"api": {**GOOD["api"], "is_user_authenticated": "false"}}, "/api/is_user_authenticated"),
        ({"api": {**GOOD["api"], "paths": {}}}, "/api/paths"),
        ({"logo_url": ""}, "/logo_url"),
        ({"logo_url": "logo.png"}, "/logo_url"),
        ({"contact_email": "nobody"}, "/contact_email"),
        ({"legal_info_url": "hello@legal.com"}, "/legal_info_url"),
        ({"httpAuthorizationType": ""}, "/httpAuthorizationType"),
    ],
)
def test_each_violation_is_found_where_it_stands(changes: dict[str, Any], pointer: str) -> None:
    assert pointers(**changes) == [pointer]


def test_the_api_is_on_the_manifests_domain_or_below() -> None:
    home = "https://example.com/.well-known/ai-plugin.json"
    for host, found in (("example.com", 0), ("api.example.com", 0), ("badexample.com", 1)):
        api = {"type": "openapi", "url": f"https://{host}/openapi.json"}
        assert len(strict({**GOOD, "api": api}, served_from=home)) == found


@pytest.mark.parametrize("path", manifests(), ids=lambda path: path.name[:60])
def test_every_manifest_is_read(path: Path) -> None:
    found = read(path.read_bytes())
    assert found.name_for_model
    assert found.api_url
    assert found.auth.type in ("none", "service_http", "user_http", "oauth")


def test_reads_what_it_says() -> None:
    found = read((SAMPLES / "tideboard.ai-plugin.json").read_bytes())
    assert found.notes == ()
    assert found.auth.type == "oauth"
    assert found.auth.settings["scope"] == "tides gauges offline"
    assert found.api_url == "https://api.tideboard.example/description.json"


def test_reads_deviations_and_notes_them() -> None:
    found = read(
        json.dumps(
            {
                **GOOD,
                "schema_version": "v2",
                "api": {
                    "url": "openapi.yaml",
                    "is_user_authenticated": "true",
                    "paths": {"/x": {}},
                },
                "extra": 1,
            }
        )
    )
    assert found.api_type == "openapi"
    assert found.has_user_authentication
    assert found.api_url == "openapi.yaml"
    assert found.document is not None
    assert found.extra == {"extra": 1}
    assert {note.pointer for note in found.notes} == {
        *("/schema_version", "/api/type", "/api/url", "/extra"),
        *("/api/is_user_authenticated", "/api/paths"),
    }


@pytest.mark.parametrize("data", ["[]", "{}", '{"a": 1}', "hello"])
def test_what_is_no_manifest_is_refused(data: str) -> None:
    with pytest.raises(CannotRun):
        read(data)

"""What ChatGPT demands of an action, checked on the documents that the service serves.

Written from https://developers.openai.com/api/docs/actions (production notes) and the plugin
manifest's reference, as of 2026-11; it shares no line with `plugin.contract`.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.journeys.running import Address, bearer, new_key, running

PUBLIC = "https://plugin.example.com"
CHARACTERS = 100_000
"""Of a request, and of a reply."""

Json = dict[str, Any]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Address, dict[str, str]]]:
    directory = tmp_path_factory.mktemp("actions")
    with running(directory, "serve", settings={"PLUGIN_PUBLIC_URL": PUBLIC}) as started:
        yield started.address, bearer(new_key(directory))


@pytest.fixture(scope="module")
def document(service: tuple[Address, dict[str, str]]) -> Json:
    found: Json = service[0].call("GET", "/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def operations(document: Json) -> list[Json]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def every(node: Any, key: str) -> Iterator[Any]:
    """Each value that stands under `key`, however deep."""
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from every(item, key)


def test_the_document_is_one_that_actions_import(document: Json, operations: list[Json]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [server["url"] for server in document["servers"]] == [PUBLIC]
    assert 1 <= len(operations) <= 30
    assert len(json.dumps(document)) < 1_000_000
    assert all(isinstance(ref, str) and ref.startswith("#/") for ref in every(document, "$ref"))


def test_operations_have_names_and_say_what_they_do(operations: list[Json]) -> None:
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for operation in operations:
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", operation["operationId"])
        assert 0 < len(operation["summary"]) <= 300
        assert 0 < len(operation["description"]) <= 300
        assert isinstance(operation["x-openai-isConsequential"], bool)


def test_parameters_are_described_within_the_limit(document: Json, operations: list[Json]) -> None:
    parameters = [one for operation in operations for one in operation.get("parameters", [])]
    assert parameters
    # custom headers are not supported, and nobody can be asked for a cookie
    assert {one["in"] for one in parameters} <= {"query", "path"}
    properties = [
        one
        for fields in every(document["components"]["schemas"], "properties")
        for one in fields.values()
    ]
    for described in (*parameters, *properties):
        assert 0 < len(described["description"]) <= 700


def test_there_is_one_kind_of_authentication(document: Json, operations: list[Json]) -> None:
    [(name, scheme)] = document["components"]["securitySchemes"].items()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for operation in operations:
        assert [list(requirement) for requirement in operation["security"]] == [[name]]


def test_bodies_are_text(operations: list[Json]) -> None:
    media_types = {
        name for operation in operations for found in every(operation, "content") for name in found
    }
    assert media_types == {"application/json"}


def test_the_consequential_ones_are_those_that_cannot_be_undone(document: Json) -> None:
    for path in document["paths"].values():
        for method, operation in path.items():
            assert operation["x-openai-isConsequential"] is (method == "delete")


def test_the_manifest_is_strictly_valid(service: tuple[Address, dict[str, str]]) -> None:
    manifest = service[0].call("GET", "/.well-known/ai-plugin.json").json()
    assert manifest.keys() == {
        *("schema_version", "name_for_human", "name_for_model", "description_for_human"),
        *("description_for_model", "auth", "api", "logo_url", "contact_email", "legal_info_url"),
    }
    assert manifest["schema_version"] == "v1"
    assert 0 < len(manifest["name_for_human"]) <= 20
    assert re.fullmatch(r"[a-zA-Z0-9_]{1,50}", manifest["name_for_model"])
    assert 0 < len(manifest["description_for_human"]) <= 100
    assert 0 < len(manifest["description_for_model"]) <= 8_000
    assert manifest["auth"] == {"type": "user_http", "authorization_type": "bearer"}
    assert manifest["api"] == {"type": "openapi", "url": f"{PUBLIC}/openapi.json"}
    for name in ("logo_url", "legal_info_url"):
        assert urlsplit(manifest[name]).scheme == "https"
    assert urlsplit(manifest["logo_url"]).netloc == urlsplit(PUBLIC).netloc
    assert re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", manifest["contact_email"])


@pytest.mark.parametrize("text", ["待" * 500, "a\n" * 250], ids=["han", "lines"])
def test_the_longest_page_is_within_the_limit(
    service: tuple[Address, dict[str, str]], text: str
) -> None:
    address, key = service
    headers = key | {"Content-Type": "application/json"}
    for _ in range(100):
        added = address.call("POST", "/todos", headers, json.dumps({"text": text}))
        assert added.status == 201
    page = address.call("GET", f"/todos?limit=100&after={added.json()['id'] - 100}", key)
    assert len(page.json()["todos"]) == 100
    assert len(page.body.decode()) < CHARACTERS

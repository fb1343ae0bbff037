"""The page on operations names all of them, and what it shows is what happens."""

import json
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

import plugin.operations
from plugin.api import documents
from plugin.app import create_app
from plugin.auth.keys import KeyStore
from plugin.operations import discover
from plugin.settings import Settings
from plugin.storage.database import open_blocking

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["operations.md", "operations.zh.md"]
ROW = re.compile(r"^\| `(\w+) (/\S*)` \| `(\w+)` \| `([\w:]+)` \|", re.MULTILINE)
NAMES = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)
SHOWN = re.compile(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", re.DOTALL)
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def read(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The service with the package of the page, as an author starts it."""
    package = tmp_path / "documented_company"
    package.mkdir()
    (package / "__init__.py").touch()
    [example] = EXAMPLE.findall(read("operations.md"))
    (package / "notes.py").write_text(example, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    settings = Settings(
        _env_file=None, data_dir=tmp_path, log_level="error", operations=("documented_company",)
    )
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as service:
        engine = open_blocking(settings.database)
        service.headers["authorization"] = (
            f"Bearer {KeyStore(engine, time.time).create('reader', ('*',)).key}"
        )
        engine.dispose()
        yield service


@pytest.mark.parametrize("page", PAGES)
def test_every_operation_has_a_row(page: str) -> None:
    contract = documents.build(discover([]), title="x", server="http://x", version="1")
    offered = {
        (method.upper(), path, one["operationId"], one["security"][0]["bearer"][0])
        for path, methods in contract["paths"].items()
        for method, one in methods.items()
    }
    assert set(ROW.findall(read(page))) == offered


@pytest.mark.parametrize("page", PAGES)
def test_every_public_name_is_explained(page: str) -> None:
    explained = {name for row in NAMES.findall(read(page)) for name in re.findall(r"\w+", row)}
    assert set(plugin.operations.__all__) <= explained


def test_both_languages_show_the_same() -> None:
    english, chinese = (re.findall(r"```.*?```", read(page), re.DOTALL) for page in PAGES)
    assert english == chinese
    assert len(english) == 6


def test_the_calls_are_answered_as_shown(client: TestClient) -> None:
    shown = SHOWN.findall(read("operations.md"))
    assert len(shown) == 2
    for command, answer in shown:
        words = shlex.split(command)
        reply = client.post(urlsplit(words[-1]).path, json=json.loads(words[words.index("-d") + 1]))
        assert without_scores(reply.json()) == without_scores(json.loads(answer))


def without_scores(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_scores(one) for key, one in value.items() if key != "score"}
    return [without_scores(one) for one in value] if isinstance(value, list) else value


def test_the_operation_of_the_page_works(client: TestClient) -> None:
    made = client.post("/notes", json={"text": "Water the plants"})
    assert (made.status_code, made.json()) == (201, {"id": 1, "text": "Water the plants"})
    assert client.get("/notes/1").json() == made.json()
    assert client.get("/notes/2").status_code == 404
    assert client.post("/notes", json={"text": ""}).status_code == 422
    assert "/notes/{note_id}" in client.get("/openapi.json").json()["paths"]
    skipped = client.get("/tools?target=openai-strict").json()["skipped"]
    assert skipped == []

from typing import Any

import pytest
from fastapi.testclient import TestClient

from plugin.contract.openapi import read
from plugin.contract.targets import TARGETS
from plugin.contract.tools import make_tools

NAMES = [
    *("upsert_documents", "query_documents", "get_document", "delete_document"),
    *("list_todos", "add_todo", "complete_todo", "delete_todo", "get_current_weather"),
]


def name_of(tool: dict[str, Any]) -> Any:
    return tool.get("name") or tool["function"]["name"]


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_gets_our_operations_as_any_reader_makes_them(
    doors: TestClient, target: Any
) -> None:
    reply = doors.get("/tools", params={"target": target})
    assert reply.status_code == 200
    answer = reply.json()
    assert sorted(map(name_of, answer["tools"])) == sorted(NAMES)
    assert answer["skipped"] == []
    assert answer["operations"]["complete_todo"] == {
        "method": "POST",
        "path": "/todos/{todo_id}/complete",
        "operation_id": "complete_todo",
    }
    made = make_tools(read(doors.get("/openapi.json").content), target)
    assert answer["tools"] == made.tools


def test_without_a_target_it_is_openai(doors: TestClient) -> None:
    assert doors.get("/tools").json() == doors.get("/tools?target=openai").json()


def test_a_wrong_target_is_answered_with_the_valid_ones(doors: TestClient) -> None:
    reply = doors.get("/tools?target=OpenAI")
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    (error,) = reply.json()["errors"]
    assert error["argument"] == "target"
    assert error["nearest"] == "openai"
    assert all(target in reply.json()["detail"] for target in TARGETS)

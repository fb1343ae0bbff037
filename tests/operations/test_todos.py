import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient


def add(client: Any, text: str) -> dict[str, Any]:
    reply = client.post("/todos", json={"text": text})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


def texts(client: Any, query: str = "") -> list[str]:
    return [todo["text"] for todo in client.get(f"/todos{query}").json()["todos"]]


def test_a_todo_is_added_completed_and_deleted(caller: Any) -> None:
    made = add(caller, "Buy milk")
    assert made == {**made, "text": "Buy milk", "done": False, "done_at": None}
    assert made["created_at"].endswith("Z")

    done = caller.post(f"/todos/{made['id']}/complete")
    assert done.status_code == 200
    assert done.json()["done"] is True
    assert done.json()["done_at"] is not None

    gone = caller.delete(f"/todos/{made['id']}")
    assert gone.status_code == 200
    assert gone.json() == {
        "id": made["id"],
        "text": "Buy milk",
        "message": f"Deleted todo {made['id']}: Buy milk",
    }
    assert caller.get("/todos").json() == {"todos": [], "total": 0, "next_after": None}


def test_completing_twice_keeps_the_first_time(caller: Any) -> None:
    made = add(caller, "Once")
    first = caller.post(f"/todos/{made['id']}/complete").json()
    assert caller.post(f"/todos/{made['id']}/complete").json() == first


def test_todos_are_listed_by_status_oldest_first(caller: Any) -> None:
    one, two = add(caller, "one"), add(caller, "two")
    caller.post(f"/todos/{one['id']}/complete")
    assert texts(caller) == ["one", "two"]
    assert texts(caller, "?status=open") == ["two"]
    assert texts(caller, "?status=done") == ["one"]
    assert caller.get("/todos?status=done").json()["total"] == 1
    assert two["id"] > one["id"]


def test_pages_join_without_gap_or_overlap(caller: Any) -> None:
    made = [add(caller, f"todo {number}")["id"] for number in range(5)]
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = caller.get("/todos", params={"limit": 2, "after": after}).json()
        assert page["total"] == 5
        seen += [todo["id"] for todo in page["todos"]]
        after = page["next_after"]
    assert seen == made


def test_an_id_is_not_used_again(caller: Any) -> None:
    first = add(caller, "first")
    caller.delete(f"/todos/{first['id']}")
    assert add(caller, "second")["id"] > first["id"]


def test_a_caller_sees_and_changes_only_what_is_its_own(
    call_as: Callable[..., Any],
) -> None:
    ann, bob = call_as("ann"), call_as("bob")
    made = add(ann, "Ann's")
    assert texts(bob) == []
    for reply in (bob.post(f"/todos/{made['id']}/complete"), bob.delete(f"/todos/{made['id']}")):
        assert reply.status_code == 404
    assert ann.get("/todos").json()["todos"] == [made]


def test_an_unknown_id_is_answered_with_what_to_do(caller: Any) -> None:
    for reply in (caller.post("/todos/77/complete"), caller.delete("/todos/77")):
        assert reply.status_code == 404
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["detail"] == (
            "There is no todo 77. Call list_todos for the ids that exist."
        )


@pytest.mark.parametrize(
    ("body", "argument"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": "x" * 501}, "text"),
        ({"text": 3}, "text"),
        ({"text": None}, "text"),
        ({"text": ["Buy milk"]}, "text"),
        ({"text": "Buy milk", "due": "today"}, "due"),
        ({"txt": "Buy milk"}, "txt"),
    ],
)
def test_a_wrong_body_is_refused_by_name(caller: Any, body: dict[str, Any], argument: str) -> None:
    reply = caller.post("/todos", json=body)
    assert reply.status_code == 422, reply.text
    assert argument in {error["argument"] for error in reply.json()["errors"]}
    assert texts(caller) == []


def test_half_a_surrogate_pair_is_refused_and_nothing_breaks(caller: Any) -> None:
    body = json.dumps({"text": "\ud83d"})
    reply = caller.post("/todos", content=body, content_type="application/json")
    assert reply.status_code == 422
    assert texts(caller) == []


@pytest.mark.parametrize(
    "query",
    ["?status=Done", "?status=", "?limit=0", "?limit=101", "?limit=ten", "?limit=2.5", "?after=-1"],
)
def test_a_wrong_query_is_refused(caller: Any, query: str) -> None:
    reply = caller.get(f"/todos{query}")
    assert reply.status_code == 422
    assert len(reply.json()["errors"]) == 1


def test_an_unknown_query_key_is_refused_with_the_one_meant(caller: Any) -> None:
    reply = caller.get("/todos?Limit=5")
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["nearest"] == "limit"


def test_text_that_reads_as_an_integer_is_one_in_a_query(caller: Any) -> None:
    for limit in ("5", "5.0"):
        assert caller.get(f"/todos?limit={limit}").status_code == 200


@pytest.mark.parametrize("identifier", ["abc", "0", "-1", "2147483648", "9" * 40])
def test_an_id_that_cannot_be_is_refused(caller: Any, identifier: str) -> None:
    assert caller.delete(f"/todos/{identifier}").status_code == 422


@pytest.mark.parametrize(
    "text", ["买牛奶 🥛", "line\nbreak", "a\ttab", "'; DROP TABLE todos; --", " x ", "\u2028"]
)
def test_a_text_comes_back_as_it_was_given(caller: Any, text: str) -> None:
    assert add(caller, text)["text"] == text
    assert texts(caller) == [text]


@pytest.mark.parametrize("control", ["\x00", "\x07", "\r", "\x1b", "\x7f", "\x85"])
def test_a_control_character_is_refused_with_its_place(caller: Any, control: str) -> None:
    reply = caller.post("/todos", json={"text": f"Buy{control}milk"})
    assert reply.status_code == 422
    assert f"U+{ord(control):04X} at position 3; leave it out" in reply.json()["detail"]
    assert texts(caller) == []


@pytest.mark.parametrize("text", ['"' * 500, "🥛" * 500, "\n" * 500])
def test_a_page_that_would_grow_too_long_ends_earlier(caller: Any, text: str) -> None:
    made = [add(caller, text)["id"] for _ in range(100)]
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        reply = caller.get("/todos", params={"limit": 100, "after": after})
        page = reply.json()
        assert len(reply.content.decode().encode("utf-16-le")) // 2 < 91_000
        assert page["total"] == 100
        seen += [todo["id"] for todo in page["todos"]]
        after = page["next_after"]
    assert seen == made


def test_each_operation_asks_for_its_scope(call_as: Callable[..., Any]) -> None:
    reader, writer = call_as("reader", "todos:read"), call_as("writer", "todos:write")
    made = add(writer, "for writers")
    assert writer.get("/todos").status_code == 403
    assert reader.get("/todos").status_code == 200
    for reply in (
        reader.post("/todos", json={"text": "no"}),
        reader.post(f"/todos/{made['id']}/complete"),
        reader.delete(f"/todos/{made['id']}"),
    ):
        assert reply.status_code == 403
        assert "todos:write" in reply.json()["detail"]


def test_nothing_answers_without_a_key(service: TestClient) -> None:
    for method, path in (("GET", "/todos"), ("POST", "/todos"), ("DELETE", "/todos/1")):
        reply = service.request(method, path)
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"].startswith("Bearer")

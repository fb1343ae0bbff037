"""The recorded calls of the documentation, in every format, replayed over ASGI and over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.running import Settings, bearer, new_key, plugin, running

CALLS = str(Path(__file__).parents[2] / "docs" / "calls.jsonl")

EXPECTED: list[tuple[int, str, str | None, str, int | None, list[str]]] = [
    # row, format, operation, outcome, status, faults
    (1, "openai_chat", "add_todo", "passed", 201, []),
    (2, "openai_chat", "add_todo", "passed", 201, []),
    (3, "openai_legacy", "get_current_weather", "passed", 200, []),
    (4, "openai_responses", "list_todos", "passed", 200, []),
    (5, "openai_responses", "complete_todo", "passed", 200, []),
    (6, "anthropic", "complete_todo", "passed", 404, []),
    (7, "anthropic", "get_current_weather", "passed", 200, []),
    (8, "gemini", "delete_todo", "passed", 200, []),
    (9, "mcp", "add_todo", "call_was_wrong", 422, ["missing_required", "unknown_key"]),
    (10, "mcp", "get_current_weather", "call_was_wrong", 422, ["enum_case"]),
    (11, "messages", "list_todos", "passed", 200, []),
    (11, "messages", "list_todos", "call_was_wrong", 200, ["duplicate_parallel"]),
    (12, "openai_chat", None, "call_was_wrong", None, ["unknown_function"]),
    (13, "openai_chat", "add_todo", "call_was_wrong", None, ["not_json"]),
]


def _lines(done: Any) -> list[dict[str, Any]]:
    assert done.returncode == 1, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _found(lines: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (
            line["row"],
            line["operation"],
            line["outcome"],
            line["status"],
            [fault["fault"] for fault in line["faults"]],
        )
        for line in lines
    ]


def _expected() -> list[tuple[Any, ...]]:
    return [(row, *rest) for row, _, *rest in EXPECTED]


def test_over_asgi(tmp_path: Path, weather: Settings) -> None:
    done = plugin(tmp_path, "replay", CALLS, "--json", settings=weather)
    assert _found(_lines(done)) == _expected()
    assert list(tmp_path.iterdir()) == []  # the database was a throw-away


def test_over_http(tmp_path: Path, weather: Settings) -> None:
    key = new_key(tmp_path)
    with running(tmp_path, "serve", settings=weather) as service:
        url = f"http://127.0.0.1:{service.address.port}"
        given = {**weather, "PLUGIN_KEY": key["key"]}
        options = ("--url", url, "--json", "--allow-consequential")
        done = plugin(tmp_path, "replay", CALLS, *options, settings=given)
        assert _found(_lines(done)) == _expected()
        assert key["key"] not in done.stdout + done.stderr
        left = service.address.call("GET", "/todos", bearer(key)).json()
    assert [(todo["id"], todo["done"]) for todo in left["todos"]] == [(1, True)]


def test_what_changes_something_needs_leave_over_http(tmp_path: Path, weather: Settings) -> None:
    key = new_key(tmp_path)
    with running(tmp_path, "serve", settings=weather) as service:
        url = f"http://127.0.0.1:{service.address.port}"
        options = ("--url", url, "--json", "--key", key["key"])
        lines = _lines(plugin(tmp_path, "replay", CALLS, *options, settings=weather))
    held = [line for line in lines if line["outcome"] == "not_sent"]
    assert [(line["row"], line["operation"]) for line in held] == [(8, "delete_todo")]
    assert "--allow-consequential" in held[0]["reason"]


def test_without_a_key_nothing_is_blamed_on_the_service(tmp_path: Path, weather: Settings) -> None:
    with running(tmp_path, "serve", settings=weather) as service:
        url = f"http://127.0.0.1:{service.address.port}"
        lines = _lines(plugin(tmp_path, "replay", CALLS, "--url", url, "--json", settings=weather))
    assert "service_broke_contract" not in {line["outcome"] for line in lines}
    assert "--key" in next(line["reason"] for line in lines if line["outcome"] == "not_sent")


def test_another_host_needs_leave(tmp_path: Path) -> None:
    done = plugin(tmp_path, "replay", CALLS, "--url", "https://plugin.example.com")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--allow-host plugin.example.com" in done.stderr


@pytest.mark.parametrize("by", ["--openapi", "--tools"])
def test_judge_agrees_with_replay(tmp_path: Path, by: str) -> None:
    contract = str(Path(__file__).parents[2] / ".well-known" / "openapi.json")
    if by == "--tools":
        made = plugin(tmp_path, "tools", contract, "--target", "anthropic", "--json")
        (tmp_path / "tools.json").write_text(made.stdout)
        contract = str(tmp_path / "tools.json")
    lines = _lines(plugin(tmp_path, "judge", CALLS, by, contract, "--json"))
    judged = [
        (line["row"], line["format"], [fault["fault"] for fault in call["faults"]])
        for line in lines
        for call in line["calls"]
    ]
    assert judged == [(row, kind, faults) for row, kind, _, _, _, faults in EXPECTED]

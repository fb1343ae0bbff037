"""The recorded calls of the documentation, in every format, replayed over ASGI and over HTTP."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.in_process import plugin_here
from tests.journeys.running import Settings, new_key, plugin, running
from tests.open_meteo import settings_for, weather_source

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


@dataclass(frozen=True)
class Replayed:
    """A service, and the settings that make another one ask the same weather."""

    directory: Path
    settings: Settings
    url: str


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
    done = plugin_here(tmp_path, "replay", CALLS, "--json", settings=weather)
    assert _found(_lines(done)) == _expected()
    assert list(tmp_path.iterdir()) == []  # the database was a throw-away


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    """A service that asks the stand-in for Open-Meteo, with an empty database."""
    directory = tmp_path_factory.mktemp("replayed")
    with weather_source() as source:
        settings = settings_for(source)
        with running(directory, "serve", settings=settings) as started:
            yield Replayed(directory, settings, f"http://127.0.0.1:{started.address.port}")


def test_over_http(service: Replayed) -> None:
    """The todos of the calls are the first ones of their service, so all of it is one journey."""
    key = new_key(service.directory)["key"]
    given = {**service.settings, "PLUGIN_KEY": key}
    options = ("--url", service.url, "--json")
    # row 8, which would delete a todo, is not sent unless that is allowed
    done = plugin(
        service.directory, "replay", CALLS, *options, "--allow-consequential", settings=given
    )
    assert _found(_lines(done)) == _expected()
    assert key not in done.stdout + done.stderr
    held_back = plugin_here(
        service.directory, "replay", CALLS, *options, "--key", key, settings=service.settings
    )
    held = [line for line in _lines(held_back) if line["outcome"] == "not_sent"]
    assert [(line["row"], line["operation"]) for line in held] == [(8, "delete_todo")]
    assert "--allow-consequential" in held[0]["reason"]


def test_without_a_key_nothing_is_blamed_on_the_service(service: Replayed) -> None:
    options = ("--url", service.url, "--json")
    done = plugin_here(service.directory, "replay", CALLS, *options, settings=service.settings)
    lines = _lines(done)
    assert "service_broke_contract" not in {line["outcome"] for line in lines}
    assert "--key" in next(line["reason"] for line in lines if line["outcome"] == "not_sent")


def test_another_host_needs_leave(tmp_path: Path) -> None:
    done = plugin_here(tmp_path, "replay", CALLS, "--url", "https://plugin.example.com")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--allow-host plugin.example.com" in done.stderr


@pytest.mark.parametrize("by", ["--openapi", "--tools"])
def test_judge_agrees_with_replay(tmp_path: Path, by: str) -> None:
    contract = str(Path(__file__).parents[2] / ".well-known" / "openapi.json")
    if by == "--tools":
        made = plugin_here(tmp_path, "tools", contract, "--target", "anthropic", "--json")
        (tmp_path / "tools.json").write_text(made.stdout)
        contract = str(tmp_path / "tools.json")
    lines = _lines(plugin_here(tmp_path, "judge", CALLS, by, contract, "--json"))
    judged = [
        (line["row"], line["format"], [fault["fault"] for fault in call["faults"]])
        for line in lines
        for call in line["calls"]
    ]
    assert judged == [(row, kind, faults) for row, kind, _, _, _, faults in EXPECTED]

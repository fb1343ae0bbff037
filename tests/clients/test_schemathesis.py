"""A schema fuzzer that knows nothing of the service but its openapi.json finds nothing wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.schema_fuzzer import fuzz, served
from tests.journeys.running import Running
from tests.sizes import sized

QUICK = ("list_todos", "add_todo", "complete_todo")
FEW = [word for name in QUICK for word in ("--include-operation-id", name)]
SHORT = ["--phases", "coverage,stateful", "--max-examples", "1", *FEW]
SIZE = sized(SHORT, ["--max-examples", "40"])
"""The gate covers the schemas of three operations, and goes from one to the next; no more."""

CASES, OPERATIONS = sized((100, 3), (400, 5))
"""Fewer would mean that the fuzzer was refused, or that it made almost no cases."""

PHASES = sized({"success", "skip"}, {"success"})


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    with served(tmp_path_factory.mktemp("fuzzed")) as started:
        yield started


def test_every_check_holds(service: tuple[Running, str], tmp_path: Path) -> None:
    started, key = service
    address = f"http://127.0.0.1:{started.address.port}/openapi.json"
    run = fuzz(tmp_path, address, key, "--seed", "2026", *SIZE)
    answered = started.records()
    assert run.code == 0, run.printed
    assert run.report["test_cases"]["generated"] >= CASES
    assert run.report["operations"]["tested"] == run.report["operations"]["selected"] >= OPERATIONS
    assert {phase["status"] for phase in run.report["phases"].values()} == PHASES
    assert max(one["status"] for one in answered if one["event"] == "request") < 500
    assert {200, 201, 401, 404, 405, 422} <= {one.get("status") for one in answered}


@pytest.mark.long
def test_a_lie_in_the_document_is_found(service: tuple[Running, str], tmp_path: Path) -> None:
    started, key = service
    document = started.address.call("GET", "/openapi.json").json()
    document["components"]["schemas"]["TodoList"]["properties"]["total"]["type"] = "string"
    lie = tmp_path / "lie.json"
    lie.write_text(json.dumps(document))
    base = ("--url", f"http://127.0.0.1:{started.address.port}")
    few = ("--include-operation-id", "list_todos", "--phases", "coverage", "--seed", "1")
    run = fuzz(tmp_path, str(lie), key, *base, *few)
    assert run.code == 1, run.printed
    [failure] = run.report["failures"]
    assert (failure["type"], failure["operations"]) == ("JsonSchemaError", ["GET /todos"])

"""A schema fuzzer that knows nothing of the service but its openapi.json finds nothing wrong."""

import json
from pathlib import Path

from tests.clients.schema_fuzzer import fuzz, served

CASES = 400
"""Fewer would mean that the fuzzer was not let in, or not let loose."""


def test_every_check_holds(tmp_path: Path) -> None:
    with served(tmp_path) as (service, key):
        address = f"http://127.0.0.1:{service.address.port}/openapi.json"
        run = fuzz(tmp_path, address, key, "--seed", "2026", "--max-examples", "40")
        answered = service.records()
    assert run.code == 0, run.printed
    assert run.report["test_cases"]["generated"] >= CASES
    assert run.report["operations"]["tested"] == run.report["operations"]["total"] >= 5
    assert {phase["status"] for phase in run.report["phases"].values()} == {"success"}
    assert max(one["status"] for one in answered if one["event"] == "request") < 500
    assert {200, 201, 401, 404, 405, 422} <= {one.get("status") for one in answered}


def test_a_lie_in_the_document_is_found(tmp_path: Path) -> None:
    with served(tmp_path) as (service, key):
        document = service.address.call("GET", "/openapi.json").json()
        document["components"]["schemas"]["TodoList"]["properties"]["total"]["type"] = "string"
        lie = tmp_path / "lie.json"
        lie.write_text(json.dumps(document))
        base = ("--url", f"http://127.0.0.1:{service.address.port}")
        few = ("--include-operation-id", "list_todos", "--phases", "coverage", "--seed", "1")
        run = fuzz(tmp_path, str(lie), key, *base, *few)
    assert run.code == 1, run.printed
    [failure] = run.report["failures"]
    assert (failure["type"], failure["operations"]) == ("JsonSchemaError", ["GET /todos"])

"""A schema fuzzer that knows nothing of the GPT API but `/v1/openapi.json` finds nothing wrong.

The answers come from a stand-in for an upstream, so that thousands of calls are quick and every
endpoint is offered; `tests/bench/fuzz_schemathesis_v1.py` is the long run, on the engine too.
"""

import json
from collections.abc import Iterator

import pytest

from tests.clients.gpt_service import GptService, serving_gpt
from tests.clients.schema_fuzzer import V1, Fuzzed, fuzz
from tests.clients.stand_in import settings_for, stand_in
from tests.sizes import sized

CHATS = ("create_chat_completion", "create_engine_chat_completion")
"""Their schema has a minute's worth of cases to be covered; here some are drawn by chance."""

SEED = ("--seed", "2026")

QUICK = ("get_usage", "retrieve_model", "create_edit")
"""What the gate covers: a query, a path and a body, a second each."""

CASES, OPERATIONS = sized((150, 3), (1000, 18))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GptService]:
    with (
        stand_in() as url,
        serving_gpt(tmp_path_factory.mktemp("fuzzed"), settings_for(url)) as service,
    ):
        yield service


def run(service: GptService, *options: str, description: str | None = None) -> Fuzzed:
    address = description or f"{service.base_url}/openapi.json"
    return fuzz(service.directory, address, service.key, *SEED, *options, config=V1)


def named(option: str, *names: str) -> list[str]:
    return [word for name in names for word in (option, name)]


def test_every_check_holds(served: GptService) -> None:
    quick = ["--phases", "coverage", *named("--include-operation-id", *QUICK)]
    every = ["--max-examples", "3", *named("--exclude-operation-id", *CHATS)]
    found = run(served, *sized(quick, every))
    answered = [one for one in served.running.records() if one["event"] == "request"]
    assert found.code == 0, found.printed
    assert found.report["test_cases"]["generated"] >= CASES
    assert found.report["operations"]["tested"] == found.report["operations"]["selected"]
    assert found.report["operations"]["tested"] >= OPERATIONS
    statuses = {one["status"] for one in answered}
    assert {200, 400, 401, 404, 405} <= statuses
    assert max(statuses) < 500
    # what the description declares beyond its schemas is some of it, by far not all
    assert 0 < found.report["filtered"] < found.report["test_cases"]["generated"] / 10


@pytest.mark.long
def test_every_check_holds_for_chats(served: GptService) -> None:
    chosen = named("--include-operation-id", *CHATS)
    found = run(served, "--phases", "fuzzing", "--max-examples", "25", *chosen)
    assert found.code == 0, found.printed
    assert found.report["test_cases"]["generated"] >= 40


def test_a_rule_that_is_not_declared_is_found(served: GptService) -> None:
    answer = served.running.address.call("GET", "/v1/openapi.json")
    document = answer.json()
    del document["components"]["responses"]["BadRequestUsage"]["x-rules"]
    lie = served.directory / "lie.json"
    lie.write_text(json.dumps(document))
    base = ("--url", f"http://127.0.0.1:{served.running.address.port}")
    chosen = ("--include-operation-id", "get_usage", "--phases", "coverage")
    found = run(served, *base, *chosen, description=str(lie))
    assert found.code == 1, found.printed
    [failure] = found.report["failures"]
    assert (failure["type"], failure["operations"]) == ("RejectedPositiveData", ["GET /v1/usage"])

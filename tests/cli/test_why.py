from typing import Any

from plugin.cli.why import story

CALL: dict[str, Any] = {
    "decision": "let in",
    "request_id": "req_1",
    "door": "gpt",
    "action": "create_chat_completion",
    "caller_name": "Ann",
    "caller_id": "key_ann",
    "model": "small",
    "answered_by": None,
    "tokens_in": 1,
    "tokens_out": 0,
    "units": 1,
    "reserved": 1_000,
    "status": None,
    "duration": 1_500_000,
    "ended": "caller left",
}


def told(**given: Any) -> str:
    return "\n".join(f"{name}: {text}" for name, text in story({**CALL, **given}))


def test_a_call_whose_caller_left() -> None:
    assert told(waited_ms=120).splitlines() == [
        "call: create_chat_completion through the door gpt, by Ann (key_ann)",
        "gate: let in; no rate or budget applies to it",
        "queue: it waited 120 ms for its turn",
        "model: small, no answer",
        "used: 1 token in, 0 out, 1 unit of 1,000 reserved",
        "end: nobody was answered, caller left, after 1,500.0 ms",
    ]


def test_a_call_that_a_limit_of_its_model_refused() -> None:
    said = told(refused_by="key-tokens-minute", status=429, ended="whole", left={"a": 1})
    assert "gate: let in, then refused by the limit key-tokens-minute" in said
    assert "status 429 (over a limit), whole" in said


def test_a_call_under_way() -> None:
    assert told(ended=None).endswith("end: it is under way")


def test_what_happened_is_a_sentence() -> None:
    way = [
        {"what": "upstream failed", "upstream": "a", "status": 503, "again_after_ms": 250},
        {"what": "upstream failed", "upstream": "a", "status": 503, "again_after_ms": None},
        {"what": "engine stopped"},
        {"what": "broke off", "status": 503, "text": "It stopped."},
    ]
    assert [line for line in told(way=way).splitlines() if line.startswith("way")] == [
        "way: upstream failed: upstream a, status 503, tried again after 250 ms",
        "way: upstream failed: upstream a, status 503",
        "way: engine stopped",
        "way: broke off: status 503. It stopped.",
    ]


def test_a_path_that_is_not_there() -> None:
    given = {"decision": "turned away", "method": "GET", "status": 404, "ms": 0.1}
    lines = dict(story({**given, "request_id": "req_1"}))
    assert lines["call"] == "GET (a path that is not there), by nobody that is known"
    assert lines["end"] == "status 404, after 0.1 ms; nothing was charged"

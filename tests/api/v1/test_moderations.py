from typing import Any

import pytest

from plugin.gpt.moderation import COVERED, NOT_COVERED
from tests.api.v1.fixed_engine import Fixed, serve
from tests.openai_schema import assert_reply

PATH = "/v1/moderations"
THREAT = "I am going to kill you."


def moderate(call: Any, given: Any, **more: Any) -> dict[str, Any]:
    reply = call("POST", PATH, json={"input": given} | more)
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = assert_reply(PATH, "POST", 200, reply.content)
    return told


def refused(reply: Any, status: int, words: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    error: dict[str, Any] = assert_reply(PATH, "POST", status, reply.content)["error"]
    assert words in error["message"]
    return error


def test_a_text_is_judged_by_the_local_phrases(call: Any) -> None:
    told = moderate(call, THREAT)
    assert told["id"].startswith("modr-")
    assert told["model"] == "local-phrases-1"
    (one,) = told["results"]
    assert one["flagged"] is True
    flagged = {name for name, yes in one["categories"].items() if yes}
    assert flagged == {"harassment", "harassment/threatening", "violence"}
    assert all(one["category_scores"][name] == (name in flagged) for name in one["categories"])


def test_what_nobody_looks_for_says_so(call: Any) -> None:
    (one,) = moderate(call, "anything")["results"]
    assert one["flagged"] is False
    inputs = one["category_applied_input_types"]
    assert {name for name, kinds in inputs.items() if kinds == ["text"]} == set(COVERED)
    assert {name for name, kinds in inputs.items() if kinds == []} == set(NOT_COVERED)


def test_a_list_has_a_result_for_each_and_parts_have_one(call: Any) -> None:
    several = moderate(call, ["Hello.", THREAT, "你真是个废物"])["results"]
    assert [one["flagged"] for one in several] == [False, True, True]
    parts = [{"type": "text", "text": "Hello."}, {"type": "text", "text": THREAT}]
    assert [one["flagged"] for one in moderate(call, parts)["results"]] == [True]


@pytest.mark.parametrize("model", [None, "omni-moderation-latest", "text-moderation-stable"])
def test_the_usual_names_and_null_are_answered(call: Any, model: str | None) -> None:
    assert moderate(call, "Hello.", model=model, user=None)["model"] == "local-phrases-1"


def test_images_are_not_called_harmless(call: Any) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    reply = call("POST", PATH, json={"input": [{"type": "text", "text": "a"}, image]})
    assert "PLUGIN_UPSTREAMS" in refused(reply, 501, "Images are not looked at")["message"]


def test_a_moderation_model_goes_before_the_phrases(call: Any, service: Any) -> None:
    engine = Fixed({"id": "modr-1", "model": "m", "results": []})
    serve(service, engine, ("judge", "moderation"), **{"omni-moderation-latest": "judge"})
    reply = call("POST", PATH, json={"input": THREAT, "model": None})
    assert reply.json()["id"] == "modr-1"
    assert reply.headers["openai-model"] == "judge (fixed)"
    (ask,) = engine.asked
    assert (ask.path, ask.model, ask.requested) == (
        *("moderations", "judge"),
        "omni-moderation-latest",
    )
    assert ask.body == {"input": THREAT, "model": "omni-moderation-latest"}
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert call("POST", PATH, json={"input": [image]}).status_code == 200
    local = call("POST", PATH, json={"input": THREAT, "model": "text-moderation-stable"})
    assert local.json()["model"] == "local-phrases-1"


def test_another_model_is_refused(call: Any, service: Any) -> None:
    given = {"input": "a", "model": "judge-dredd"}
    assert refused(call("POST", PATH, json=given), 404, "does not exist")["param"] == "model"
    serve(service, Fixed({}), ("judge-dredd", "text"))
    refused(call("POST", PATH, json=given), 400, "no moderation model")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [1]}, "input"),
        ({"input": ["a", {"type": "text", "text": "b"}]}, "input"),
        ({"input": "x" * 200_001}, "input"),
    ],
)
def test_wrong_input_is_refused(call: Any, body: Any, param: str) -> None:
    error = refused(call("POST", PATH, json=body), 400, "")
    assert error["param"].startswith(param)


def test_a_call_of_the_phrases_is_in_the_usage(call: Any) -> None:
    moderate(call, "Hello.")
    (one,) = call("GET", "/v1/usage").json()["data"]
    assert one == {
        **one,
        "operation": "moderation",
        "snapshot_id": "omni-moderation-latest",
        "answered_by": "local-phrases-1",
        "n_requests": 1,
        "n_context_tokens_total": 0,
    }

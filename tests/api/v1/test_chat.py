"""`/v1/chat/completions` before a scripted engine: what it lets through, and what it refuses."""

from typing import Any

import orjson
import pytest

from plugin.api.v1.chat import ChatRequest
from plugin.engines.scripted import Scripted
from tests.api.v1.scripted_doors import Doors
from tests.openai_schema import assert_reply, assert_stream

PATH = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello there"}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
SCHEMA = {"name": "answer", "schema": {"type": "object"}}


def asking(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-4", "messages": HELLO, **more}


def calling(*messages: dict[str, Any]) -> dict[str, Any]:
    return asking(messages=[*HELLO, *messages])


async def test_a_whole_answer() -> None:
    doors = Doors(Scripted(["Good day"]))
    reply = await doors("POST", PATH, asking(n=2, temperature=0))
    said = assert_reply(PATH, "POST", reply.status, reply.body)
    assert [choice["message"]["content"] for choice in said["choices"]] == ["Good day"] * 2
    assert said["model"] == "gpt-4"
    assert reply.headers["openai-model"] == "scripted (fixed answers)"
    assert reply.headers["content-type"] == "application/json"
    assert doors.records[0]["model"] == "gpt-4"
    assert doors.records[0]["tokens_in"] == 2
    assert doors.records[0]["tokens_out"] == 4
    assert "ended" not in doors.records[0]


async def test_a_stream() -> None:
    doors = Doors(Scripted(["Good day to you"]))
    asked = asking(stream=True, stream_options={"include_usage": True})
    reply = await doors("POST", PATH, asked)
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["x-accel-buffering"] == "no"
    chunks = assert_stream(PATH, reply.body, usage=True)
    told = [choice["delta"].get("content", "") for one in chunks for choice in one["choices"]]
    assert "".join(told) == "Good day to you"
    assert doors.records[0]["tokens_out"] == 4
    without = await doors("POST", PATH, asking(stream=True))
    assert_stream(PATH, without.body)


async def test_the_engine_gets_what_came_without_nulls() -> None:
    engine = Scripted()
    asked = asking(max_tokens=8.0, seed=None, top_k=40, stop=["a"], min_p=None)
    assert (await Doors(engine)("POST", PATH, asked)).status == 200
    body = engine.asked[0].body
    assert body == {
        "model": "gpt-4",
        "messages": HELLO,
        "max_tokens": 8,
        "top_k": 40,
        "stop": ["a"],
    }
    assert isinstance(body["max_tokens"], int)
    assert engine.asked[0].unknown == ("top_k", "min_p")
    assert (engine.asked[0].model, engine.asked[0].requested) == ("scripted", "gpt-4")


OPTIONAL = [name for name, field in ChatRequest.model_fields.items() if not field.is_required()]


@pytest.mark.parametrize("name", OPTIONAL)
async def test_null_is_as_good_as_nothing(name: str) -> None:
    engine = Scripted()
    assert (await Doors(engine)("POST", PATH, asking(**{name: None}))).status == 200
    assert name not in engine.asked[0].body
    assert engine.asked[0].unknown == ()


async def test_every_optional_parameter_may_be_null_at_once() -> None:
    assert len(OPTIONAL) > 30
    nothing = dict.fromkeys(OPTIONAL)
    assert (await Doors()("POST", PATH, asking(**nothing))).status == 200


GOOD: dict[str, dict[str, Any]] = {
    "temperature 0": asking(temperature=0),
    "temperature 2": asking(temperature=2),
    "top_p": asking(top_p=0.5, presence_penalty=-2, frequency_penalty=2),
    "one stop": asking(stop="\n"),
    "four stops": asking(stop=["a", "b", "c", "d"]),
    "n": asking(n=128),
    "bias": asking(logit_bias={"50256": -100, "1": 1.5}),
    "logprobs": asking(logprobs=True, top_logprobs=20),
    "limits": asking(max_completion_tokens=1),
    "developer": asking(messages=[{"role": "developer", "content": "Be brief"}, *HELLO]),
    "parts": asking(
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                    {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                ],
            }
        ]
    ),
    "names": asking(messages=[{"role": "user", "content": "x", "name": "Ann-1"}]),
    "calls": calling(
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "3"},
    ),
    "an earlier call": calling(
        {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "3"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": ""},
        {"role": "assistant", "content": "3", "refusal": None, "annotations": []},
    ),
    "old calls": calling(
        {"role": "assistant", "content": None, "function_call": CALL["function"]},
        {"role": "function", "name": "add", "content": "3"},
    ),
    "tools": asking(tools=[ADD], tool_choice="required", parallel_tool_calls=True),
    "named": asking(tools=[ADD], tool_choice={"type": "function", "function": {"name": "add"}}),
    "allowed": asking(
        tools=[ADD],
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "auto",
                "tools": [{"type": "function", "function": {"name": "add"}}],
            },
        },
    ),
    "custom": asking(
        tools=[{"type": "custom", "custom": {"name": "sql"}}],
        tool_choice={"type": "custom", "custom": {"name": "sql"}},
    ),
    "no tools": asking(tools=[], tool_choice="auto"),
    "128 tools": asking(tools=[ADD] * 128),
    "functions": asking(functions=[ADD["function"]], function_call={"name": "add"}),
    "functions auto": asking(functions=[ADD["function"]], function_call="auto"),
    "json": asking(response_format={"type": "json_object"}),
    "text": asking(response_format={"type": "text"}),
    "schema": asking(response_format={"type": "json_schema", "json_schema": SCHEMA}),
    "the rest": asking(
        user="ann", store=True, metadata={"a": "b"}, service_tier="auto", verbosity="low"
    ),
}


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD)
async def test_what_is_allowed(body: dict[str, Any]) -> None:
    engine = Scripted()
    reply = await Doors(engine)("POST", PATH, body)
    assert_reply(PATH, "POST", reply.status, reply.body)
    assert reply.status == 200
    assert engine.asked[0].body == body
    assert engine.asked[0].unknown == ()


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "hot": (asking(temperature=2.1), "temperature", "from 0 to 2"),
    "cold": (asking(temperature=-0.1), "temperature", "from 0 to 2"),
    "text": (asking(temperature="1"), "temperature", "number"),
    "true": (asking(temperature=True), "temperature", "number"),
    "top_p": (asking(top_p=1.01), "top_p", "from 0 to 1"),
    "presence": (asking(presence_penalty=2.5), "presence_penalty", "from -2 to 2"),
    "frequency": (asking(frequency_penalty=-3), "frequency_penalty", "from -2 to 2"),
    "stops": (asking(stop=list("abcde")), "stop", "at most 4"),
    "stop": (asking(stop=3), "stop", "text"),
    "n": (asking(n=0), "n", "from 1 to 128"),
    "many": (asking(n=129), "n", "from 1 to 128"),
    "half": (asking(n=1.5), "n", "whole number"),
    "max_tokens": (asking(max_tokens=0), "max_tokens", "got 0"),
    "max_completion_tokens": (asking(max_completion_tokens=-1), "max_completion_tokens", "got -1"),
    "both limits": (asking(max_tokens=1, max_completion_tokens=1), "max_tokens", "one of them"),
    "logprobs": (asking(logprobs=3), "logprobs", "true or false"),
    "top_logprobs": (asking(logprobs=True, top_logprobs=21), "top_logprobs", "from 0 to 20"),
    "alone": (asking(top_logprobs=2), "top_logprobs", "`logprobs`"),
    "bias": (asking(logit_bias={"1": 101}), "logit_bias[1]", "from -100 to 100"),
    "word bias": (asking(logit_bias={"word": 1}), "logit_bias.word", "[0-9]"),
    "seed": (asking(seed=2**70), "seed", "whole number"),
    "options": (asking(stream_options={"include_usage": True}), "stream_options", "`stream`"),
    "stream": (asking(stream="yes"), "stream", "true or false"),
    "nobody": (asking(messages=[]), "messages", "at least 1"),
    "no messages": ({"model": "gpt-4"}, "messages", "missing"),
    "no model": ({"messages": HELLO}, "model", "missing"),
    "empty model": (asking(model=""), "model", "1 to 256"),
    "role": (asking(messages=[{"role": "robot", "content": "x"}]), "messages[0].role", '"user"'),
    "no role": (asking(messages=[{"content": "x"}]), "messages[0].role", '"assistant"'),
    "a text": (asking(messages=["x"]), "messages[0]", "object"),
    "no content": (asking(messages=[{"role": "user"}]), "messages[0].content", "missing"),
    "null content": (
        asking(messages=[{"role": "user", "content": None}]),
        "messages[0].content",
        "text",
    ),
    "no parts": (asking(messages=[{"role": "user", "content": []}]), "messages[0].content", "1"),
    "a part": (
        asking(messages=[{"role": "user", "content": [{"type": "smell"}]}]),
        "messages[0].content[0].type",
        '"image_url"',
    ),
    "an image of the system": (
        asking(messages=[{"role": "system", "content": [{"type": "image_url"}]}]),
        "messages[0].content[0].type",
        '"text"',
    ),
    "silent": (calling({"role": "assistant"}), "messages[1].content", "tool_calls"),
    "name": (asking(messages=[{**HELLO[0], "name": "a b"}]), "messages[0].name", "matching"),
    "nobody called": (
        calling({"role": "tool", "tool_call_id": "call_1", "content": "3"}),
        "messages[1].tool_call_id",
        "assistant",
    ),
    "called later": (
        calling(
            {"role": "tool", "tool_call_id": "call_1", "content": "3"},
            {"role": "assistant", "tool_calls": [CALL]},
        ),
        "messages[1].tool_call_id",
        "before it",
    ),
    "another call": (
        calling(
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_9", "content": "3"},
        ),
        "messages[2].tool_call_id",
        "tool_call_id",
    ),
    "no id": (calling({"role": "tool", "content": "3"}), "messages[1].tool_call_id", "missing"),
    "arguments": (
        calling({"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "add"}}]}),
        "messages[1].tool_calls[0].function.arguments",
        "missing",
    ),
    "129 tools": (asking(tools=[ADD] * 129), "tools", "at most 128"),
    "tool name": (
        asking(tools=[{"type": "function", "function": {"name": "a.b"}}]),
        "tools[0].function.name",
        "a-zA-Z0-9_-",
    ),
    "long name": (
        asking(tools=[{"type": "function", "function": {"name": "a" * 65}}]),
        "tools[0].function.name",
        "a-zA-Z0-9_-",
    ),
    "parameters": (
        asking(
            tools=[{"type": "function", "function": {"name": "a", "parameters": {"type": "array"}}}]
        ),
        "tools[0].function.parameters",
        "object",
    ),
    "choice": (asking(tools=[ADD], tool_choice="any"), "tool_choice", '"required"'),
    "not offered": (
        asking(tools=[ADD], tool_choice={"type": "function", "function": {"name": "sub"}}),
        "tool_choice",
        "offered: add",
    ),
    "nothing offered": (asking(tool_choice="required"), "tool_choice", "`tools` offers none"),
    "not allowed": (
        asking(
            tools=[ADD],
            tool_choice={
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "sub"}}],
                },
            },
        ),
        "tool_choice",
        "sub",
    ),
    "no functions": (asking(functions=[]), "functions", "1 to 128"),
    "old choice": (
        asking(functions=[ADD["function"]], function_call={"name": "sub"}),
        "function_call",
        "offered: add",
    ),
    "old and new": (asking(functions=[ADD["function"]], tools=[ADD]), "functions", "one of them"),
    "format": (asking(response_format={"type": "xml"}), "response_format.type", '"json_object"'),
    "no schema": (
        asking(response_format={"type": "json_schema", "json_schema": {"name": "a"}}),
        "response_format.json_schema.schema",
        "missing",
    ),
    "no schema name": (
        asking(response_format={"type": "json_schema", "json_schema": {"schema": {}}}),
        "response_format.json_schema.name",
        "missing",
    ),
    "metadata": (asking(metadata={"a": 1}), "metadata.a", "text"),
    "unknown model": (asking(model="gpt-9"), "model", "does not exist"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("body", "param", "words"), BAD.values(), ids=BAD)
async def test_what_is_refused(
    body: dict[str, Any], param: str, words: str, *, stream: bool
) -> None:
    engine = Scripted()
    if stream and "stream" not in param:
        body = {**body, "stream": True}
    reply = await Doors(engine)("POST", PATH, body)
    error = assert_reply(PATH, "POST", reply.status, reply.body)["error"]
    assert reply.status == (404 if "unknown" in param or body.get("model") == "gpt-9" else 400)
    assert reply.headers["content-type"] == "application/json"
    assert error["param"] == param, error
    assert words in error["message"], error
    assert error["type"] == "invalid_request_error"
    assert not engine.asked


async def test_limits_are_not_secrets() -> None:
    reply = await Doors()("POST", PATH, asking(max_tokens=-5, max_completion_tokens="many"))
    assert "got -5" in reply.json["error"]["message"]
    assert '"many"' in reply.json["error"]["message"]


async def test_a_fault_is_told_once() -> None:
    message = (await Doors()("POST", PATH, asking(stop=5))).json["error"]["message"]
    assert message.count("`stop` must be") == 1


async def test_the_model_may_stand_in_the_path() -> None:
    engine = Scripted()
    doors = Doors(engine)
    for name in ("gpt-4", "scripted"):
        path = f"/v1/engines/{name}/chat/completions"
        reply = await doors("POST", path, {"messages": HELLO, "stream": False})
        assert assert_reply(path, "POST", reply.status, reply.body)["model"] == name
    assert engine.asked[0].body["model"] == "gpt-4"
    unknown = await doors("POST", "/v1/engines/no/such/chat/completions", {"messages": HELLO})
    assert unknown.json["error"]["code"] == "model_not_found"
    assert "`no/such`" in unknown.json["error"]["message"]


@pytest.mark.parametrize(
    "text",
    [
        b'{"model": "gpt-4", "messages": [{"role": "user", "content": "x"}], "x": NaN}',
        b'{"model": "gpt-4", "messages": [{"role": "user", "content": "x"}], "x": 1e999}',
        b'{"model": "gpt-4", "messages": [{"role": "user", "content": "x"}], "x": "\\ud800"}',
        b'{"model": "gpt-4", "messages": ',
        b"\xff\xfe{}",
        b"[" * 100_000,
        b"null",
        b"[]",
        b"7",
    ],
)
async def test_what_is_no_json_object_is_refused(text: bytes) -> None:
    reply = await Doors()("POST", PATH, text)
    assert reply.status == 400
    assert_reply(PATH, "POST", reply.status, reply.body)


async def test_the_last_of_two_members_counts_for_the_check_and_for_the_engine() -> None:
    engine = Scripted()
    text = b'{"n": 500, "model": "gpt-4", "messages": %b, "n": 1}' % orjson.dumps(HELLO)
    assert (await Doors(engine)("POST", PATH, text)).status == 200
    assert engine.asked[0].body["n"] == 1

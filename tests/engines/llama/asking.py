"""Requests of the GPT API put to an engine, and their answers checked by the published schemas."""

from typing import Any

from plugin.engines.engine import Ask, Engine, Events, Whole
from plugin.engines.llama.engine import TEXT_MODEL, VECTOR_MODEL
from tests.openai_schema import assert_reply, assert_stream

CHAT, COMPLETIONS, EMBEDDINGS = "chat/completions", "completions", "embeddings"
NAME = "gpt-3.5-turbo"


def asked(path: str, body: dict[str, Any], unknown: tuple[str, ...] = ()) -> Ask:
    model = VECTOR_MODEL if path == EMBEDDINGS else TEXT_MODEL
    return Ask(path, {"model": NAME, **body}, NAME, model, unknown)


async def whole(engine: Engine, path: str, **body: Any) -> Any:
    """The reply, checked, its usage as the record of the request will have it."""
    answer = await engine.answer(asked(path, body))
    assert isinstance(answer, Whole)
    reply = assert_reply(f"/v1/{path}", "POST", 200, answer.body)
    assert reply["model"] == NAME
    usage = answer.usage
    assert reply["usage"]["prompt_tokens"] == usage.prompt_tokens
    assert reply["usage"]["total_tokens"] == usage.prompt_tokens + usage.completion_tokens
    return reply


async def chunks(engine: Engine, path: str, **body: Any) -> list[Any]:
    """The chunks of a stream, checked."""
    answer = await engine.answer(asked(path, {"stream": True, **body}))
    assert isinstance(answer, Events)
    pieces = [piece async for piece in answer.pieces]
    wanted = bool((body.get("stream_options") or {}).get("include_usage"))
    told = assert_stream(f"/v1/{path}", pieces, usage=wanted)
    assert {chunk["model"] for chunk in told} == {NAME}
    return told


def said(told: list[Any], choice: int = 0) -> str:
    """The text of one choice of a stream."""
    found = [one for chunk in told for one in chunk["choices"] if one["index"] == choice]
    return "".join(one.get("text") or one.get("delta", {}).get("content") or "" for one in found)
